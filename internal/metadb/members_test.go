package metadb

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/sqldb"
	"granary/internal/trail"
)

// meanwhile is records of members that run another change between a deed's check and
// its transaction.
type meanwhile struct {
	projects.Records
	first func()
}

func (m *meanwhile) pass() {
	if first := m.first; first != nil {
		m.first = nil
		first()
	}
}

func (m *meanwhile) InsertMember(ctx context.Context, at projects.Place, a access.Actor, member projects.Member, most fault.Limit, decide projects.Decide) (projects.Member, error) {
	m.pass()
	return m.Records.InsertMember(ctx, at, a, member, most, decide)
}

func (m *meanwhile) UpdateMember(ctx context.Context, at projects.Place, a access.Actor, userID int64, edit func(access.Resource, *projects.Member) (audit.Event, error)) (projects.Member, error) {
	m.pass()
	return m.Records.UpdateMember(ctx, at, a, userID, edit)
}

func (m *meanwhile) DeleteMember(ctx context.Context, at projects.Place, a access.Actor, userID int64, decide projects.Decide) error {
	m.pass()
	return m.Records.DeleteMember(ctx, at, a, userID, decide)
}

// crew is a group with a project, members of both, and the deeds.
type crew struct {
	t       *testing.T
	db      *DB
	deeds   *projects.Service
	passing *meanwhile
	users   map[string]auth.User
	group   projects.Place
	project projects.Place
}

func newCrew(t *testing.T, db *DB, names ...string) *crew {
	t.Helper()
	c := &crew{t: t, db: db, passing: &meanwhile{Records: db}, users: map[string]auth.User{}}
	c.deeds = &projects.Service{Records: c.passing, Now: time.Now}
	for _, name := range append([]string{"root"}, names...) {
		c.users[name] = newUser(t, db, name, false)
	}
	root := c.users["root"].ID
	c.group.GroupID = newGroup(t, db, 0, "acme", access.Private, root).ID
	c.project.ProjectID = newProject(t, db, c.group.GroupID, "tool", access.Private, root).ID
	return c
}

func (c *crew) actor(name string) access.Actor { return actorOf(c.users[name]) }

// set sets a user's membership, whatever it was; NoRole removes it.
func (c *crew) set(at projects.Place, name string, role access.Role) {
	c.t.Helper()
	id := c.users[name].ID
	switch _, err := c.db.UpdateMember(c.t.Context(), at, access.Actor{}, id, toRole(role)); {
	case role == access.NoRole:
		must(c.t, 0, c.db.DeleteMember(c.t.Context(), at, access.Actor{}, id, yes))
	case fault.Is(err, fault.NotFound):
		newMember(c.t, c.db, at, id, role)
	default:
		must(c.t, 0, err)
	}
}

// role is a user's own membership.
func (c *crew) role(at projects.Place, name string) access.Role {
	c.t.Helper()
	m, err := write(c.t.Context(), c.db, func(t tx) (projects.Member, error) {
		return t.candidate(c.t.Context(), at, c.users[name].ID, "")
	})
	return must(c.t, m, err).Role
}

const (
	inGroup   = "acme"
	inProject = "acme/tool"
)

func (c *crew) add(who, name string, role access.Role) error {
	_, err := c.deeds.ProjectMembers().Add(c.t.Context(), c.actor(who), inProject, projects.Member{UserID: c.users[name].ID, Role: role})
	return err
}

func (c *crew) change(who, name string, role access.Role) error {
	_, err := c.deeds.ProjectMembers().Change(c.t.Context(), c.actor(who), inProject, c.users[name].ID, role, projects.Setting[time.Time]{})
	return err
}

func (c *crew) remove(who, name string) error {
	return c.deeds.ProjectMembers().Remove(c.t.Context(), c.actor(who), inProject, c.users[name].ID)
}

func (c *crew) leave(who string) error {
	return c.deeds.GroupMembers().Remove(c.t.Context(), c.actor(who), inGroup, c.users[who].ID)
}

