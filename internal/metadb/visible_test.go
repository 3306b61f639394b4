package metadb

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/page"
	"granary/internal/projects"
)

// The lists decide visibility in SQL, access.Check for one project or group. Over a
// generated population they agree, for every actor and filter.
func TestListsAgreeWithAccess(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := populate(t, rand.New(rand.NewPCG(seed, 1)))
			for _, a := range w.actors {
				for _, f := range []projects.ProjectFilter{
					{}, {Membership: true}, {Owned: true}, {MinRole: access.Reporter}, {MinRole: access.Maintainer},
				} {
					w.checkProjects(a, f)
				}
				for _, f := range []projects.GroupFilter{{}, {Owned: true}, {MinRole: access.Developer}} {
					w.checkGroups(a, f)
				}
			}
		})
	}
}

type world struct {
	t        *testing.T
	db       *DB
	actors   []access.Actor
	groups   []int64
	projects []int64
}

func populate(t *testing.T, r *rand.Rand) *world {
	w := &world{t: t, db: open(t)}
	root := newUser(t, w.db, "root", false)
	root.Admin = true
	w.actors = []access.Actor{{}, actorOf(root)}
	users := []int64{}
	namespaces := []int64{}
	for i := range 6 {
		u := newUser(t, w.db, fmt.Sprint("u", i), false)
		u.External = i%3 == 0 // on record once the projects of their own are there
		w.actors = append(w.actors, actorOf(u))
		users, namespaces = append(users, u.ID), append(namespaces, u.NamespaceID)
	}
	visibility := func() access.Visibility {
		return []access.Visibility{access.Private, access.Internal, access.Public}[r.IntN(3)]
	}
	for i := range 14 {
		var parent int64
		if len(w.groups) > 0 && r.IntN(3) > 0 {
			parent = w.groups[r.IntN(len(w.groups))]
		}
		g := newGroup(t, w.db, parent, fmt.Sprint("g", i), visibility(), root.ID)
		w.groups, namespaces = append(w.groups, g.ID), append(namespaces, g.ID)
	}
	for i := range 25 {
		p := newProject(t, w.db, namespaces[r.IntN(len(namespaces))], fmt.Sprint("p", i), visibility(), root.ID)
		w.projects = append(w.projects, p.ID)
	}
	_, err := write(t.Context(), w.db, func(tx tx) (struct{}, error) {
		return struct{}{}, tx.Exec(`UPDATE users SET external = 1 WHERE id IN ($1, $2)`, users[0], users[3])
	})
	must(t, 0, err)
	roles := []access.Role{access.Guest, access.Planner, access.Reporter, access.Developer, access.Maintainer, access.Owner}
	for range 30 {
		m := projects.Member{UserID: users[r.IntN(len(users))], Role: roles[r.IntN(len(roles))], CreatedAt: time.Now()}
		if r.IntN(4) == 0 {
			m.ExpiresAt = new(time.Now().Add(time.Duration(r.IntN(3)-1) * 24 * time.Hour))
		}
		at := projects.Place{GroupID: w.groups[r.IntN(len(w.groups))]}
		if r.IntN(2) == 0 {
			at = projects.Place{ProjectID: w.projects[r.IntN(len(w.projects))]}
		}
		_, _ = w.db.InsertMember(t.Context(), at, access.Actor{}, m, roomy(), yes) // some are members already
	}
	for _, gone := range []int64{w.groups[r.IntN(14)]} {
		must(t, 0, w.db.DeleteGroup(t.Context(), gone, time.Now(), audit.Event{}))
	}
	must(t, 0, w.db.DeleteProject(t.Context(), w.projects[r.IntN(25)], time.Now(), audit.Event{}))
	return w
}

func (w *world) checkProjects(a access.Actor, f projects.ProjectFilter) {
	w.t.Helper()
	f.Actor = a
	found, err := w.db.ListProjects(w.t.Context(), f, page.Request{Number: 1, Size: 100, OrderBy: "id"})
	must(w.t, found, err)
	var got, want []int64
	listed := map[int64]projects.Project{}
	for _, p := range found.Rows {
		got, listed[p.ID] = append(got, p.ID), p
	}
	for _, n := range w.projects {
		p, err := w.db.FindProject(w.t.Context(), fmt.Sprint(n), a)
		if err != nil {
			continue // deleted
		}
		role := p.Standing.Role
		keep := access.Rules{}.Check(a, p.Standing, access.ReadProject) == access.Allowed
		keep = keep && (!f.Membership || role >= access.Guest) && (!f.Owned || role >= access.Owner) && (role >= f.MinRole || a.Admin)
		if keep {
			want = append(want, n)
		}
		if row, ok := listed[n]; ok && !reflect.DeepEqual(row, p) {
			w.t.Errorf("%+v: the list has %+v, by itself it is %+v", a, row, p)
		}
	}
	if !slices.Equal(got, want) || found.Total != len(want) {
		w.t.Errorf("%+v, owned %v, membership %v, role %d: the list has projects %v, access.Check says %v", a, f.Owned, f.Membership, f.MinRole, got, want)
	}
}

func (w *world) checkGroups(a access.Actor, f projects.GroupFilter) {
	w.t.Helper()
	f.Actor = a
	found, err := w.db.ListGroups(w.t.Context(), f, page.Request{Number: 1, Size: 100, OrderBy: "id"})
	must(w.t, found, err)
	var got, want []int64
	listed := map[int64]projects.Group{}
	for _, g := range found.Rows {
		got, listed[g.ID] = append(got, g.ID), g
	}
	for _, n := range w.groups {
		g, err := w.db.FindGroup(w.t.Context(), fmt.Sprint(n), a)
		if err != nil {
			continue // deleted
		}
		role := g.Standing.Role
		keep := access.Rules{}.Check(a, g.Standing, access.ReadGroup) == access.Allowed
		if keep && (!f.Owned || role >= access.Owner) && (role >= f.MinRole || a.Admin) {
			want = append(want, n)
		}
		if row, ok := listed[n]; ok && !reflect.DeepEqual(row, g) {
			w.t.Errorf("%+v: the list has %+v, by itself it is %+v", a, row, g)
		}
	}
	if !slices.Equal(got, want) || found.Total != len(want) {
		w.t.Errorf("%+v, owned %v, role %d: the list has groups %v, access.Check says %v", a, f.Owned, f.MinRole, got, want)
	}
}
