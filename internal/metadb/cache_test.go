package metadb

import (
	"crypto/sha256"
	"sync"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/sqldb"
	"granary/internal/versions"
)

// The next read sees a write, whatever was cached before.
func TestWritesAreSeenAtOnce(t *testing.T) {
	db := open(t)
	ctx := t.Context()
	ada := newUser(t, db, "ada", false)
	root := newUser(t, db, "root", false)
	g := newGroup(t, db, 0, "acme", access.Private, root.ID)
	p := newProject(t, db, g.ID, "tool", access.Private, root.ID)
	at := projects.Place{ProjectID: p.ID}
	newMember(t, db, at, ada.ID, access.Developer)
	pat := newToken(t, db, ada.ID, "secret")
	j, err := db.InsertJob(ctx, auth.Job{ProjectID: p.ID, User: ada, Status: auth.JobRunning, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}, auth.DigestOf("job"), roomy(), audit.Event{})
	must(t, j, err)
	deploy, err := db.InsertDeployToken(ctx, auth.DeployToken{ProjectID: p.ID, Name: "d", CreatedAt: time.Now()}, auth.DigestOf("deploy"), roomy(), audit.Event{})
	must(t, deploy, err)

	token := func(secret string) auth.Token {
		t.Helper()
		found, err := db.FindToken(ctx, auth.DigestOf(secret))
		return must(t, found, err)
	}
	elsewhere, above := newGroup(t, db, 0, "elsewhere", access.Private, root.ID), newGroup(t, db, 0, "above", access.Private, root.ID)
	newMember(t, db, projects.Place{GroupID: elsewhere.ID}, ada.ID, access.Reporter)
	newMember(t, db, projects.Place{GroupID: above.ID}, ada.ID, access.Maintainer)
	roleAt := func(path string) access.Role {
		t.Helper()
		place, err := db.FindPackageProject(ctx, path, actorOf(ada))
		return must(t, place, err).Standing.Role
	}
	role := func() access.Role { return roleAt("acme/tool") }
	var other projects.Project
	for _, step := range []struct {
		name   string
		before func() bool
		write  func() error
		after  func() bool
	}{
		{"block a user", func() bool { return !token("secret").User.Blocked },
			func() error { _, err := db.SetBlocked(ctx, ada.ID, true, audit.Event{}); return err }, func() bool { return token("secret").User.Blocked && token("job").User.Blocked }},
		{"change a role", func() bool { return role() == access.Developer },
			func() error {
				_, err := db.UpdateMember(ctx, at, access.Actor{}, ada.ID, toRole(access.Guest))
				return err
			},
			func() bool { return role() == access.Guest }},
		{"end a membership", func() bool { return role() == access.Guest },
			func() error { return db.DeleteMember(ctx, at, access.Actor{}, ada.ID, yes) }, func() bool { return role() == access.NoRole }},
		{"finish a job", func() bool { return token("job").Job.Status == auth.JobRunning },
			func() error {
				_, err := db.FinishJob(ctx, p.ID, j.ID, auth.JobSuccess, time.Now(), audit.Event{})
				return err
			},
			func() bool { return token("job").Job.Status == auth.JobSuccess }},
		{"revoke a token", func() bool { return !token("secret").Personal.Revoked },
			func() error { return db.RevokePersonalTokens(ctx, pat.ID, false, audit.Event{}) }, func() bool { return token("secret").Personal.Revoked }},
		{"delete a deploy token", func() bool { return token("deploy").Deploy != nil },
			func() error { return db.DeleteDeployToken(ctx, deploy.ID, audit.Event{}) },
			func() bool {
				_, err := db.FindToken(ctx, auth.DigestOf("deploy"))
				return fault.Is(err, fault.NotFound)
			}},
		{"turn the flag off", func() bool {
			place, err := db.FindPackageProject(ctx, "acme/tool", actorOf(ada))
			return must(t, place, err).FlagOn
		},
			func() error {
				_, err := db.SetFeature(ctx, projects.GenericPackages, projects.FeatureChange{Value: new(false)}, roomy(), roomy(), audit.Event{})
				return err
			},
			func() bool {
				place, err := db.FindPackageProject(ctx, "acme/tool", actorOf(ada))
				return !must(t, place, err).FlagOn
			}},
		{"rename a project", func() bool {
			place, err := db.FindPackageProject(ctx, "ACME/tool", actorOf(ada))
			return !must(t, place, err).Moved
		},
			func() error {
				_, err := db.UpdateProject(ctx, p.ID, func(p *projects.Project) ([]audit.Event, error) { p.Path = "renamed"; return nil, nil })
				return err
			},
			func() bool {
				old, err := db.FindPackageProject(ctx, "acme/tool", actorOf(ada))
				must(t, old, err)
				place, err := db.FindPackageProject(ctx, "acme/renamed", actorOf(ada))
				return old.Moved && old.FullPath == "acme/renamed" && !must(t, place, err).Moved
			}},
		{"take the old path", func() bool { return role() == access.NoRole },
			func() error { other = newProject(t, db, g.ID, "tool", access.Private, root.ID); return nil },
			func() bool {
				place, err := db.FindPackageProject(ctx, "acme/tool", actorOf(ada))
				return must(t, place, err).ProjectID == other.ID && !place.Moved
			}},
		{"delete a project", func() bool { return role() == access.NoRole },
			func() error { return db.DeleteProject(ctx, other.ID, time.Now(), audit.Event{}) },
			func() bool {
				_, err := db.FindPackageProject(ctx, "acme/tool", actorOf(ada))
				return fault.Is(err, fault.NotFound)
			}},
		{"transfer a project", func() bool { return roleAt("acme/renamed") == access.NoRole },
			func() error {
				return db.TransferProject(ctx, p.ID, elsewhere.ID, actorOf(root), roomy(), func(p *projects.Project, to projects.Group) ([]audit.Event, error) {
					p.Namespace = to
					return nil, nil
				})
			},
			func() bool {
				old, err := db.FindPackageProject(ctx, "acme/renamed", actorOf(ada))
				return must(t, old, err).Moved && roleAt("elsewhere/renamed") == access.Reporter
			}},
		{"transfer a group", func() bool { return roleAt("elsewhere/renamed") == access.Reporter },
			func() error {
				_, err := db.TransferGroup(ctx, elsewhere.ID, above.ID, actorOf(root), roomy(), audit.Event{}, func(g *projects.Group, to projects.Destination) ([]audit.Event, error) {
					g.ParentID, g.FullPath = to.Parent.ID, to.Parent.FullPath+"/"+g.Path
					return nil, nil
				})
				return err
			},
			func() bool {
				old, err := db.FindPackageProject(ctx, "elsewhere/renamed", actorOf(ada))
				return must(t, old, err).Moved && roleAt("above/elsewhere/renamed") == access.Maintainer
			}},
	} {
		if !step.before() {
			t.Fatalf("%s: not as expected before", step.name)
		}
		must(t, 0, step.write())
		if !step.after() {
			t.Errorf("%s: the next read does not see it", step.name)
		}
	}
}

