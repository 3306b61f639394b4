package ui

import (
	"cmp"
	"net/url"
	"time"

	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
)

// adminScreen is a page of the administration.
func (v *visit) adminScreen(current, title string, data any) screen {
	var side []tab
	for _, t := range []struct{ path, name string }{
		{"", "Overview"}, {"users", "Users"}, {"features", "Features"}, {"settings", "Settings"}, {"tasks", "Tasks"}, {"audit", "Audit"},
	} {
		address := v.s.at("admin")
		if t.path != "" {
			address = v.s.at("admin", t.path)
		}
		side = append(side, tab{t.name, address, t.path == current})
	}
	return screen{name: "admin_" + cmp.Or(current, "overview"), title: title, side: side, data: data}
}

// showAdmin is how the server is: what it depends on, and the nodes.
func showAdmin(v *visit) error {
	nodes, err := v.s.Instance.Nodes(v.r.Context())
	if err != nil {
		return err
	}
	return v.show(v.adminScreen("", "Administration", struct {
		Parts []Part
		Nodes []Node
	}{v.s.Instance.Health(v.r.Context()), nodes}))
}

// showTasks are the tasks in the background.
func showTasks(v *visit) error { return v.show(v.adminScreen("tasks", "Tasks", v.s.Instance.Tasks())) }

// showServerSettings are the settings as they are, and where each comes from.
func showServerSettings(v *visit) error {
	return v.show(v.adminScreen("settings", "Settings", v.s.Instance.Settings()))
}

// usersPage is the data of the page of users.
type usersPage struct {
	Users  []auth.User
	Pager  pager
	Search string
	Link   *signInLinkShown
	Self   int64
}

// signInLinkShown is a sign-in link to hand over, shown this once.
type signInLinkShown struct {
	For     string
	URL     string
	Expires time.Time
}

func showUsers(v *visit) error { return v.showUsers(nil) }

func (v *visit) showUsers(link *signInLinkShown) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	found, err := v.s.Auth.ListUsers(v.r.Context(), v.actor, auth.UserFilter{Search: v.query("search")}, page.Request{Number: p.Number, Size: p.Size, OrderBy: p.OrderBy})
	if err != nil {
		return err
	}
	sheet := v.adminScreen("users", "Users", usersPage{found.Rows, v.pagerOf(p, found.Total, "user", "users"), v.query("search"), link, v.actor.UserID})
	sheet.secret = link != nil
	return v.show(sheet)
}

// makeUser makes a user, and a link to hand over: there are no passwords.
func makeUser(v *visit) error {
	u, err := v.s.Auth.CreateUser(v.r.Context(), v.actor, auth.User{
		Username: v.sent("username"), Name: cmp.Or(v.sent("name"), v.sent("username")), Email: v.sent("email"),
		External: v.sent("external") != "", CanCreateGroup: v.sent("external") == "", ProjectsLimit: auth.DefaultProjectsLimit,
	})
	if err != nil {
		return v.again(showUsers, err)
	}
	v.form = &form{}
	return v.handOver(u)
}

// handOver makes a sign-in link for a user and shows it once.
func (v *visit) handOver(u auth.User) error {
	code, expires, err := v.s.Auth.MakeSignInLink(v.r.Context(), v.actor, u.ID)
	if err != nil {
		return err
	}
	return v.showUsers(&signInLinkShown{u.Username, v.s.Base(v.r) + "/-/sign_in/link#" + url.PathEscape(code), expires})
}

// linkUser makes a sign-in link for the user of the path.
func linkUser(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	u, err := v.s.Auth.User(v.r.Context(), v.actor, id)
	if err != nil {
		return err
	}
	v.form = &form{}
	return v.handOver(u)
}

// changeUser blocks the user of the path, makes an administrator of it, ends its sessions,
// or undoes that.
func changeUser(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	ctx, word := v.r.Context(), "saved"
	yes, no := true, false
	switch v.sent("do") {
	case "block":
		_, err = v.s.Auth.BlockUser(ctx, v.actor, id, true)
		word = "blocked"
	case "unblock":
		_, err = v.s.Auth.BlockUser(ctx, v.actor, id, false)
		word = "unblocked"
	case "administrator":
		_, err = v.s.Auth.EditUser(ctx, v.actor, id, auth.UserEdit{Admin: &yes})
	case "ordinary":
		_, err = v.s.Auth.EditUser(ctx, v.actor, id, auth.UserEdit{Admin: &no})
	case "end":
		err = v.s.Auth.EndSessions(ctx, v.actor, id)
		word = "sessions-ended"
	default:
		err = fault.New(fault.Invalid, "do must be block, unblock, administrator, ordinary or end")
	}
	if err != nil {
		return v.again(showUsers, err)
	}
	return v.see(v.s.at("admin", "users"), word)
}

// showFeatures are the feature flags and where each is set.
func showFeatures(v *visit) error {
	found, err := v.s.Projects.ListFeatures(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	return v.show(v.adminScreen("features", "Features", found))
}

// setFeature switches a flag for the instance or for one group or project.
func setFeature(v *visit) error {
	on := v.sent("value") == "on"
	change := projects.FeatureChange{Value: &on}
	if place := v.sent("project"); place != "" {
		change.Targets.Projects = []string{place}
	}
	if place := v.sent("group"); place != "" {
		change.Targets.Groups = []string{place}
	}
	if _, err := v.s.Projects.SetFeature(v.r.Context(), v.actor, v.values["name"], change); err != nil {
		return v.again(showFeatures, err)
	}
	return v.see(v.s.at("admin", "features"), map[bool]string{true: "on", false: "off"}[on])
}