// A change of members is judged by the standing and the membership at the time of its
// transaction, even if both were different when the deed began.
func TestMembersAreJudgedUnderTheRow(t *testing.T) {
	const none, dev, maint, owner = access.NoRole, access.Developer, access.Maintainer, access.Owner
	for _, tc := range []struct {
		name      string
		caller    access.Role // of max in the project
		member    access.Role // of ada
		meanwhile func(c *crew)
		deed      func(c *crew) error
		want      fault.Kind
		left      access.Role // of ada
	}{
		{"a maintainer lowers who became owner", maint, dev, func(c *crew) { c.set(c.project, "ada", owner) },
			func(c *crew) error { return c.change("max", "ada", access.Guest) }, fault.Denied, owner},
		{"a maintainer removes who became owner", maint, dev, func(c *crew) { c.set(c.project, "ada", owner) },
			func(c *crew) error { return c.remove("max", "ada") }, fault.Denied, owner},
		{"a maintainer who is one no more changes a role", maint, access.Guest, func(c *crew) { c.set(c.project, "max", dev) },
			func(c *crew) error { return c.change("max", "ada", maint) }, fault.Denied, access.Guest},
		{"a maintainer who is one no more adds somebody", maint, none, func(c *crew) { c.set(c.project, "max", dev) },
			func(c *crew) error { return c.add("max", "ada", maint) }, fault.Denied, none},
		{"a maintainer who is one no more removes somebody", maint, dev, func(c *crew) { c.set(c.project, "max", dev) },
			func(c *crew) error { return c.remove("max", "ada") }, fault.Denied, dev},
		{"an owner who is one no more makes an owner", owner, dev, func(c *crew) { c.set(c.project, "max", maint) },
			func(c *crew) error { return c.change("max", "ada", owner) }, fault.Denied, dev},
		{"an owner who is one no more adds an owner", owner, none, func(c *crew) { c.set(c.project, "max", maint) },
			func(c *crew) error { return c.add("max", "ada", owner) }, fault.Denied, none},
		{"an owner who is one no more removes an owner", owner, owner, func(c *crew) { c.set(c.project, "max", maint) },
			func(c *crew) error { return c.remove("max", "ada") }, fault.Denied, owner},
		{"who is no member any more", maint, dev, func(c *crew) { c.set(c.project, "max", none) },
			func(c *crew) error { return c.change("max", "ada", access.Guest) }, fault.Hidden, dev},
		{"the member is none any more", maint, dev, func(c *crew) { c.set(c.project, "ada", none) },
			func(c *crew) error { return c.change("max", "ada", access.Guest) }, fault.NotFound, none},
		{"the member is one by now", maint, none, func(c *crew) { c.set(c.project, "ada", dev) },
			func(c *crew) error { return c.add("max", "ada", access.Guest) }, fault.Conflict, dev},
		{"the project is gone", maint, none, func(c *crew) {
			must(c.t, 0, c.db.DeleteProject(c.t.Context(), c.project.ProjectID, time.Now(), audit.Event{}))
		}, func(c *crew) error { return c.add("max", "ada", access.Guest) }, fault.Hidden, none},
		{"who was lowered leaves all the same", owner, owner, func(c *crew) { c.set(c.project, "ada", access.Guest) },
			func(c *crew) error { return c.remove("ada", "ada") }, fault.Internal, none},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, db *DB) {
				c := newCrew(t, db, "max", "ada")
				c.set(c.project, "max", tc.caller)
				if tc.member != none {
					c.set(c.project, "ada", tc.member)
				}
				c.passing.first = func() { tc.meanwhile(c) }
				err := tc.deed(c)
				if c.passing.first != nil {
					t.Fatal("the deed was refused before it came to the records")
				}
				if fault.KindOf(err) != tc.want || err == nil && tc.want != fault.Internal {
					t.Errorf("%v, want kind %d", err, tc.want)
				}
				if got := c.role(c.project, "ada"); got != tc.left {
					t.Errorf("ada is %v, want %v", got, tc.left)
				}
			})
		})
	}
}

