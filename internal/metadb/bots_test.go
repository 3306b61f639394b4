package metadb

import (
	"database/sql"
	"fmt"
	"go/token"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/trail"
)

// newBot makes a bot of a place with a role, and returns its user's id.
func newBot(t *testing.T, db *DB, at projects.Place, role access.Role) int64 {
	t.Helper()
	name := fmt.Sprintf("bot_%d_%d", at.ProjectID, at.GroupID)
	made, err := db.InsertBotToken(t.Context(), access.Actor{}, auth.Bot{ProjectID: at.ProjectID, GroupID: at.GroupID, Username: name, Email: name + "@example.com"},
		auth.PersonalToken{Name: name, Scopes: []access.Scope{access.ScopeAPI}, Role: role, CreatedAt: time.Now()}, auth.DigestOf(name), roomy(),
		func(access.Resource) (audit.Event, error) { return audit.Event{}, nil })
	return must(t, made, err).UserID
}

// stray gives a user a role without any check, as older servers did with bots.
func stray(t *testing.T, db *DB, at projects.Place, userID int64, role access.Role, expires *time.Time) {
	t.Helper()
	_, err := writePermission(t.Context(), db, func(t tx) (int, error) {
		return 0, t.addMember(at, projects.Member{UserID: userID, Role: role, CreatedAt: time.Now(), ExpiresAt: expires})
	})
	must(t, 0, err)
}

// botWorld is a group with a subgroup and a project in each, another group with a
// project, and a bot of each of the first three, a Developer.
type botWorld struct {
	db              *DB
	group, sub      int64
	other           int64
	tool, part, far int64 // projects in group, sub and other
	groups, tools   access.Actor
	all             []access.Actor
}

func newBotWorld(t *testing.T, db *DB) botWorld {
	t.Helper()
	root := newUser(t, db, "root", false)
	w := botWorld{db: db}
	w.group = newGroup(t, db, 0, "acme", access.Private, root.ID).ID
	w.sub = newGroup(t, db, w.group, "sub", access.Private, root.ID).ID
	w.other = newGroup(t, db, 0, "other", access.Private, root.ID).ID
	w.tool = newProject(t, db, w.group, "tool", access.Private, root.ID).ID
	w.part = newProject(t, db, w.sub, "part", access.Private, root.ID).ID
	w.far = newProject(t, db, w.other, "far", access.Private, root.ID).ID
	bot := func(at projects.Place) access.Actor {
		return access.Actor{Kind: access.User, UserID: newBot(t, db, at, access.Developer), Bot: true, Scopes: []access.Scope{access.ScopeAPI}}
	}
	w.groups, w.tools = bot(projects.Place{GroupID: w.group}), bot(projects.Place{ProjectID: w.tool})
	w.all = []access.Actor{w.groups, w.tools}
	return w
}

