package ui

import (
	"cmp"
	"slices"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/webhooks"
)

// homePage is the data of the dashboard.
type homePage struct {
	Host    string
	Counts  string
	Notes   []note
	Lately  []recentRow
	ByJobs  bool // some of them were published by a pipeline
	Mine    []treeRow
	All     string
	New     string // "" unless the actor may make a project
	Explore string
}

// note is something that needs attention.
type note struct {
	Bad       bool
	Text      string
	URL, Word string
}

// recentRow is a version that was published lately.
type recentRow struct {
	Name, Version, URL string
	Project            string
	By                 string
	At                 time.Time
}

// Dashboard bounds.
const (
	ownOnHome     = 10
	recentOnHome  = 10
	tokenWarning  = 14 * 24 * time.Hour
	mostTokenRows = 100
)

// showHome is the dashboard: what needs attention, what was published lately, and one's
// own projects.
func showHome(v *visit) error {
	if v.actor.Kind == access.Anonymous {
		return v.welcome()
	}
	ctx := v.r.Context()
	mine, err := v.s.Projects.ListProjects(ctx, v.actor, projects.ProjectFilter{Membership: true}, page.Request{
		Number: 1, Size: ownOnHome + 1, OrderBy: "last_activity_at", Desc: true, NoTotal: true, // one more tells that there are more
	})
	if err != nil {
		return err
	}
	d := homePage{
		Host: v.r.Host, All: v.s.at("projects"), Explore: v.s.at("explore"), Counts: countUpTo(len(mine.Rows), ownOnHome, "project of yours", "projects of yours"),
		New: v.s.at("projects", "new"),
	}
	if v.actor.External || !v.canOwn(access.CreateProject) {
		d.New = ""
	}
	if d.Notes, err = v.attention(); err != nil {
		return err
	}
	for _, p := range mine.Rows[:min(len(mine.Rows), ownOnHome)] {
		d.Mine = append(d.Mine, v.projectRow(p))
	}
	if d.Lately, err = v.lately(); err != nil {
		return err
	}
	d.ByJobs = slices.ContainsFunc(d.Lately, func(row recentRow) bool { return row.By != "" })
	return v.show(screen{name: "home", title: "Home", data: d})
}

// welcome leads those who are not signed in to what is public, or to the door.
func (v *visit) welcome() error {
	found, err := v.s.Projects.ListProjects(v.r.Context(), v.actor, projects.ProjectFilter{}, page.Request{Number: 1, Size: 1, NoTotal: true})
	if err != nil {
		return err
	}
	if len(found.Rows) > 0 {
		return v.see(v.s.at("explore"), "")
	}
	return v.see(v.s.at("sign_in"), "")
}

// attention is what the actor should look at: tokens that end soon, and for
// administrators what fails.
func (v *visit) attention() (notes []note, err error) {
	active := true
	tokens, err := v.s.Auth.ListPersonalTokens(v.r.Context(), v.actor, auth.TokenFilter{
		UserID: v.actor.UserID, Active: &active, ExpiresBefore: v.began.Add(tokenWarning),
	}, page.Request{Number: 1, Size: mostTokenRows, NoTotal: true})
	if err != nil {
		return nil, err
	}
	for _, t := range tokens.Rows {
		notes = append(notes, note{Text: "The token " + t.Name + " expires " + ago(*t.ExpiresAt, v.began) + ", on " + t.ExpiresAt.UTC().Format("2 January") + ".", URL: v.s.at("user", "tokens"), Word: "Renew it"})
	}
	hooks, err := v.s.Hooks.Failing(v.r.Context(), v.actor)
	if err != nil {
		return nil, err
	}
	for _, h := range hooks {
		notes = append(notes, v.hookNote(h))
	}
	if !v.actor.Admin || v.s.Instance == nil {
		return notes, nil
	}
	for _, t := range v.s.Instance.Tasks() {
		if t.Failure != "" {
			notes = append(notes, note{Bad: true, Text: "The task " + t.Name + " failed: " + t.Failure, URL: v.s.at("admin", "tasks"), Word: "See tasks"})
		}
	}
	for _, p := range v.s.Instance.Health(v.r.Context()) {
		if !p.Healthy {
			notes = append(notes, note{Bad: true, Text: sentence(p.Name + ": " + p.Text), URL: v.s.at("admin"), Word: "See health"})
		}
	}
	return notes, nil
}

// hookNote is a note of a webhook that is off or rests.
func (v *visit) hookNote(h webhooks.FailingHook) note {
	n := note{
		URL: v.s.in(h.ProjectPath, "hooks", number(h.ID)), Word: "See attempts",
		Text: "The webhook " + cmp.Or(h.Name, "#"+number(h.ID)) + " of " + h.ProjectPath + " failed " + plural(int64(h.Failures), "time", "times") + " in a row",
	}
	switch {
	case h.Dead():
		n.Bad, n.Text = true, n.Text+" and is switched off."
	case h.Resting(v.began):
		n.Text += " and rests until " + exact(*h.Disabled) + "."
	default:
		n.Text += "."
	}
	return n
}

// lately is what was published last in the actor's projects.
func (v *visit) lately() (rows []recentRow, err error) {
	found, err := v.s.Registry.Lately(v.r.Context(), v.actor, recentOnHome)
	if err != nil {
		return nil, err
	}
	for _, k := range found {
		row := recentRow{
			Name: string(k.Name), Version: string(k.Version), Project: k.ProjectPath, At: k.CreatedAt,
			URL: v.s.in(k.ProjectPath, "packages", "generic", string(k.Name), string(k.Version)),
		}
		if k.Pipeline != nil {
			row.By = "pipeline #" + number(k.Pipeline.ID)
		}
		rows = append(rows, row)
	}
	return rows, nil
}