// The records keep the last owner of a top-level group, with a Conflict; the deed
// turns that into GitLab's words.
func TestLastOwnerStays(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		c := newCrew(t, db, "ada", "max")
		ctx := t.Context()
		id := func(name string) int64 { return c.users[name].ID }
		c.set(c.group, "ada", access.Owner)
		c.set(c.group, "root", access.NoRole)
		until := time.Now().Add(30 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
		ends := func(end *time.Time) func(access.Resource, *projects.Member) (audit.Event, error) {
			return func(_ access.Resource, m *projects.Member) (audit.Event, error) {
				m.ExpiresAt = end
				return audit.Event{}, nil
			}
		}
		stays := func(why string) {
			t.Helper()
			_, lowered := db.UpdateMember(ctx, c.group, access.Actor{}, id("ada"), toRole(access.Maintainer))
			_, ended := db.UpdateMember(ctx, c.group, access.Actor{}, id("ada"), ends(&until))
			for what, err := range map[string]error{"lowered": lowered, "given an end": ended, "removed": db.DeleteMember(ctx, c.group, access.Actor{}, id("ada"), yes)} {
				if !fault.Is(err, fault.Conflict) {
					t.Errorf("%s: the last owner was %s: %v", why, what, err)
				}
			}
			if err := c.leave("ada"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "a group keeps its last owner") {
				t.Errorf("%s: the last owner left: %v", why, err)
			}
			if got := c.role(c.group, "ada"); got != access.Owner {
				t.Errorf("%s: ada is %v", why, got)
			}
		}
		stays("alone")
		c.set(c.group, "max", access.Owner)
		_, err := db.SetBlocked(ctx, id("max"), true, audit.Event{})
		must(t, 0, err)
		stays("the other one is blocked")
		_, err = db.SetBlocked(ctx, id("max"), false, audit.Event{})
		must(t, 0, err)
		_, err = db.UpdateMember(ctx, c.group, access.Actor{}, id("max"), ends(&until))
		must(t, 0, err)
		stays("the other one will go")
		newBot(t, db, c.group, access.Owner)
		stays("the other one is a bot")
		_, err = db.UpdateMember(ctx, c.group, access.Actor{}, id("max"), ends(nil))
		must(t, 0, err)
		must(t, 0, c.leave("ada"))
	})
}

// If all owners of a group leave at the same time, one stays.
func TestOwnersLeaveAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		names := []string{"u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7"}
		c := newCrew(t, db, names...)
		for _, name := range names {
			c.set(c.group, name, access.Owner)
		}
		c.set(c.group, "root", access.NoRole)
		var all sync.WaitGroup
		left := make([]error, len(names))
		for i, name := range names {
			all.Go(func() { left[i] = c.leave(name) })
		}
		all.Wait()
		stayed := 0
		for i, err := range left {
			if err != nil {
				stayed++
			}
			if (err != nil) != (c.role(c.group, names[i]) == access.Owner) || err != nil && !fault.Is(err, fault.Denied) {
				t.Errorf("%s: %v", names[i], err)
			}
		}
		if stayed != 1 {
			t.Errorf("%d owners stayed, want 1", stayed)
		}
	})
}

// On PostgreSQL the second of two owners who leave waits for the first one's commit,
// and is then the last.
func TestSecondOwnerWaits(t *testing.T) {
	var hold func()
	db := openPostgres(t, sqldb.Options{CrashPoint: func(point string) {
		if point == "before-commit" && hold != nil {
			first := hold
			hold = nil
			first()
		}
	}})
	c := newCrew(t, db, "ada")
	c.set(c.group, "ada", access.Owner)
	second := make(chan error, 1)
	hold = func() {
		go func() { second <- c.leave("ada") }()
		waiting(t, db)
	}
	must(t, 0, c.leave("root"))
	if err := <-second; !fault.Is(err, fault.Denied) {
		t.Errorf("the last owner left: %v", err)
	}
	if got := c.role(c.group, "ada"); got != access.Owner {
		t.Errorf("ada is %v", got)
	}
}

// Under many parallel changes no maintainer changes an owner, and the group always has
// an owner that keeps it. The events show this: they are recorded with the changes and
// in their order.
func TestMembersUnderStress(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		c := newCrew(t, db, "max", "ada", "eve")
		for _, at := range []projects.Place{c.group, c.project} {
			c.set(at, "ada", access.Owner)
			c.set(at, "eve", access.Owner)
		}
		c.set(c.group, "root", access.NoRole)
		c.set(c.project, "max", access.Maintainer)
		began := time.Now()
		const rounds = 25
		var all sync.WaitGroup
		run := func(deed func(n int)) {
			all.Go(func() {
				for n := range rounds {
					deed(n)
				}
			})
		}
		roles := []access.Role{access.Owner, access.Developer}
		end := time.Now().Add(30 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
		ends := []*time.Time{&end, nil}
		touched := make(chan error, 8*rounds)
		run(func(n int) { touched <- c.change("eve", "ada", roles[n%2]) })
		run(func(int) { touched <- c.change("max", "ada", access.Reporter) })
		run(func(int) {
			touched <- c.remove("max", "ada")
			touched <- c.add("eve", "ada", access.Owner)
		})
		for _, name := range []string{"ada", "eve"} { // each lowers, ends and raises both of them
			for _, other := range []string{"ada", "eve"} {
				run(func(n int) {
					_, err := c.deeds.GroupMembers().Change(t.Context(), c.actor(name), inGroup, c.users[other].ID, roles[n/2%2], projects.Setting[time.Time]{Given: true, Value: ends[n%2]})
					touched <- err
				})
			}
		}
		all.Wait()
		close(touched)
		done := 0
		for err := range touched {
			switch fault.KindOf(err) {
			case fault.Denied, fault.NotFound, fault.Conflict, fault.Hidden:
			default:
				must(t, 0, err)
				done++
			}
		}
		checkStressed(t, c, began, done)
	})
}