// A look-up that began before a write cannot cache its old answer after it.
func TestCacheGeneration(t *testing.T) {
	c := newCache(newBudget(1<<20), new(sync.RWMutex), lookupLife, func(string, int) int64 { return 0 })
	looking, written := make(chan struct{}), make(chan struct{})
	var old int
	var all sync.WaitGroup
	all.Go(func() {
		old, _ = c.get("k", func() (int, error) {
			close(looking)
			<-written
			return 1, nil
		})
	})
	<-looking
	c.clear()
	close(written)
	all.Wait()
	now, err := c.get("k", func() (int, error) { return 2, nil })
	if err != nil || old != 1 || now != 2 {
		t.Errorf("old %d, now %d (%v), want 1 and 2", old, now, err)
	}
	if again, _ := c.get("k", func() (int, error) { return 3, nil }); again != 2 {
		t.Errorf("again %d, want the 2 that is remembered", again)
	}
}

// While a transaction is committed a reader sees what the database has, not what was
// cached before: another one may have seen the change already.
func TestNothingOldAtCommit(t *testing.T) {
	var atCommit func()
	db := openSQLiteWith(t, sqldb.Options{CrashPoint: func(point string) {
		if point == "after-commit" && atCommit != nil {
			atCommit()
		}
	}})
	p := demo(t, db)
	file := func() (size int64) {
		f, _, err := db.FindFile(t.Context(), p.ID, publication(p.ID, "1.0.0", "f").Coordinates)
		if fault.Is(err, fault.NotFound) {
			return 0
		}
		return must(t, f, err).Size
	}
	latest := func() registry.Version {
		s, _ := versions.ParseSelector("latest")
		v, err := db.ChooseVersion(t.Context(), p.ID, "tool", "latest", s)
		if fault.Is(err, fault.NotFound) {
			return ""
		}
		return must(t, v, err)
	}
	var made registry.File
	put := func(version string, into registry.Into, body []byte) func() error {
		return func() (err error) {
			pub := publication(p.ID, version, "f")
			pub.Into, pub.Small, pub.Size, pub.Digest = into, body, int64(len(body)), sha256.Sum256(body)
			made, err = db.AddFile(t.Context(), pub)
			return err
		}
	}
	judge := func(registry.PackageVersion, []registry.VersionFile) (registry.Final, error) {
		return registry.Final{Status: registry.StatusDefault, Event: audit.Event{At: time.Now()}}, nil
	}
	for _, step := range []struct {
		name   string
		write  func() error
		size   int64
		latest registry.Version
	}{
		{"a new version", put("1.0.0", registry.IntoOpen, []byte("1")), 1, "1.0.0"},
		{"a file again", put("1.0.0", registry.IntoOpen, []byte("22")), 2, "1.0.0"},
		{"a draft", put("1.1.0", registry.IntoDraft, []byte("1")), 2, "1.0.0"},
		{"a finalise", func() error {
			_, _, err := db.FinaliseVersion(t.Context(), p.ID, "tool", "1.1.0", judge)
			return err
		}, 2, "1.1.0"},
		{"a draft of a release", put("1.2.0", registry.IntoDraft, []byte("1")), 2, "1.1.0"},
		{"a release", func() error {
			finals := &registry.Finals{Versions: []registry.Version{"1.2.0"}, Judge: judge}
			e := releases.Release{ProjectID: p.ID, Tag: "1.2.0"}
			e.Author.ID = p.CreatorID
			_, err := db.InsertRelease(t.Context(), e, finals, roomy(), audit.Event{})
			return err
		}, 2, "1.2.0"},
		{"a delete", func() error {
			return db.RemovePackage(t.Context(), registry.Removed{ProjectID: p.ID, PackageID: made.PackageID, Now: time.Now()},
				func(registry.Package) (audit.Event, error) { return audit.Event{}, nil })
		}, 2, "1.1.0"},
	} {
		file()
		latest()
		var size int64
		var chosen registry.Version
		atCommit = func() { size, chosen = file(), latest() }
		err := step.write()
		atCommit = nil
		if err != nil || size != step.size || chosen != step.latest {
			t.Errorf("at the commit of %s: %d bytes and %q, want %d and %q; %v", step.name, size, chosen, step.size, step.latest, err)
		}
		if size, chosen = file(), latest(); size != step.size || chosen != step.latest {
			t.Errorf("after %s: %d bytes and %q, want %d and %q", step.name, size, chosen, step.size, step.latest)
		}
	}
}
