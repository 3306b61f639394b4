package metadb

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/sqldb"
	"granary/internal/webhooks"
)

// crowd is a database with owners to which rows are added.
type crowd struct {
	t       *testing.T
	db      *DB
	root    auth.User
	group   projects.Group
	project projects.Project
	users   []auth.User
}

const crowded = 24 // who want to add a row at once

func newCrowd(t *testing.T, db *DB) *crowd {
	c := &crowd{t: t, db: db}
	must(t, 0, db.UseKey(t.Context(), [KeySize]byte{1}))
	for i := range crowded {
		c.users = append(c.users, newUser(t, db, fmt.Sprint("user", i), false))
	}
	c.clear("acme")
	return c
}

// clear switches to a new user, group and project, which have nothing yet.
func (c *crowd) clear(name string) {
	name = strings.ReplaceAll(name, " ", "-")
	c.root = newUser(c.t, c.db, "root-"+name, false)
	c.group = newGroup(c.t, c.db, 0, name, access.Private, c.root.ID)
	c.project = newProject(c.t, c.db, c.group.ID, "tool", access.Private, c.root.ID)
	must(c.t, 0, c.db.do(c.t.Context(), func(t tx) error { return t.Exec(`DELETE FROM features`) }))
}

// additions are all deeds that add limited rows. Each adds row number n, under the
// limit most.
func (c *crowd) additions() map[string]func(n int, most fault.Limit) error {
	ctx, now, db := context.Background(), time.Now(), c.db
	named := func(n int) string { return fmt.Sprint("row-", c.group.ID, "-", n) }
	digest := func(kind string, n int) auth.SecretDigest { return auth.DigestOf(fmt.Sprint(c.root.ID, kind, n)) }
	add := map[string]func(n int, most fault.Limit) error{
		"releases": func(n int, most fault.Limit) error {
			_, err := db.InsertRelease(ctx, releases.Release{ProjectID: c.project.ID, Tag: named(n), Author: releases.Author{ID: c.root.ID}, CreatedAt: now, UpdatedAt: now, ReleasedAt: now}, nil, most, audit.Event{})
			return err
		},
		"uploads": func(n int, most fault.Limit) error {
			_, err := db.AddUpload(ctx, registry.Upload{ProjectID: c.project.ID, Secret: named(n), Name: "f", Digest: blob.Digest{1}, Small: []byte("x"), Size: 1, CreatorID: c.root.ID, CreatedAt: now}, most, audit.Event{})
			return err
		},
		"protection rules": func(n int, most fault.Limit) error {
			_, err := db.InsertProtection(ctx, registry.ProtectionRule{ProjectID: c.project.ID, Pattern: named(n), PackageType: "generic", Push: access.Owner}, most, audit.Event{})
			return err
		},
		"hooks": func(_ int, most fault.Limit) error {
			_, err := db.InsertHook(ctx, webhooks.Hook{ProjectID: c.project.ID, CreatedAt: now}, most, audit.Event{})
			return err
		},
		"allowlist": func(n int, most fault.Limit) error {
			return db.AllowJobs(ctx, c.project.ID, projects.Place{GroupID: c.users[n].NamespaceID}, most, audit.Event{})
		},
		"running jobs": func(n int, most fault.Limit) error {
			_, err := db.InsertJob(ctx, auth.Job{ProjectID: c.project.ID, User: c.root, Status: auth.JobRunning, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}, digest("job", n), most, audit.Event{})
			return err
		},
		"tokens of a user": func(n int, most fault.Limit) error {
			_, err := db.InsertPersonalToken(ctx, auth.PersonalToken{UserID: c.root.ID, Name: "t", CreatedAt: now}, digest("personal", n), most, audit.Event{})
			return err
		},
		"top-level groups": func(n int, most fault.Limit) error {
			most.Most++ // there is one
			_, err := db.InsertGroup(ctx, projects.Group{Name: named(n), Path: named(n), CreatedAt: now}, c.root.ID, most, audit.Event{})
			return err
		},
		"subgroups": func(n int, most fault.Limit) error {
			_, err := db.InsertGroup(ctx, projects.Group{Name: named(n), Path: named(n), ParentID: c.group.ID, CreatedAt: now}, c.root.ID, most, audit.Event{})
			return err
		},
		"projects of a group": func(n int, most fault.Limit) error {
			most.Most++ // there is one
			return c.addProject(c.group.ID, "in-"+named(n), most)
		},
		"feature flags": func(n int, most fault.Limit) error {
			_, err := db.SetFeature(ctx, named(n), projects.FeatureChange{Value: new(true)}, most, roomy(), audit.Event{})
			return err
		},
		"targets of a flag": func(n int, most fault.Limit) error {
			_, err := db.SetFeature(ctx, "flag", projects.FeatureChange{Value: new(true), Targets: projects.FeatureTargets{Users: []string{c.users[n].Username}}}, roomy(), most, audit.Event{})
			return err
		},
		"members of a project": func(n int, most fault.Limit) error {
			_, err := db.InsertMember(ctx, projects.Place{ProjectID: c.project.ID}, access.Actor{}, projects.Member{UserID: c.users[n].ID, Role: access.Guest, CreatedAt: now}, most, yes)
			return err
		},
		"members of a group": func(n int, most fault.Limit) error {
			most.Most++ // the owner
			_, err := db.InsertMember(ctx, projects.Place{GroupID: c.group.ID}, access.Actor{}, projects.Member{UserID: c.users[n].ID, Role: access.Guest, CreatedAt: now}, most, yes)
			return err
		},
	}
	for name, at := range map[string]func() projects.Place{
		"project": func() projects.Place { return projects.Place{ProjectID: c.project.ID} },
		"group":   func() projects.Place { return projects.Place{GroupID: c.group.ID} },
	} {
		add["variables of a "+name] = func(n int, most fault.Limit) error {
			_, err := db.InsertVariable(ctx, at(), projects.Variable{Key: named(n), Type: projects.EnvVar, Scope: "*"}, most, audit.Event{})
			return err
		}
		add["deploy tokens of a "+name] = func(n int, most fault.Limit) error {
			_, err := db.InsertDeployToken(ctx, auth.DeployToken{ProjectID: at().ProjectID, GroupID: at().GroupID, Name: "d", CreatedAt: now}, digest("deploy"+name, n), most, audit.Event{})
			return err
		}
		add["access tokens of a "+name] = func(n int, most fault.Limit) error {
			b := auth.Bot{ProjectID: at().ProjectID, GroupID: at().GroupID, Username: name + named(n), Email: name + named(n), CreatorID: c.root.ID}
			_, err := db.InsertBotToken(ctx, access.Actor{}, b, auth.PersonalToken{Name: "t", Role: access.Guest, CreatedAt: now}, digest("bot"+name, n), most,
				func(access.Resource) (audit.Event, error) { return audit.Event{}, nil })
			return err
		}
	}
	return add
}

