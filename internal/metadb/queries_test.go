package metadb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/projects"
)

// countedConnector hands out connections of a database that count the queries.
type countedConnector struct {
	from *sql.DB
	n    *atomic.Int64
	saw  func(query string) // nil: nobody asks
}

func (c countedConnector) Driver() driver.Driver { return c.from.Driver() }

// Connect borrows a connection of the database.
func (c countedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	borrowed, err := c.from.Conn(ctx)
	if err != nil {
		return nil, err
	}
	conn := &countedConn{borrowed: borrowed, n: c.n, saw: c.saw}
	return conn, borrowed.Raw(func(inner any) error {
		conn.Conn = inner.(driver.Conn)
		return nil
	})
}

type countedConn struct {
	driver.Conn
	borrowed *sql.Conn
	n        *atomic.Int64
	saw      func(query string)
}

func (c *countedConn) Close() error { return c.borrowed.Close() }

// CheckNamedValue implements driver.NamedValueChecker.
func (c *countedConn) CheckNamedValue(v *driver.NamedValue) error {
	if inner, ok := c.Conn.(driver.NamedValueChecker); ok {
		return inner.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// QueryContext implements driver.QueryerContext.
func (c *countedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.counts(query)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

// PrepareContext implements driver.ConnPrepareContext. A prepared statement counts
// once.
func (c *countedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.counts(query)
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

func (c *countedConn) counts(query string) {
	if c.n.Add(1); c.saw != nil {
		c.saw(query)
	}
}

// countQueries counts the database's reads from now on, and tells saw about each.
func countQueries(t *testing.T, db *DB, saw func(query string)) *atomic.Int64 {
	t.Helper()
	var n atomic.Int64
	from := db.Reads
	counting := sql.OpenDB(countedConnector{from, &n, saw})
	counting.SetMaxOpenConns(2)
	db.Reads = counting
	t.Cleanup(func() {
		db.Reads = from
		if err := counting.Close(); err != nil {
			t.Error(err)
		}
	})
	return &n
}

// TestListsAskTheSameForAnyPage: a page of one, twenty or a hundred projects or
// groups, each in another group, takes as many queries, for every actor, in steps and
// at once.
func TestListsAskTheSameForAnyPage(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root, ada, eve := newUser(t, db, "root", false), newUser(t, db, "ada", false), newUser(t, db, "eve", true)
		top := newGroup(t, db, 0, "top", access.Public, root.ID)
		_, err := write(t.Context(), db, func(t tx) (struct{}, error) { return struct{}{}, t.manyPlaces(top, root, ada) })
		must(t, 0, err)
		admin := actorOf(root)
		admin.Admin = true
		asked := countQueries(t, db, nil)
		for _, a := range []access.Actor{{}, admin, actorOf(ada), actorOf(eve)} {
			for _, steps := range []bool{false, true} {
				for what, ask := range map[string]func(page.Request) int{
					"projects": func(p page.Request) int {
						return lengthOf[projects.Project](t, p)(db.ListProjects(t.Context(), projects.ProjectFilter{Actor: a}, p))
					},
					"group projects": func(p page.Request) int {
						return lengthOf[projects.Project](t, p)(db.ListProjects(t.Context(), projects.ProjectFilter{Actor: a, GroupID: top.ID, Below: true}, p))
					},
					"user projects": func(p page.Request) int {
						return lengthOf[projects.Project](t, p)(db.ListProjects(t.Context(), projects.ProjectFilter{Actor: a, OwnerID: root.ID}, p))
					},
					"groups": func(p page.Request) int {
						return lengthOf[projects.Group](t, p)(db.ListGroups(t.Context(), projects.GroupFilter{Actor: a}, p))
					},
					"subgroups": func(p page.Request) int {
						return lengthOf[projects.Group](t, p)(db.ListGroups(t.Context(), projects.GroupFilter{Actor: a, ParentID: top.ID}, p))
					},
				} {
					var counts []int64
					for _, size := range []int{1, 20, 100} {
						before := asked.Load()
						if n := ask(page.Request{Number: 1, Size: size, InSteps: steps}); n != size {
							t.Fatalf("%s: %d rows, want %d", what, n, size)
						}
						counts = append(counts, asked.Load()-before)
					}
					if counts[0] != counts[1] || counts[1] != counts[2] || counts[0] < 3 || counts[0] > 4 {
						t.Errorf("%s by %+v, in steps %v: %v queries for 1, 20 and 100 rows", what, a, steps, counts)
					}
				}
			}
		}
	})
}

// manyPlaces makes a hundred groups with a project in each, half of them with a
// member, and as many projects of an owner.
func (t tx) manyPlaces(top projects.Group, owner, member auth.User) error {
	const project = `INSERT INTO projects (namespace_id, name, path, description, visibility, default_branch, topics, package_access,
			archived, creator_id, job_token_scope, created_at, updated_at)
		VALUES ($1, $2, $2, '', 20, 'main', '', 20, 0, $3, 1, 1, 1) RETURNING id`
	for i := range 100 {
		name := fmt.Sprint("p", i)
		g, err := t.Insert(`INSERT INTO namespaces (parent_id, name, path, description, visibility, created_at, updated_at)
			VALUES ($1, $2, $2, '', 20, 1, 1) RETURNING id`, top.ID, name)
		err = errors.Join(err, t.putRoute("top/"+name, g, 0))
		for path, at := range map[string]int64{"top/" + name + "/tool": g, "root/" + name: owner.NamespaceID} {
			p, made := t.Insert(project, at, name, owner.ID)
			err = errors.Join(err, made, t.putRoute(path, 0, p))
			if i%2 == 0 {
				err = errors.Join(err, t.addMember(projects.Place{ProjectID: p}, projects.Member{UserID: member.ID, Role: access.Developer}))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lengthOf reads a page and returns its number of rows.
func lengthOf[T any](t *testing.T, p page.Request) func(page.Of[T], error) int {
	return func(found page.Of[T], err error) int {
		t.Helper()
		must(t, 0, err)
		if p.InSteps {
			return len(inSteps(t, found))
		}
		return len(found.Rows)
	}
}