// checkStressed checks the events of the stress, oldest first.
func checkStressed(t *testing.T, c *crew, began time.Time, done int) {
	t.Helper()
	keeps := map[string]bool{"ada": true, "eve": true}
	found, err := c.db.ListEvents(t.Context(), trail.Filter{After: began}, page.Request{Number: 1, Size: 1000})
	told := must(t, found, err).Rows
	for i := len(told) - 1; i >= 0; i-- {
		e := told[i]
		if e.Author.UserID == c.users["max"].ID && strings.HasPrefix(e.Change.From, "Owner") {
			t.Errorf("a maintainer made an owner %q: %+v", e.Change.To, e)
		}
		if e.Entity.Type == audit.Group {
			keeps[e.Target.Details] = e.Change.To == "Owner"
			if !keeps["ada"] && !keeps["eve"] {
				t.Errorf("nobody keeps the group after %+v", e)
			}
		}
	}
	if len(told) == 0 || done < len(told) {
		t.Errorf("%d events of %d changes", len(told), done)
	}
	t.Logf("%d changes, %d events", done, len(told))
}

// passingBots is meanwhile for bots and their tokens.
type passingBots struct {
	auth.Records
	first func()
}

func (p *passingBots) InsertBotToken(ctx context.Context, a access.Actor, b auth.Bot, t auth.PersonalToken, d auth.SecretDigest, most fault.Limit, check auth.CheckStanding) (auth.PersonalToken, error) {
	p.first()
	return p.Records.InsertBotToken(ctx, a, b, t, d, most, check)
}

func (p *passingBots) RotateBotToken(ctx context.Context, a access.Actor, b auth.Bot, id int64, successor auth.PersonalToken, d auth.SecretDigest, most fault.Limit, check auth.CheckStanding) (auth.PersonalToken, error) {
	p.first()
	return p.Records.RotateBotToken(ctx, a, b, id, successor, d, most, check)
}

// A member whose role is lowered meanwhile gets no token with the old role: neither a
// new one, nor by rotation, which leaves the token unchanged.
func TestBotTokensAreJudgedUnderTheRow(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		c := newCrew(t, db, "max")
		bots := &passingBots{Records: db}
		tokens := (&auth.Service{Records: bots, Places: c.deeds, Now: time.Now}).ProjectTokens()
		made := auth.PersonalToken{Name: "ci", Scopes: []access.Scope{access.ScopeAPI}, Role: access.Maintainer}
		c.set(c.project, "max", access.Maintainer)
		bots.first = func() {}
		first, _, err := tokens.Create(ctx, c.actor("max"), inProject, made)
		must(t, first, err)

		bots.first = func() { c.set(c.project, "max", access.Developer) }
		users, kept := rowsOf(t, db, "users"), rowsOf(t, db, "personal_access_tokens")
		if _, secret, err := tokens.Create(ctx, c.actor("max"), inProject, made); !fault.Is(err, fault.Denied) {
			t.Errorf("a developer made a token %q: %v", secret, err)
		}
		c.set(c.project, "max", access.Maintainer)
		if _, secret, err := tokens.Rotate(ctx, c.actor("max"), inProject, first.ID, nil); !fault.Is(err, fault.Denied) {
			t.Errorf("a developer rotated a token to %q: %v", secret, err)
		}
		if rowsOf(t, db, "users") != users || rowsOf(t, db, "personal_access_tokens") != kept {
			t.Error("a refused token left something behind")
		}
		found, err := db.FindPersonalToken(ctx, first.ID)
		if must(t, found, err).Revoked {
			t.Error("the token was revoked")
		}
		c.set(c.project, "max", access.Maintainer)
		bots.first = func() {}
		next, _, err := tokens.Rotate(ctx, c.actor("max"), inProject, first.ID, nil)
		if must(t, next, err).Role != access.Maintainer {
			t.Errorf("rotated to %+v", next)
		}
	})
}
