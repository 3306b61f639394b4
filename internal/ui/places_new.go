package ui

import (
	"strconv"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/page"
	"granary/internal/projects"
)

// newPlacePage is the data of the page that makes a project or a group.
type newPlacePage struct {
	Form         *form
	Kind         string // "project" or "group"
	In           string // the full path of the namespace; "" for a group at the top
	Places       []choiceRow
	More         bool // there may be other places
	Visibilities []choiceRow
	Action       string
}

// visibilities are the choices of who sees a group or project.
func visibilities(chosen access.Visibility) []choiceRow {
	return choices(strconv.Itoa(int(chosen)), "0", "Private: its members", "10", "Internal: everyone signed in", "20", "Public: everyone")
}

// namespacesOf is how many places a new project may be put into by choice.
const namespacesOf = 100

func showNewProject(v *visit) error {
	if err := gate.Token(v.actor, access.CreateProject, ""); err != nil {
		return err
	}
	found, err := v.s.Projects.ListNamespaces(v.r.Context(), v.actor, projects.NamespaceFilter{}, page.Request{Number: 1, Size: namespacesOf})
	if err != nil {
		return err
	}
	d := newPlacePage{Form: v.form, Kind: "project", In: v.form.Or("namespace", v.query("namespace")), Visibilities: visibilities(access.Private), Action: v.s.at("projects", "new")}
	there := d.In == ""
	for _, g := range found.Rows {
		d.Places = append(d.Places, choiceRow{g.FullPath, g.FullPath, g.FullPath == d.In})
		there = there || g.FullPath == d.In
	}
	if !there { // it is behind the first hundred, or the server refuses it
		d.Places = append(d.Places, choiceRow{d.In, d.In, true})
	}
	d.More = len(found.Rows) == namespacesOf
	return v.show(screen{name: "place_new", title: "New project", data: d})
}

// makeProject makes a project and leads to it.
func makeProject(v *visit) error {
	ctx := v.r.Context()
	ns, err := v.s.Projects.Namespace(ctx, v.actor, v.sent("namespace"))
	if absent(err) {
		err = fault.Field("namespace", "is no group that you can see")
	}
	if err != nil {
		return v.again(showNewProject, err)
	}
	visibility, err := v.visibility()
	if err != nil {
		return v.again(showNewProject, err)
	}
	p, err := v.s.Projects.CreateProject(ctx, v.actor, ns.ID, projects.Project{
		Name: v.sent("name"), Path: v.sent("path"), Description: v.sent("description"), Visibility: visibility, PackageAccess: access.PackagesEnabled,
	})
	if err != nil {
		return v.again(showNewProject, err)
	}
	return v.see(v.s.in(p.FullPath), "made")
}

func showNewGroup(v *visit) error {
	d := newPlacePage{Form: v.form, Kind: "group", In: v.form.Or("parent", v.query("parent")), Visibilities: visibilities(access.Private), Action: v.s.at("groups", "new")}
	err := gate.Token(v.actor, access.CreateSubgroup, "")
	if d.In == "" {
		err = gate.Check(v.s.Projects.Rules, v.actor, access.Resource{Own: v.actor.MayGroup}, access.CreateTopGroup, "")
	}
	if err != nil {
		return err
	}
	return v.show(screen{name: "place_new", title: "New group", data: d})
}

// makeGroup makes a group, at the top or in another, and leads to it.
func makeGroup(v *visit) error {
	ctx := v.r.Context()
	visibility, err := v.visibility()
	if err != nil {
		return v.again(showNewGroup, err)
	}
	g := projects.Group{Name: v.sent("name"), Path: v.sent("path"), Description: v.sent("description"), Visibility: visibility}
	if parent := v.sent("parent"); parent != "" {
		above, err := v.s.Projects.Group(ctx, v.actor, parent)
		if err != nil {
			return err
		}
		g.ParentID = above.ID
	}
	if g, err = v.s.Projects.CreateGroup(ctx, v.actor, g); err != nil {
		return v.again(showNewGroup, err)
	}
	return v.see(v.s.in(g.FullPath), "made")
}

// visibility is the field of that name.
func (v *visit) visibility() (access.Visibility, error) {
	switch text := v.sent("visibility"); text {
	case "", "0":
		return access.Private, nil
	case "10":
		return access.Internal, nil
	case "20":
		return access.Public, nil
	}
	return 0, fault.Field("visibility", "is private, internal or public")
}