func (c *crowd) addProject(namespaceID int64, path string, most fault.Limit) error {
	_, err := c.db.InsertProject(context.Background(), projects.Project{
		Namespace: projects.Group{ID: namespaceID}, Name: path, Path: path, CreatorID: c.root.ID, CreatedAt: time.Now(),
	}, access.NoRole, most, audit.Event{})
	return err
}

// TestLimits: rows can be added up to the limit, and no more.
func TestLimits(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		c := newCrowd(t, db)
		for name, add := range c.additions() {
			c.clear(name)
			most := fault.Limit{Most: 3, Of: name, Cure: "do something"}
			for n := range most.Most {
				if err := add(n, most); err != nil {
					t.Fatalf("%s: row %d of %d: %v", name, n+1, most.Most, err)
				}
			}
			full, ok := fault.As(add(most.Most, most), fault.Full)
			if want := "Maximum number of " + name; !ok || !strings.HasPrefix(full.Fields["base"][0], want) || !strings.HasSuffix(full.Fields["base"][0], "exceeded: do something") {
				t.Errorf("%s: one more than %d: %v", name, most.Most, full)
			}
		}
	})
}

// TestLimitsUnderConcurrency: of many parallel additions as many succeed as the limit
// allows.
func TestLimitsUnderConcurrency(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		c := newCrowd(t, db)
		all := c.additions()
		all["projects of a user"] = func(n int, _ fault.Limit) error {
			return c.addProject(c.root.NamespaceID, fmt.Sprint("own-", n), roomy())
		}
		for name, add := range all {
			c.clear(name)
			must(t, 0, db.do(t.Context(), func(t tx) error { return t.Exec(`UPDATE users SET projects_limit = 5 WHERE id = $1`, c.root.ID) }))
			most := fault.Limit{Most: 5, Of: name}
			if got := c.storm(name, add, most); got != most.Most {
				t.Errorf("%s: %d got in, where %d may", name, got, most.Most)
			}
		}
	})
}