// roles is the actor's role everywhere, from each query that computes roles.
func (w botWorld) roles(t *testing.T, a access.Actor) string {
	t.Helper()
	ctx, one := t.Context(), page.Request{Number: 1, Size: 100}
	var said []string
	say := func(format string, values ...any) { said = append(said, fmt.Sprintf(format, values...)) }
	for _, id := range []int64{w.group, w.sub, w.other} {
		g, err := w.db.FindGroup(ctx, fmt.Sprint(id), a)
		say("%s %v", g.FullPath, must(t, g, err).Standing.Role)
		places, err := w.db.GroupPackageProjects(ctx, id, true, a)
		for _, p := range must(t, places, err) {
			say("shelf %s %v", p.FullPath, p.Standing.Role)
		}
		for _, inherited := range []bool{false, true} {
			found, err := w.db.ListMembers(ctx, projects.MemberFilter{Place: projects.Place{GroupID: id}, UserID: a.UserID, Inherited: inherited}, one)
			for _, m := range must(t, found, err).Rows {
				say("listed in %s %v, bot %v, home %v, inherited %v", g.FullPath, m.Role, m.Bot, m.Home, inherited)
			}
		}
	}
	for _, id := range []int64{w.tool, w.part, w.far} {
		p, err := w.db.FindProject(ctx, fmt.Sprint(id), a)
		say("%s %v", p.FullPath, must(t, p, err).Standing.Role)
		place, err := w.db.FindPackageProject(ctx, fmt.Sprint(id), a)
		say("place %s %v", place.FullPath, must(t, place, err).Standing.Role)
		for _, inherited := range []bool{false, true} {
			found, err := w.db.ListMembers(ctx, projects.MemberFilter{Place: projects.Place{ProjectID: id}, UserID: a.UserID, Inherited: inherited}, one)
			for _, m := range must(t, found, err).Rows {
				say("listed in %s %v, inherited %v", p.FullPath, m.Role, inherited)
			}
		}
	}
	for _, least := range []access.Role{access.Guest, access.Maintainer} {
		groups, err := w.db.ListGroups(ctx, projects.GroupFilter{Actor: a, MinRole: least}, one)
		for _, g := range must(t, groups, err).Rows {
			say("member %v of %s", least, g.FullPath)
		}
		found, err := w.db.ListProjects(ctx, projects.ProjectFilter{Actor: a, Membership: true, MinRole: least}, one)
		for _, p := range must(t, found, err).Rows {
			say("member %v of %s", least, p.FullPath)
		}
	}
	return strings.Join(said, "\n")
}

// A bot counts only in its place, and if that is a group, below it. A membership
// elsewhere changes no query's answer, even if its row exists.
func TestBotsCountAtHome(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		w := newBotWorld(t, db)
		before := map[int64]string{}
		for _, a := range w.all {
			before[a.UserID] = w.roles(t, a)
		}
		for _, want := range []string{"acme Developer", "place acme/sub/part Developer", "shelf acme/sub/part Developer", "other/far None",
			"listed in acme Developer, bot true, home true, inherited false", "listed in acme/sub/part Developer, inherited true"} {
			if !strings.Contains(before[w.groups.UserID], want) {
				t.Errorf("a group's bot: no %q in\n%s", want, before[w.groups.UserID])
			}
		}
		for _, want := range []string{"acme Minimal Access", "acme/tool Developer", "acme/sub None", "listed in acme/tool Developer, inherited true"} {
			if !strings.Contains(before[w.tools.UserID], want) {
				t.Errorf("a project's bot: no %q in\n%s", want, before[w.tools.UserID])
			}
		}
		for _, a := range w.all {
			for _, at := range []projects.Place{{GroupID: w.group}, {GroupID: w.sub}, {GroupID: w.other}, {ProjectID: w.tool}, {ProjectID: w.part}, {ProjectID: w.far}} {
				if a.UserID == w.groups.UserID && at.GroupID == w.group || a.UserID == w.tools.UserID && at.ProjectID == w.tool {
					continue
				}
				stray(t, db, at, a.UserID, access.Owner, nil)
			}
			if diff := cmp.Diff(before[a.UserID], w.roles(t, a)); diff != "" {
				t.Errorf("an owner elsewhere, -before +after:\n%s", diff)
			}
		}
	})
}

