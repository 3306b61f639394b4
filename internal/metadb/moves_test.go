package metadb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// movers is the deeds of projects over a database.
func movers(db *DB) *projects.Service {
	return &projects.Service{Records: db, Now: time.Now}
}

// TestCrossingTransfersMakeNoCircle: of two groups that are moved into each other at
// the same time, only one moves.
func TestCrossingTransfersMakeNoCircle(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		deeds, a := movers(db), actorOf(root)
		for i := range 10 {
			one := newGroup(t, db, 0, fmt.Sprint("one", i), access.Private, root.ID)
			other := newGroup(t, db, 0, fmt.Sprint("other", i), access.Private, root.ID)
			newProject(t, db, one.ID, "tool", access.Private, root.ID)
			var errs [2]error
			var both sync.WaitGroup
			both.Go(func() { _, errs[0] = deeds.TransferGroup(t.Context(), a, fmt.Sprint(one.ID), other.ID) })
			both.Go(func() { _, errs[1] = deeds.TransferGroup(t.Context(), a, fmt.Sprint(other.ID), one.ID) })
			both.Wait()
			const inItself = "Transfer failed: Cannot transfer group to one of its subgroup."
			first, lost := fault.As(errs[0], fault.Rejected)
			second, too := fault.As(errs[1], fault.Rejected)
			if lost == too || lost && (first.Msg != inItself || errs[1] != nil) || too && (second.Msg != inItself || errs[0] != nil) {
				t.Errorf("%v, %v: want one of them refused", errs[0], errs[1])
			}
		}
		checkTree(t, db)
	})
}

// TestTransfersAtOnce: after parallel moves, renames, changes of visibility and
// creations, all groups and projects are below their parents' paths, at most as
// visible, and not too deep.
func TestTransfersAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		admin := actorOf(root)
		admin.Admin, admin.MayGroup = true, true
		deeds := movers(db)
		var groups, tools []string
		for i := range 6 {
			g := newGroup(t, db, 0, fmt.Sprint("g", i), access.Public, root.ID)
			p := newProject(t, db, g.ID, fmt.Sprint("p", i), access.Public, root.ID)
			groups, tools = append(groups, fmt.Sprint(g.ID)), append(tools, fmt.Sprint(p.ID))
		}
		var all sync.WaitGroup
		for worker := range uint64(4) {
			all.Go(func() {
				r := rand.New(rand.NewPCG(worker, 1))
				for n := range 25 {
					w := storm{t, deeds, admin, r, groups, tools}
					if err := w.step(fmt.Sprint(worker, "-", n)); err != nil {
						switch fault.KindOf(err) {
						case fault.Rejected, fault.Conflict, fault.Full, fault.Unavailable:
						default:
							t.Error(err)
						}
					}
				}
			})
		}
		all.Wait()
		if n := count(t, db, `SELECT COUNT(DISTINCT name) FROM audit_events WHERE name IN ('project_namespace_updated', 'group_parent_updated')`); n != 2 {
			t.Error("nothing was transferred")
		}
		checkTree(t, db)
	})
}

// storm does one random deed.
type storm struct {
	t             *testing.T
	deeds         *projects.Service
	a             access.Actor
	r             *rand.Rand
	groups, tools []string
}

func (w storm) step(name string) (err error) {
	ctx, group, tool := w.t.Context(), w.groups[w.r.IntN(6)], w.tools[w.r.IntN(6)]
	visibility := []access.Visibility{access.Private, access.Internal, access.Public}[w.r.IntN(3)]
	switch w.r.IntN(7) {
	case 0, 1:
		_, err = w.deeds.TransferProject(ctx, w.a, tool, group)
	case 2, 3:
		var to int64
		if w.r.IntN(4) > 0 {
			to = int64(w.r.IntN(6)) + idOf(w.groups[0])
		}
		_, err = w.deeds.TransferGroup(ctx, w.a, group, to)
	case 4:
		_, err = w.deeds.EditGroup(ctx, w.a, group, projects.GroupEdit{Path: new("r" + name), Visibility: &visibility})
	case 5:
		_, err = w.deeds.EditProject(ctx, w.a, tool, projects.ProjectEdit{Path: new("r" + name), Visibility: &visibility})
	default:
		_, err = w.deeds.CreateProject(ctx, w.a, idOf(group), projects.Project{Name: "n" + name})
	}
	return err
}

func idOf(ref string) (n int64) {
	_, _ = fmt.Sscan(ref, &n)
	return n
}