// storm adds rows in parallel and returns how many were added.
func (c *crowd) storm(name string, add func(int, fault.Limit) error, most fault.Limit) int {
	var added atomic.Int64
	var all sync.WaitGroup
	for n := range crowded {
		all.Go(func() {
			err := add(n, most)
			if err == nil {
				added.Add(1)
			} else if !fault.Is(err, fault.Full) {
				c.t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	return int(added.Load())
}

// TestDeletedMakesRoom: deleted and ended rows do not count.
func TestDeletedMakesRoom(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		c := newCrowd(t, db)
		add, one := c.additions(), fault.Limit{Most: 1}
		for _, name := range []string{"subgroups", "projects of a group", "allowlist", "running jobs"} {
			must(t, 0, add[name](0, one))
			if err := add[name](1, one); !fault.Is(err, fault.Full) {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(t, 0, db.do(t.Context(), func(t tx) error {
			for _, text := range []string{
				`UPDATE projects SET deleted_at = 1 WHERE path LIKE 'in-%'`, `UPDATE jobs SET expires_at = 1`,
				`UPDATE namespaces SET deleted_at = 1 WHERE path LIKE 'row-%' OR path = 'user0'`,
			} {
				if err := t.Exec(text); err != nil {
					return err
				}
			}
			return nil
		}))
		for _, name := range []string{"subgroups", "projects of a group", "allowlist", "running jobs"} {
			if err := add[name](1, one); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestDeadTokensMakeRoom: a user at the limit of tokens gets another if one is revoked
// or expired: the oldest of these is deleted.
func TestDeadTokensMakeRoom(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx, u, most := t.Context(), newUser(t, db, "root", false), fault.Limit{Most: 3}
		var ids []int64
		add := func(name string) error {
			made, err := db.InsertPersonalToken(ctx, auth.PersonalToken{UserID: u.ID, Name: name, CreatedAt: time.Now()}, auth.DigestOf(name), most, audit.Event{})
			ids = append(ids, made.ID)
			return err
		}
		for i := range 3 {
			must(t, 0, add(fmt.Sprint(i)))
		}
		if err := add("alive"); !fault.Is(err, fault.Full) {
			t.Errorf("%v", err)
		}
		next, err := db.RotatePersonalToken(ctx, ids[1], auth.PersonalToken{UserID: u.ID, Name: "next", CreatedAt: time.Now()}, auth.DigestOf("next"), most, audit.Event{})
		must(t, next, err)
		must(t, 0, db.RevokePersonalTokens(ctx, ids[0], false, audit.Event{}))
		must(t, 0, add("another"))
		found, err := db.ListPersonalTokens(ctx, auth.TokenFilter{UserID: u.ID}, page.Request{Number: 1, Size: 9})
		var names []string
		for _, token := range must(t, found, err).Rows {
			names = append(names, token.Name)
		}
		if got := strings.Join(names, " "); got != "2 next another" {
			t.Errorf("there are %s", got)
		}
	})
}

// TestFormerPaths: former paths stay taken up to the limit; a path that is taken back
// is no former path any more.
func TestFormerPaths(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		c := newCrowd(t, db)
		db.formerPaths = fault.Limit{Most: 2}
		for what, move := range map[string]func(path string) error{
			"project": func(path string) error {
				_, err := db.UpdateProject(t.Context(), c.project.ID, func(p *projects.Project) ([]audit.Event, error) { p.Path = path; return nil, nil })
				return err
			},
			"group": func(path string) error {
				_, err := db.UpdateGroup(t.Context(), c.group.ID, func(g *projects.Group) ([]audit.Event, error) { g.Path = path; return nil, nil })
				return err
			},
		} {
			c.clear(what)
			must(t, 0, move("first-"+what))
			must(t, 0, move("second-"+what))
			if err := move("third-" + what); !fault.Is(err, fault.Full) {
				t.Errorf("%s: %v", what, err)
			}
			if err := move("first-" + what); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// TestCountsUseIndexes: no count reads a whole table, or more rows than it must.
func TestCountsUseIndexes(t *testing.T) {
	inProject, inGroup := projects.Place{ProjectID: 1}, projects.Place{GroupID: 1}
	kinds := []limited{
		uploadRows(), releaseRows(), hookRows(), protectionRows(), allowlistRows(), runningJobRows(), subgroupRows(), projectRows(),
		tokenRows(), ownGroupRows(), flagTargetRows(), flagRows(),
		memberRows(inProject), memberRows(inGroup), variableRows(inProject), variableRows(inGroup), deployTokenRows(inProject),
		deployTokenRows(inGroup), botRows(inProject), botRows(inGroup), formerPathRows(inProject), formerPathRows(inGroup),
	}
	t.Run("sqlite", func(t *testing.T) {
		db := openSQLite(t)
		for _, c := range kinds {
			for _, text := range []string{c.hold, c.rows} {
				for _, step := range plan(t, db, text) {
					if strings.Contains(step, "SCAN") && !strings.Contains(step, "INDEX") {
						t.Errorf("%s\nin %s", step, text)
					}
				}
			}
		}
	})
	t.Run("postgres", func(t *testing.T) {
		db := openPostgres(t, sqldb.Options{})
		for _, c := range kinds {
			for _, text := range []string{c.hold, c.rows} {
				if text != "" && strings.Contains(postgresPlan(t, db, text), "Seq Scan") {
					t.Errorf("%s\nin %s", postgresPlan(t, db, text), text)
				}
			}
		}
	})
}

// postgresPlan is PostgreSQL's plan of a query on a large table.
func postgresPlan(t *testing.T, db *DB, text string) string {
	t.Helper()
	for n := 3; n > 0; n-- {
		text = strings.ReplaceAll(text, fmt.Sprint("$", n), "1")
	}
	text = `EXPLAIN ` + strings.ReplaceAll(text, "name = 1", "name = '1'")
	steps, err := write(t.Context(), db, func(x tx) ([]string, error) {
		if err := x.Exec(`SET LOCAL enable_seqscan = off`); err != nil {
			return nil, err
		}
		return sqldb.List(t.Context(), x, func(row sqldb.Scanner) (step string, err error) { return step, row.Scan(&step) }, text)
	})
	return strings.Join(must(t, steps, err), "\n")
}