// The migration that ends memberships of bots elsewhere leaves all other memberships.
// It records an event for each that it ends, even if other events have the same time.
func TestStepEndsStrayBots(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		w := newBotWorld(t, db)
		ada := newUser(t, db, "ada", false)
		newMember(t, db, projects.Place{ProjectID: w.far}, ada.ID, access.Owner)
		until := time.Date(2031, 2, 3, 0, 0, 0, 0, time.UTC)
		kept := rowsOf(t, db, "members")
		stray(t, db, projects.Place{GroupID: w.other}, w.groups.UserID, access.Owner, nil)
		stray(t, db, projects.Place{ProjectID: w.part}, w.groups.UserID, access.Maintainer, &until)
		stray(t, db, projects.Place{ProjectID: w.far}, w.tools.UserID, access.Planner, nil)
		ahead := time.Now().Add(time.Hour) // another node's clock
		keepEvents(t, db, audit.Event{Name: "ahead", At: ahead, Entity: audit.WholeInstance()})

		applyAgain(t, db, 11)

		if n := rowsOf(t, db, "members"); n != kept {
			t.Errorf("%d memberships, want %d", n, kept)
		}
		var got []string
		last := int64(0)
		for _, e := range events(t, db, trail.Filter{}) {
			if e.Name != audit.MemberDestroyed {
				continue
			}
			if e.ID == last || e.At.Before(ahead) || e.At.After(ahead.Add(time.Second)) {
				t.Errorf("the event of %v has the id %d", e.At, e.ID)
			}
			last = e.ID
			got = append(got, fmt.Sprintf("%s %d %s: %s %d %s, %s from %q to %q by %+v", e.Entity.Type, e.Entity.ID, e.Entity.Path,
				e.Target.Type, e.Target.ID, e.Target.Details, e.Change.What, e.Change.From, e.Change.To, e.Author))
		}
		want := []string{ // newest first
			fmt.Sprintf("Project %d other/far: User %d bot_%d_0, access_level from \"Planner\" to \"\" by %+v", w.far, w.tools.UserID, w.tool, audit.Author{}),
			fmt.Sprintf("Project %d acme/sub/part: User %d bot_0_%d, access_level from \"Maintainer until 2031-02-03\" to \"\" by %+v", w.part, w.groups.UserID, w.group, audit.Author{}),
			fmt.Sprintf("Group %d other: User %d bot_0_%d, access_level from \"Owner\" to \"\" by %+v", w.other, w.groups.UserID, w.group, audit.Author{}),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events, -want +got:\n%s", diff)
		}
	})
}

// applyAgain applies a migration that changes only rows.
func applyAgain(t *testing.T, db *DB, number int64) {
	t.Helper()
	conns := db.Writes
	if !db.Shared() { // the writer has the only connection
		var path string
		must(t, 0, db.Row(t.Context(), `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path))
		apart, err := sql.Open("sqlite", path)
		conns = must(t, apart, err)
		defer conns.Close()
	}
	_, err := conns.ExecContext(t.Context(), fmt.Sprint(`DELETE FROM goose_db_version WHERE version_id = `, number))
	must(t, 0, err)
	steps, err := fs.Sub(files(), folder(db))
	must(t, steps, err)
	kind := goose.DialectSQLite3
	if db.Shared() {
		kind = goose.DialectPostgres
	}
	p, err := goose.NewProvider(kind, conns, steps)
	must(t, p, err)
	_, err = p.ApplyVersion(t.Context(), number, true)
	must(t, 0, err)
}

// A query for roles selects those that count: its text contains counted, or is listed
// here with the reason.
func TestRolesAreCounted(t *testing.T) {
	asks := regexp.MustCompile(`\b(FROM|JOIN) members\b`)
	apart := map[string]string{
		"LEFT JOIN members m ON m.user_id = b.user_id AND (m.project_id": "a bot's own place",
		"NOT EXISTS (SELECT 1 FROM members o":                            "leaves bots out in the text that follows",
		"m.user_id <> $2 AND m.access_level = $3":                        "leaves bots out",
		"m.access_level = 50 AND n.id = m.namespace_id":                  "counts rows for a limit",
		"IN (SELECT m.id FROM members m WHERE ":                          "one membership, to be changed",
		"SELECT m.project_id, m.access_level FROM members m":             "goes on with living, which counts",
		"UNION SELECT p.namespace_id FROM members m JOIN projects p":     "goes on with living, which counts",
		"SELECT r.path FROM members m JOIN namespaces n":                 "of a person, and leaves bots out of the others",
	}
	found := 0
	eachText(t, func(at token.Position, text string) {
		if !asks.MatchString(text) || strings.HasPrefix(text, "DELETE FROM members WHERE") {
			return
		}
		found++
		for words := range apart {
			if strings.Contains(text, words) {
				return
			}
		}
		if len(asks.FindAllString(text, -1)) != 1 || !strings.HasSuffix(strings.TrimSpace(text), " AND") {
			t.Errorf("%s asks for roles that may not count: %s", at, text)
		}
	})
	if found < 8 {
		t.Errorf("only %d texts were found", found)
	}
}
