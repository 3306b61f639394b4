package ui

import (
	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
)

// deletePlacePage is the data of the page that deletes a group or project.
type deletePlacePage struct {
	Form *form
	Noun string // "project" or "group"
	Full string // to be typed
	At   string // the address of the page
	Back string
	Goes string // how many packages, or projects, go with it; "" if the actor may not count them
}

// showDeletePlace is the consequences of deleting the group or project.
func showDeletePlace(v *visit) error {
	if err := v.need(v.either(access.OwnProject, access.EditGroup)); err != nil {
		return err
	}
	goes, err := v.goes()
	if err != nil {
		return err
	}
	d := deletePlacePage{Goes: goes, Form: v.form, Noun: v.noun(), Full: v.full(), At: v.s.in(v.full(), "settings", "delete"), Back: v.s.in(v.full(), "settings")}
	return v.show(v.settingsScreen("settings_delete", "settings", "Delete", d))
}

// goes says what is deleted with the place.
func (v *visit) goes() (string, error) {
	ctx := v.r.Context()
	if v.project == nil {
		found, err := v.s.Projects.GroupProjects(ctx, v.actor, v.ref(), projects.ProjectFilter{Below: true}, page.Request{Number: 1, Size: 1})
		return plural(int64(found.Total), "project", "projects"), err
	}
	found, err := v.s.Registry.Names(ctx, v.actor, v.ref(), registry.NameQuery{}, nil)
	if fault.Is(err, fault.Denied) { // the registry is off
		return "", nil
	}
	return countUpTo(found.Total, registry.NamesCounted, "package", "packages"), err
}

// deletePlace deletes the group or project whose full path was typed.
func deletePlace(v *visit) error {
	if v.sent("full_path") != v.full() {
		return v.again(showDeletePlace, fault.Field("full_path", "must be "+v.full()+", to be sure that this one is meant"))
	}
	del := v.s.Projects.DeleteGroup
	if v.project != nil {
		del = v.s.Projects.DeleteProject
	}
	if err := del(v.r.Context(), v.actor, v.ref()); err != nil {
		return v.again(showDeletePlace, err)
	}
	return v.see(v.s.root+"/", "deleted")
}
