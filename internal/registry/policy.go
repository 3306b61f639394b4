package registry

import (
	"context"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/naming"
)

// DuplicatePolicy is whether a file name may be published twice, after inheritance
// (contract 2.5).
type DuplicatePolicy struct {
	Allowed   bool
	Exception *naming.Exception // compiled; nil: none
}

// Permits reports whether the package may have a second file of a name. The exception
// inverts Allowed for packages whose name or version matches it.
func (d DuplicatePolicy) Permits(c Coordinates) bool {
	return d.Allowed != (d.Exception.Matches(string(c.Name)) || d.Exception.Matches(string(c.Version)))
}

// checkProtection refuses a publisher whose role is below that of any matching rule.
// Administrators pass; any matching rule refuses deploy tokens (contract 6).
func checkProtection(p Project, a access.Actor, name Name) error {
	for _, rule := range p.Protections {
		if !rule.matches(name) {
			continue
		}
		if a.Kind == access.DeployToken || !a.Admin && p.Standing.Role < rule.Push {
			return fault.New(fault.Denied, "Package protected.")
		}
	}
	return nil
}

// MayPublishTo reports whether the actor may publish to a package of the project. Only a
// protection rule makes it false: an actor who may publish nothing here is refused.
func (r *Registry) MayPublishTo(ctx context.Context, a access.Actor, project, name string) (bool, error) {
	place, err := r.enter(ctx, a, project, access.PublishPackage, apiDoor())
	return err == nil && checkProtection(place, a, Name(name)) == nil, err
}

// matches compares the whole name; '*' stands for any text.
func (r Protection) matches(name Name) bool {
	return matchesParts(strings.Split(strings.ToLower(r.Pattern), "*"), strings.ToLower(string(name)))
}

// matchesParts reports whether a name has the parts of a pattern between its stars. All
// are in lower case.
func matchesParts(parts []string, name string) bool {
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	if len(parts) == 1 {
		return rest == ""
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, ok = strings.Cut(rest, part)
		if !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, last)
}

// ErrDuplicate refuses a second file of a name (contract 2.5).
func ErrDuplicate() error {
	return fault.New(fault.Refused, "Duplicate package is not allowed")
}