// checkTree checks every group and project against its parent.
func checkTree(t *testing.T, db *DB) {
	t.Helper()
	type place struct{ kind, path, last, above string }
	found, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (p place, err error) {
		return p, row.Scan(&p.kind, &p.path, &p.last, &p.above)
	}, `SELECT 'group', r.path, n.path, COALESCE(a.path || '/', '') FROM namespaces n
			JOIN routes r ON r.namespace_id = n.id AND r.redirect = 0
			LEFT JOIN routes a ON a.namespace_id = n.parent_id AND a.redirect = 0
		UNION ALL SELECT 'project', r.path, p.path, a.path || '/' FROM projects p
			JOIN routes r ON r.project_id = p.id AND r.redirect = 0
			JOIN routes a ON a.namespace_id = p.namespace_id AND a.redirect = 0`)
	if must(t, len(found), err) < 10 {
		t.Fatalf("only %d places", len(found))
	}
	for _, p := range found {
		if p.path != p.above+p.last {
			t.Errorf("%s %s is in %s as %s", p.kind, p.path, p.above, p.last)
		}
		if strings.Count(p.path, "/") > 20 {
			t.Errorf("%s %s is too deep", p.kind, p.path)
		}
	}
	for what, query := range map[string]string{
		"groups more visible than their parents": `SELECT COUNT(*) FROM namespaces n JOIN namespaces a ON a.id = n.parent_id WHERE n.visibility > a.visibility`,
		"projects more visible than their groups": `SELECT COUNT(*) FROM projects p JOIN namespaces a ON a.id = p.namespace_id
			WHERE a.owner_id IS NULL AND p.visibility > a.visibility`,
		"groups that lead to no top": `WITH RECURSIVE down (id) AS (SELECT id FROM namespaces WHERE parent_id IS NULL
				UNION SELECT n.id FROM namespaces n JOIN down ON n.parent_id = down.id)
			SELECT COUNT(*) FROM namespaces WHERE id NOT IN (SELECT id FROM down)`,
		"paths that lead to two":   `SELECT COUNT(*) - COUNT(DISTINCT path_key) FROM routes`,
		"places without their own": `SELECT COUNT(*) FROM namespaces n WHERE NOT EXISTS (SELECT 1 FROM routes r WHERE r.namespace_id = n.id AND r.redirect = 0)`,
	} {
		if n := count(t, db, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
}

// TestTransfersAreJudgedUnderTheRow: an actor that is no owner any more when the
// transaction runs, or may not create in the target any more, moves nothing.
func TestTransfersAreJudgedUnderTheRow(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root, ada := newUser(t, db, "root", false), newUser(t, db, "ada", false)
		from, to := newGroup(t, db, 0, "from", access.Private, root.ID), newGroup(t, db, 0, "to", access.Private, root.ID)
		tool := newProject(t, db, from.ID, "tool", access.Private, root.ID)
		sub := newGroup(t, db, from.ID, "sub", access.Private, root.ID)
		here, there := projects.Place{GroupID: from.ID}, projects.Place{GroupID: to.ID}
		newMember(t, db, here, ada.ID, access.Owner)
		newMember(t, db, there, ada.ID, access.Maintainer)
		for _, lost := range []struct {
			at   projects.Place
			role access.Role
			back access.Role
		}{{here, access.Maintainer, access.Owner}, {there, access.Developer, access.Maintainer}} {
			deeds := movers(db)
			deeds.Records = meanwhileMoving{db, func() {
				_, err := db.UpdateMember(t.Context(), lost.at, actorOf(root), ada.ID, toRole(lost.role))
				must(t, 0, err)
			}}
			_, err := deeds.TransferProject(t.Context(), actorOf(ada), "from/tool", "to")
			wantStays(t, err, "Failed to transfer project")
			must(t, 0, back(t, db, lost.at, root, ada, lost.back))
			_, err = deeds.TransferGroup(t.Context(), actorOf(ada), "from/sub", to.ID)
			wantStays(t, err, "Transfer failed: You don't have enough permissions.")
			must(t, 0, back(t, db, lost.at, root, ada, lost.back))
		}
		_, err := movers(db).TransferProject(t.Context(), actorOf(ada), "from/tool", "to")
		must(t, 0, err)
		_, err = movers(db).TransferGroup(t.Context(), actorOf(ada), fmt.Sprint(sub.ID), to.ID)
		must(t, 0, err)
		if p, err := db.FindProject(t.Context(), fmt.Sprint(tool.ID), actorOf(ada)); err != nil || p.FullPath != "to/tool" || p.GroupRole != access.Maintainer {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func back(t *testing.T, db *DB, at projects.Place, root, ada auth.User, role access.Role) error {
	_, err := db.UpdateMember(t.Context(), at, actorOf(root), ada.ID, toRole(role))
	return err
}

// wantStays expects a refusal, by the rules of the transfer or of its ends.
func wantStays(t *testing.T, err error, words string) {
	t.Helper()
	if e, ok := fault.As(err, fault.Rejected); fault.Is(err, fault.Denied) || ok && strings.HasPrefix(e.Msg, words) {
		return
	}
	t.Errorf("%v, want %q", err, words)
}

// meanwhileMoving runs another change between a deed's check of both ends and its
// transaction.
type meanwhileMoving struct {
	*DB
	happen func()
}

func (m meanwhileMoving) TransferProject(ctx context.Context, id, namespaceID int64, a access.Actor, most fault.Limit, judge func(*projects.Project, projects.Group) ([]audit.Event, error)) error {
	m.happen()
	return m.DB.TransferProject(ctx, id, namespaceID, a, most, judge)
}

func (m meanwhileMoving) TransferGroup(ctx context.Context, id, parentID int64, a access.Actor, most fault.Limit, owner audit.Event, judge func(*projects.Group, projects.Destination) ([]audit.Event, error)) (projects.Group, error) {
	m.happen()
	return m.DB.TransferGroup(ctx, id, parentID, a, most, owner, judge)
}
