package projects

import (
	"iter"

	"granary/internal/access"
	"granary/internal/fault"
)

// Inherit resolves duplicate settings: an unset field comes from the nearest group
// above that sets it, else from the defaults. above has the settings of the groups, the
// nearest first. Both fields of the result are set.
func (d Duplicates) Inherit(above iter.Seq[Duplicates]) Duplicates {
	for group := range above {
		if d.Allowed == nil {
			d.Allowed = group.Allowed
		}
		if d.Exception == nil {
			d.Exception = group.Exception
		}
	}
	if d.Allowed == nil {
		allowed := true
		d.Allowed = &allowed
	}
	if d.Exception == nil {
		d.Exception = new(string)
	}
	return d
}

// CheckVisibility refuses a visibility of a group that is above its parent's, or below
// that of a project or group in it. parent is nil at the top; inside is the highest
// visibility in the group, nil if it is empty. The words are GitLab's.
func CheckVisibility(v access.Visibility, parent, inside *access.Visibility) error {
	switch {
	case parent != nil && v > *parent:
		return fault.Field("visibility_level", VisibilityName(v)+" is not allowed since the parent group has "+VisibilityName(*parent)+" visibility.")
	case inside != nil && v < *inside:
		return fault.Field("visibility_level", VisibilityName(v)+" is not allowed since this group contains projects or groups with higher visibility.")
	}
	return nil
}
