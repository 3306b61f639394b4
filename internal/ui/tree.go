package ui

import (
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/page"
	"granary/internal/projects"
)

// treePage is the data of a list of groups or projects, as a tree.
type treePage struct {
	Heading, Text string
	Kind          string // "groups" or "projects"
	Rows          []treeRow
	Pager         pager
	Search        string
	Other         link // to the list of the other kind
	New           string
	NewWord       string
	Empty         string
}

// treeRow is a group or project.
type treeRow struct {
	Name, Above string // the last segment, and the path of what it is in
	URL         string
	Indent      string // "in1" to "in4" by depth
	Visibility  string
	Description string
	Archived    bool
	Changed     time.Time
}

func (v *visit) projectRow(p projects.Project) treeRow {
	return treeRow{
		Name: p.Name, Above: strings.TrimSuffix(p.FullPath, "/"+p.Path), URL: v.s.in(p.FullPath), Visibility: visibilityWord(p.Visibility),
		Description: p.Description, Archived: p.Archived, Changed: p.UpdatedAt,
	}
}

func (v *visit) groupRow(g projects.Group) treeRow {
	depth := min(strings.Count(g.FullPath, "/"), 4)
	row := treeRow{Name: g.Name, URL: v.s.in(g.FullPath), Visibility: visibilityWord(g.Visibility), Description: g.Description, Changed: g.UpdatedAt}
	if depth > 0 {
		row.Indent = "in" + string(rune('0'+depth))
		row.Above = strings.TrimSuffix(g.FullPath, "/"+g.Path)
	}
	return row
}

// treeRequest is the page of a tree that the address asks for.
func (v *visit) treeRequest() (page.Request, string, error) {
	p, err := v.numbered()
	p.OrderBy = "tree"
	return p, strings.ToLower(strings.TrimSpace(v.query("search"))), err
}

// showExplore is the projects that anyone, or anyone signed in, can see.
func showExplore(v *visit) error {
	return v.projectTree(treePage{
		Heading: "Explore", Text: "Every project that you can see.", Other: link{"Groups", v.s.at("groups")},
		Empty: "No project is public here. Sign in to see those that you are a member of.",
	}, projects.ProjectFilter{})
}

// showProjects is the projects that the actor is a member of.
func showProjects(v *visit) error {
	d := treePage{
		Heading: "Your projects", Text: "Those that you are a member of.", Other: link{"All that you can see", v.s.at("explore")},
		Empty: "You are in no project yet.",
	}
	if v.canOwn(access.CreateProject) {
		d.New, d.NewWord = v.s.at("projects", "new"), "New project"
	}
	return v.projectTree(d, projects.ProjectFilter{Membership: true})
}

func (v *visit) projectTree(d treePage, f projects.ProjectFilter) error {
	p, search, err := v.treeRequest()
	if err != nil {
		return err
	}
	f.Search, f.InPaths = search, true
	found, err := v.s.Projects.ListProjects(v.r.Context(), v.actor, f, p)
	if err != nil {
		return err
	}
	d.Kind, d.Search, d.Pager = "projects", v.query("search"), v.pagerOf(p, found.Total, "project", "projects")
	for _, p := range found.Rows {
		d.Rows = append(d.Rows, v.projectRow(p))
	}
	return v.show(screen{name: "tree", title: d.Heading, data: d})
}

// showGroups is the groups that the actor can see, each below the one that it is in.
func showGroups(v *visit) error {
	p, search, err := v.treeRequest()
	if err != nil {
		return err
	}
	found, err := v.s.Projects.ListGroups(v.r.Context(), v.actor, projects.GroupFilter{Search: search}, p)
	if err != nil {
		return err
	}
	d := treePage{
		Heading: "Groups", Text: "A group holds projects and other groups; its members are members of all in it.", Kind: "groups",
		Search: v.query("search"), Pager: v.pagerOf(p, found.Total, "group", "groups"), Other: link{"Projects", v.s.at("explore")},
		Empty: "There is no group that you can see.",
	}
	if v.s.Projects.Rules.Check(v.actor, access.Resource{Own: v.actor.MayGroup}, access.CreateTopGroup) == access.Allowed {
		d.New, d.NewWord = v.s.at("groups", "new"), "New group"
	}
	for _, g := range found.Rows {
		d.Rows = append(d.Rows, v.groupRow(g))
	}
	return v.show(screen{name: "tree", title: d.Heading, data: d})
}

// groupPage is the data of a group, or of a user's own namespace.
type groupPage struct {
	Groups     []treeRow
	MoreGroups bool // than the mostSubgroups of Groups
	Projects   []treeRow
	Pager      pager
	Search     string
	NewProject string // "" unless the actor may make one here
	NewGroup   string
	Personal   bool
}

// mostSubgroups is how many groups the page of a group shows.
const mostSubgroups = 100

// showGroup is what is in a group.
func showGroup(v *visit) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	ctx, search, id := v.r.Context(), strings.ToLower(strings.TrimSpace(v.query("search"))), number(v.group.ID)
	d := groupPage{Search: v.query("search"), Personal: v.group.Personal()}
	f := projects.ProjectFilter{Search: search}
	var found page.Of[projects.Project]
	p.OrderBy = "name"
	if d.Personal {
		f.OwnerID = v.group.OwnerID
		found, err = v.s.Projects.ListProjects(ctx, v.actor, f, p)
	} else {
		found, err = v.s.Projects.GroupProjects(ctx, v.actor, id, f, p)
	}
	if err != nil {
		return err
	}
	d.Pager = v.pagerOf(p, found.Total, "project", "projects")
	for _, p := range found.Rows {
		row := v.projectRow(p)
		row.Above = ""
		d.Projects = append(d.Projects, row)
	}
	if !d.Personal && p.Number == 1 {
		groups, err := v.s.Projects.Subgroups(ctx, v.actor, id, projects.GroupFilter{Search: search}, page.Request{Number: 1, Size: mostSubgroups + 1, NoTotal: true})
		if err != nil {
			return err
		}
		d.MoreGroups = len(groups.Rows) > mostSubgroups
		for _, g := range groups.Rows[:min(len(groups.Rows), mostSubgroups)] {
			row := v.groupRow(g)
			row.Indent, row.Above = "", ""
			d.Groups = append(d.Groups, row)
		}
	}
	if v.can(access.CreateProject) || d.Personal && v.group.OwnerID == v.actor.UserID && v.canOwn(access.CreateProject) {
		d.NewProject = v.s.at("projects", "new") + "?namespace=" + v.group.FullPath
	}
	if !d.Personal && v.can(access.CreateSubgroup) {
		d.NewGroup = v.s.at("groups", "new") + "?parent=" + v.group.FullPath
	}
	return v.show(screen{name: "group", title: v.group.FullPath, tab: "", data: d})
}
