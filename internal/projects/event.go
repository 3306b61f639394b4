package projects

import (
	"strconv"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
)

// entity is the project as audit events name it.
func (p Project) entity() audit.Entity {
	return audit.Entity{Type: audit.Project, ID: p.ID, Path: p.FullPath}
}

// entity is the group, or the user whose own namespace it is.
func (g Group) entity() audit.Entity {
	if g.Personal() {
		return audit.Entity{Type: audit.User, ID: g.OwnerID, Path: g.Path}
	}
	return audit.Entity{Type: audit.Group, ID: g.ID, Path: g.FullPath}
}

// above is the entity of the event that a group was deleted: the group above, else
// the group itself, where administrators find the event.
func (g Group) above() audit.Entity {
	if g.ParentID == 0 {
		return g.entity()
	}
	return audit.Entity{Type: audit.Group, ID: g.ParentID}
}

// entity is the place as audit events name it; the records fill in its path.
func (at Place) entity() audit.Entity {
	if at == (Place{}) {
		return audit.WholeInstance()
	}
	return audit.Place(at.ProjectID, at.GroupID)
}

// event is an event of a deed that an actor does now.
func (s *Service) event(a access.Actor, name audit.Name, in audit.Entity) audit.Event {
	return audit.New(a, name, s.Now(), in)
}

// setting is a setting that may have changed, with its values as text.
type setting struct{ name, attribute, from, to string }

// changed returns an event for each setting that differs.
func changed(e audit.Event, name func(string) audit.Name, settings []setting) (done []audit.Event) {
	for _, s := range settings {
		if s.from == s.to {
			continue
		}
		e.Name = name(s.name)
		done = append(done, e.With(s.attribute, s.from, s.to))
	}
	return done
}

// changes returns the events of an edit of a project. A setting has GitLab's name if
// GitLab has it.
func (p Project) changes(a access.Actor, now time.Time, before Project) []audit.Event {
	e := audit.New(a, "", now, p.entity()).To("Project", p.ID, before.FullPath)
	e.Entity.Path = before.FullPath
	return changed(e, audit.ProjectUpdated, []setting{
		{"name", "name", before.Name, p.Name},
		{"path", "path", before.Path, p.Path},
		{"namespace", "namespace", before.Namespace.FullPath, p.Namespace.FullPath},
		{"description", "description", before.Description, p.Description},
		{"visibility_level", "visibility", VisibilityName(before.Visibility), VisibilityName(p.Visibility)},
		{"default_branch", "default_branch", before.DefaultBranch, p.DefaultBranch},
		{"topics", "topics", strings.Join(before.Topics, ","), strings.Join(p.Topics, ",")},
		{"feature_package_registry_access_level", "package_registry_access_level",
			before.PackageAccess.String(), p.PackageAccess.String()},
		{"generic_package_naming", "generic_package_naming", text(before.Naming), text(p.Naming)},
		{"generic_duplicates_allowed", "generic_duplicates_allowed", switchText(before.Duplicates.Allowed), switchText(p.Duplicates.Allowed)},
		{"generic_duplicate_exception_regex", "generic_duplicate_exception_regex", text(before.Duplicates.Exception), text(p.Duplicates.Exception)},
		{"generic_packages_max_file_size", "generic_packages_max_file_size", numberText(before.MaxFileSize), numberText(p.MaxFileSize)},
		{"generic_package_drafts", "generic_package_drafts", text(before.Drafts), text(p.Drafts)},
		{"generic_package_finalisers", "generic_package_finalisers", text(before.Finalisers), text(p.Finalisers)},
	})
}

// changes returns the events of an edit of a group.
func (g Group) changes(a access.Actor, now time.Time, before Group) []audit.Event {
	e := audit.New(a, "", now, before.entity()).To("Group", g.ID, before.FullPath)
	return changed(e, audit.GroupUpdated, []setting{
		{"name", "name", before.Name, g.Name},
		{"path", "path", before.Path, g.Path},
		{"parent", "parent", parentPath(before.FullPath), parentPath(g.FullPath)},
		{"description", "description", before.Description, g.Description},
		{"visibility_level", "visibility", VisibilityName(before.Visibility), VisibilityName(g.Visibility)},
		{"generic_duplicates_allowed", "generic_duplicates_allowed", switchText(before.Duplicates.Allowed), switchText(g.Duplicates.Allowed)},
		{"generic_duplicate_exception_regex", "generic_duplicate_exception_regex", text(before.Duplicates.Exception), text(g.Duplicates.Exception)},
	})
}

// parentPath is what a full path has before its last segment, "" at the top.
func parentPath(full string) string {
	return full[:max(strings.LastIndex(full, "/"), 0)]
}

// text is an optional value as audit events write it.
func text[T ~string](v *T) string {
	if v == nil {
		return ""
	}
	return string(*v)
}

func switchText(v *bool) string {
	if v == nil {
		return ""
	}
	return strconv.FormatBool(*v)
}

func numberText(v *int64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatInt(*v, 10)
}

// membership is a role and its end as text: "Developer until 2026-01-31".
func membership(role access.Role, expires *time.Time) string {
	if expires == nil {
		return role.String()
	}
	return role.String() + " until " + expires.UTC().Format(time.DateOnly)
}

// Standing is the membership as text, for audit events.
func (m Member) Standing() string { return membership(m.Role, m.ExpiresAt) }

// title names a variable: its key, and its scope if it has one of its own.
func (v Variable) title() string {
	if v.Scope == AnyScope {
		return v.Key
	}
	return v.Key + " (" + v.Scope + ")"
}

// changes returns the names of the attributes that an edit changed, without values.
func (v Variable) changes(before Variable) string {
	var names []string
	for _, attribute := range []struct {
		name    string
		changed bool
	}{
		{"value", v.Value != before.Value},
		{"variable_type", v.Type != before.Type},
		{"protected", v.Protected != before.Protected},
		{"masked", v.Masked != before.Masked},
		{"raw", v.Raw != before.Raw},
		{"environment_scope", v.Scope != before.Scope},
		{"description", text(v.Description) != text(before.Description)},
	} {
		if attribute.changed {
			names = append(names, attribute.name)
		}
	}
	return strings.Join(names, ", ")
}
