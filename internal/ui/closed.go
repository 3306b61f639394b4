package ui

import (
	"net/http"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
)

// closed is the page of a refusal that is the project's state, not the actor's role: its
// packages are off, it is archived, or its feature flag is off. It reports whether it is
// such a refusal.
func (v *visit) closed(err error) (trouble, bool) {
	kind := fault.KindOf(err)
	if v.project == nil || v.route == nil || kind != fault.Denied && kind != fault.Absent {
		return trouble{}, false
	}
	t := trouble{status: http.StatusForbidden, Title: "Not here"}
	full, s := v.project.FullPath, v.project.Standing
	settings, may := v.s.in(full, "settings"), access.EditProject
	ofPackages := v.route.path == "" || strings.HasPrefix(v.route.path, "package")
	switch {
	case ofPackages && s.Packages == access.PackagesDisabled:
		t.Title, t.Text = "Packages are off", "The package registry of this project is off: nothing can be published, listed or installed."
		settings = v.s.in(full, "settings", "packages")
	case kind == fault.Denied && v.frozen():
		t.Title, t.Text = "Archived", "This project is archived: its packages, releases and protection rules cannot be changed."
		if !v.project.Archived {
			t.Text = "A group above this project is archived: its packages, releases and protection rules cannot be changed."
			settings = ""
		}
	case kind == fault.Absent && ofPackages && v.asksFlag() && v.flagOff():
		t.Title, t.Text = "Packages are off", "The feature generic_packages is off here: nothing can be published or installed. An administrator can switch it on."
		may = access.AdminFeatures
	default:
		return trouble{}, false
	}
	if v.can(may) {
		t.Settings = settings
	}
	return t, true
}

// frozen reports whether only the archive keeps the actor from what the route does.
func (v *visit) frozen() bool {
	page, _, _ := strings.Cut(strings.TrimPrefix(v.route.path, "settings/"), "/")
	action, known := map[string]access.Action{
		"packages": access.PublishPackage, "releases": access.PublishRelease, "protection": access.AdminProtections,
	}[page]
	r := v.project.Standing
	if !r.Archived || !known || v.can(action) {
		return false
	}
	r.Archived = false
	return v.s.Projects.Rules.Check(v.actor, r, action) == access.Allowed
}

// asksFlag reports whether the feature flag must be on for what the request asks for.
// Lists and the pages of versions are shown without it.
func (v *visit) asksFlag() bool {
	return v.route.writes() || v.values["version"] == "latest" || v.query("format") != ""
}

// flagOff reports whether the feature flag refuses packages here.
func (v *visit) flagOff() bool {
	feature, err := v.s.Projects.FeatureHere(v.r.Context(), v.actor, number(v.project.ID))
	return err == nil && !feature.On
}
