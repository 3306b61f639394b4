package metadb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/metadb/metadbtest"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/trace"
	"granary/internal/webhooks"
)

func newHook(t *testing.T, db *DB, projectID int64) webhooks.Hook {
	t.Helper()
	h, err := db.InsertHook(t.Context(), webhooks.Hook{
		ProjectID: projectID, Packages: true, VerifyTLS: true, CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
		Target: webhooks.Target{URL: "https://hooks.example.com/secret-path", Token: "secret-token", Headers: []webhooks.Header{{Key: "X-A", Value: "secret-value"}}},
	}, roomy(), audit.Event{})
	return must(t, h, err)
}

// tellAll removes all packages and then delivers the outbox; first attempts fail.
func tellAll(t *testing.T, db *DB, h webhooks.Hook) {
	t.Helper()
	ctx := t.Context()
	packages, err := db.ListPackages(ctx, registry.PackageFilter{Projects: []int64{h.ProjectID}}, page.Request{Number: 1, Size: 10})
	must(t, 0, err)
	for _, p := range packages.Rows {
		files, err := db.ListFiles(ctx, p.ID, page.Request{Number: 1, Size: 10})
		must(t, 0, err)
		r := registry.Removed{ProjectID: h.ProjectID, PackageID: p.ID, Now: time.Now()}
		must(t, 0, db.RemoveFile(ctx, r, files.Rows[0].ID, func(registry.Package, registry.File) (audit.Event, error) { return audit.Event{}, nil }))
		must(t, 0, db.RemovePackage(ctx, r, func(registry.Package) (audit.Event, error) { return audit.Event{}, nil }))
	}
	for now := time.Now(); ; now = now.Add(24 * time.Hour) {
		d, err := db.ClaimDelivery(ctx, [4]int64{}, now)
		if fault.Is(err, fault.NotFound) {
			break
		}
		must(t, 0, err)
		status := 500
		if d.Attempts > 1 {
			status = 200
		}
		a := webhooks.Attempt{HookID: h.ID, Key: d.Key, URL: "https://hooks.example.com", RequestBody: "{}", Status: status, CreatedAt: now}
		must(t, 0, db.FinishDelivery(ctx, d, a, now))
	}
	_, err = db.NextDelivery(ctx, [4]int64{})
	must(t, 0, err)
	n, err := db.PruneAttempts(ctx, time.Now().Add(999*time.Hour), 100)
	if must(t, n, err) == 0 {
		t.Error("nothing was sent")
	}
}

// place is a database with a project that has a hook.
func hooked(t *testing.T) (*DB, projects.Project, auth.User, webhooks.Hook) {
	t.Helper()
	return hookedIn(t, open(t))
}

func hookedIn(t *testing.T, db *DB) (*DB, projects.Project, auth.User, webhooks.Hook) {
	t.Helper()
	must(t, 0, db.UseKey(t.Context(), [KeySize]byte{1}))
	root := newUser(t, db, "root", false)
	g := newGroup(t, db, 0, "acme", access.Private, root.ID)
	p := newProject(t, db, g.ID, "tool", access.Private, root.ID)
	return db, p, root, newHook(t, db, p.ID)
}

func publish(t *testing.T, db *DB, projectID, userID int64, name string, noDuplicate bool) (registry.File, error) {
	t.Helper()
	return db.AddFile(t.Context(), registry.Publication{
		ProjectID: projectID, Coordinates: registry.Coordinates{Name: "n", Version: "1.0.0", File: registry.FileName(name)},
		CreatorID: userID, Size: 1, Digest: blob.Digest{1}, Small: []byte("x"), NoDuplicate: noDuplicate, Now: time.Now(),
	})
}

func claim(t *testing.T, db *DB, now time.Time) (webhooks.Delivery, bool) {
	t.Helper()
	d, err := db.ClaimDelivery(t.Context(), [4]int64{}, now)
	if fault.Is(err, fault.NotFound) {
		return d, false
	}
	return must(t, d, err), true
}

// A delivery waits if and only if its deed was done.
func TestOutboxGoesWithTheDeed(t *testing.T) {
	db, p, root, h := hooked(t)
	f, err := publish(t, db, p.ID, root.ID, "a", true)
	must(t, f, err)
	if _, err := publish(t, db, p.ID, root.ID, "a", true); !fault.Is(err, fault.KindOf(registry.ErrDuplicate())) {
		t.Fatalf("a duplicate: %v", err)
	}
	refused := errors.New("refused")
	r := registry.Removed{ProjectID: p.ID, PackageID: f.PackageID, UserID: root.ID, Now: time.Now()}
	if err := db.RemovePackage(t.Context(), r, func(registry.Package) (audit.Event, error) { return audit.Event{}, refused }); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	must(t, 0, db.RemoveFile(t.Context(), r, f.ID, func(registry.Package, registry.File) (audit.Event, error) { return audit.Event{}, nil }))
	must(t, 0, db.RemovePackage(t.Context(), r, func(registry.Package) (audit.Event, error) { return audit.Event{}, nil }))

	select {
	case <-db.Waiting():
	default:
		t.Error("nobody was woken")
	}
	var got []webhooks.Action
	for {
		d, ok := claim(t, db, time.Now())
		if !ok {
			break
		}
		got = append(got, d.Event.Action)
		if d.Hook.ID != h.ID || d.Hook.Target.Token != "secret-token" || d.Event.User.Username != "root" || d.Event.Project.FullPath != "acme/tool" ||
			d.Event.Package.Name != "n" || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
		if file := d.Event.File; (file == nil) != (d.Event.Action == webhooks.PackageDeleted) || file != nil && (file.ID != f.ID || file.SHA256 != f.Digest.String()) {
			t.Errorf("%s: file %+v", d.Event.Action, file)
		}
	}
	if want := []webhooks.Action{webhooks.FilePublished, webhooks.FileDeleted, webhooks.PackageDeleted}; !cmp.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
}

// Only hooks of this project that want package events get them.
func TestOutboxChoosesHooks(t *testing.T) {
	db, p, root, h := hooked(t)
	other := newProject(t, db, p.Namespace.ID, "other", access.Private, root.ID)
	f, err := publish(t, db, other.ID, root.ID, "a", false)
	must(t, f, err)
	quiet, err := db.UpdateHook(t.Context(), p.ID, h.ID, func(h *webhooks.Hook) (audit.Event, error) { h.Packages = false; return audit.Event{}, nil })
	must(t, quiet, err)
	f, err = publish(t, db, p.ID, root.ID, "a", false)
	must(t, f, err)
	if d, ok := claim(t, db, time.Now()); ok {
		t.Errorf("told %+v", d)
	}
}

// A claim lasts until its lease ends; a late finish changes nothing.
func TestLease(t *testing.T) {
	db, p, root, h := hooked(t)
	f, err := publish(t, db, p.ID, root.ID, "a", false)
	must(t, f, err)
	now := time.Now()
	first, ok := claim(t, db, now)
	if _, again := claim(t, db, now.Add(webhooks.Lease-time.Second)); !ok || again {
		t.Fatal("the lease does not hold", ok, again)
	}
	second, ok := claim(t, db, now.Add(webhooks.Lease+time.Second))
	if !ok || second.Key != first.Key || second.Attempts != 2 {
		t.Fatalf("after the lease: %v %+v", ok, second)
	}
	good := webhooks.Attempt{HookID: h.ID, Key: first.Key, Status: 200, CreatedAt: now}
	must(t, 0, db.FinishDelivery(t.Context(), first, good, now))
	if at, err := db.NextDelivery(t.Context(), [4]int64{}); err != nil || at.IsZero() {
		t.Errorf("the first took the delivery of the second away: %v %v", at, err)
	}
	if at, err := db.NextDelivery(t.Context(), [4]int64{h.ID}); err != nil || !at.IsZero() {
		t.Errorf("a busy hook's: %v %v", at, err)
	}
	must(t, 0, db.FinishDelivery(t.Context(), second, good, now))
	if at, err := db.NextDelivery(t.Context(), [4]int64{}); err != nil || !at.IsZero() {
		t.Errorf("left: %v %v", at, err)
	}
}

// A claimed delivery stays claimed until its lease ends, even if other claimed
// deliveries disable and enable its hook.
func TestRestLeavesLeases(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		db, p, root, h := hookedIn(t, db)
		now := time.Now().Add(time.Second)
		attempt := func(d webhooks.Delivery, status int) {
			must(t, 0, db.FinishDelivery(t.Context(), d, webhooks.Attempt{HookID: h.ID, Key: d.Key, Status: status, CreatedAt: now}, now))
		}
		for i := range 6 {
			f, err := publish(t, db, p.ID, root.ID, fmt.Sprint(i), false)
			must(t, f, err)
		}
		var inHand []webhooks.Delivery
		for range 6 {
			d, ok := claim(t, db, now)
			if !ok {
				t.Fatal("nothing to claim")
			}
			inHand = append(inHand, d)
		}
		for _, d := range inHand[:4] {
			attempt(d, 500)
		}
		attempt(inHand[4], 200)
		// The four are due at once, and the sixth is not.
		for range 4 {
			if d, ok := claim(t, db, now); !ok || d.Key == inHand[5].Key {
				t.Fatalf("claimed %v %+v", ok, d)
			}
		}
		if d, ok := claim(t, db, now.Add(webhooks.Lease-time.Second)); ok {
			t.Fatalf("claimed what is in somebody's hands: %+v", d)
		}
		claimed := map[string]bool{}
		for range 5 {
			d, _ := claim(t, db, now.Add(webhooks.Lease+time.Second))
			claimed[d.Key] = true
		}
		if len(claimed) != 5 || !claimed[inHand[5].Key] {
			t.Errorf("after the leases: %v", claimed)
		}
	})
}

// The deliveries of a hook that fails are put off; if it works again they are due at
// once; if it is dead they are dropped.
func TestResting(t *testing.T) {
	db, p, root, h := hooked(t)
	ctx := t.Context()
	for i := range 6 {
		f, err := publish(t, db, p.ID, root.ID, fmt.Sprint(i), false)
		must(t, f, err)
	}
	now := time.Now()
	note := func(status int) webhooks.Hook {
		must(t, 0, db.RecordAttempt(ctx, webhooks.Attempt{HookID: h.ID, Status: status, CreatedAt: now}))
		h, err := db.FindHook(ctx, p.ID, h.ID)
		return must(t, h, err)
	}
	for range 3 {
		if got := note(500); got.Alert(now) != "executable" {
			t.Fatalf("%+v", got)
		}
	}
	got := note(0)
	if got.Alert(now) != "temporarily_disabled" || got.Disabled.Sub(now).Round(time.Second) != 2*time.Minute || got.Alert(now.Add(3*time.Minute)) != "executable" {
		t.Fatalf("%+v", got)
	}
	if d, ok := claim(t, db, now.Add(time.Minute)); ok {
		t.Errorf("told while it rests: %+v", d)
	}
	f, err := publish(t, db, p.ID, root.ID, "while it rests", false)
	must(t, f, err)
	if d, ok := claim(t, db, now.Add(time.Minute)); ok {
		t.Errorf("told while it rests: %+v", d)
	}
	if got := note(204); got.Alert(now) != "executable" || got.Failures != 0 || got.Disabled != nil {
		t.Fatalf("%+v", got)
	}
	if _, ok := claim(t, db, now.Add(time.Second)); !ok {
		t.Error("not told though it works again")
	}
	for range 4 {
		note(500)
	}
	moved, err := db.UpdateHook(ctx, p.ID, h.ID, func(h *webhooks.Hook) (audit.Event, error) {
		h.Failures, h.Disabled = 0, nil
		return audit.Event{}, nil
	})
	must(t, moved, err)
	if _, ok := claim(t, db, time.Now()); !ok {
		t.Error("not told though its owner mended it")
	}
	for range 40 {
		got = note(404)
	}
	if got.Alert(now.Add(999*time.Hour)) != "disabled" {
		t.Errorf("after 40 failures: %+v", got)
	}
	f, err = publish(t, db, p.ID, root.ID, "to the dead", false)
	must(t, f, err)
	if at, err := db.NextDelivery(ctx, [4]int64{}); err != nil || !at.IsZero() {
		t.Errorf("something waits for the dead: %v %v", at, err)
	}
}

// The log of a hook is bounded, and the newest come first.
func TestAttemptsAreBounded(t *testing.T) {
	db, _, _, h := hooked(t)
	for i := range keptAttempts + 7 {
		must(t, 0, db.RecordAttempt(t.Context(), webhooks.Attempt{HookID: h.ID, Status: 200 + i%2, URL: "https://u", CreatedAt: time.Now()}))
	}
	found, err := db.ListAttempts(t.Context(), h.ID, webhooks.AttemptFilter{}, page.Request{Number: 1, Size: 100})
	if must(t, found, err); found.Total != keptAttempts || found.Rows[0].ID < found.Rows[1].ID || found.Rows[0].URL != "https://u" {
		t.Errorf("%d are kept, first %+v", found.Total, found.Rows[0])
	}
	found, err = db.ListAttempts(t.Context(), h.ID, webhooks.AttemptFilter{Statuses: [][2]int{{201, 201}, {500, 599}}}, page.Request{Number: 1, Size: 100})
	if must(t, found, err); found.Total != keptAttempts/2 {
		t.Errorf("%d of status 201", found.Total)
	}
}

// A delivery that cannot be read does not hold up the others.
func TestDamagedDeliveryIsDropped(t *testing.T) {
	db, p, root, _ := hooked(t)
	for _, name := range []string{"a", "b"} {
		f, err := publish(t, db, p.ID, root.ID, name, false)
		must(t, f, err)
	}
	must(t, 0, db.do(t.Context(), func(t tx) error { return t.Exec(`UPDATE hook_deliveries SET event = '{' WHERE id = 1`) }))
	if _, err := db.ClaimDelivery(t.Context(), [4]int64{}, time.Now()); !fault.Is(err, fault.Internal) {
		t.Errorf("the damaged one: %v", err)
	}
	if d, ok := claim(t, db, time.Now()); !ok || d.Event.File.Name != "b" {
		t.Errorf("the other: %v %+v", ok, d)
	}
	if _, ok := claim(t, db, time.Now().Add(time.Hour)); !ok {
		t.Error("the other is gone")
	}
}

// The secrets of a hook cannot be read from the database file, and a target copied to
// another project's hook cannot be opened there.
func TestHookSecretsAreSealed(t *testing.T) {
	db, p, root, h := hookedIn(t, openSQLite(t))
	must(t, 0, db.RecordAttempt(t.Context(), webhooks.Attempt{HookID: h.ID, Status: 200, URL: h.Target.URL, CreatedAt: time.Now()}))
	var file string
	must(t, 0, db.Row(t.Context(), `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&file))
	for _, name := range []string{file, file + "-wal"} {
		text, err := os.ReadFile(name)
		must(t, 0, err)
		for _, secret := range []string{"secret-path", "secret-token", "secret-value"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s is in %s", secret, name)
			}
		}
	}
	has, err := db.HasSecrets(t.Context())
	if must(t, has, err); !has {
		t.Error("a hook counts as no secret")
	}
	other := newProject(t, db, p.Namespace.ID, "other", access.Private, root.ID)
	copied := newHook(t, db, other.ID)
	must(t, 0, db.do(t.Context(), func(t tx) error {
		return t.Exec(`UPDATE hooks SET sealed = (SELECT o.sealed FROM hooks o WHERE o.id = $1) WHERE id = $2`, h.ID, copied.ID)
	}))
	if got, err := db.FindHook(t.Context(), other.ID, copied.ID); err == nil {
		t.Errorf("%+v", got)
	}
}

// Hooks end with their project, and with its group.
func TestHooksEndWithTheirPlace(t *testing.T) {
	for name, end := range map[string]func(*DB, projects.Project) error{
		"project": func(db *DB, p projects.Project) error {
			return db.DeleteProject(t.Context(), p.ID, time.Now(), audit.Event{})
		},
		"group": func(db *DB, p projects.Project) error {
			return db.DeleteGroup(t.Context(), p.Namespace.ID, time.Now(), audit.Event{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, p, root, h := hooked(t)
			f, err := publish(t, db, p.ID, root.ID, "a", false)
			must(t, f, err)
			must(t, 0, db.RecordAttempt(t.Context(), webhooks.Attempt{HookID: h.ID, Status: 200, CreatedAt: time.Now()}))
			must(t, 0, end(db, p))
			for _, table := range []string{"hooks", "hook_deliveries", "hook_attempts"} {
				var n int
				must(t, 0, db.Row(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n))
				if n != 0 {
					t.Errorf("%d rows are left in %s", n, table)
				}
			}
			if _, err := db.InsertHook(t.Context(), webhooks.Hook{ProjectID: p.ID}, roomy(), audit.Event{}); !fault.Is(err, fault.Hidden) {
				t.Errorf("a hook of what is gone: %v", err)
			}
		})
	}
}

// A delivery from before deliveries had traces has none; one from after has.
func TestDeliveryFromBeforeTraces(t *testing.T) {
	const before = 26
	path, dsn := filepath.Join(metadbtest.Memory(t), "old.db"), metadbtest.NewServer(t).DSN("granary")
	for name, open := range map[string]func(fs.FS) (*DB, error){
		"SQLite":     func(f fs.FS) (*DB, error) { return openLite(t.Context(), path, f, sqldb.Options{}) },
		"PostgreSQL": func(f fs.FS) (*DB, error) { return openServer(t.Context(), dsn, f, sqldb.Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			old, err := open(migrationsUpTo(t, before))
			_, p, root, h := hookedIn(t, must(t, old, err))
			event := `{"UUID":"u","Action":"publish","Project":{"ID":1}}`
			do(t, old, fmt.Sprintf(`INSERT INTO hook_deliveries (hook_id, key, event, attempts, due, created_at) VALUES (%d, 'old', '%s', 0, 5, 5)`, h.ID, event))
			must(t, 0, old.Close())
			db, err := open(files())
			closing(t, db, err)
			must(t, 0, db.UseKey(t.Context(), [KeySize]byte{1}))
			sent := trace.Context{ID: "4bf92f3577b34da6a3ce929d0e0e4736", Span: "00f067aa0ba902b7"}
			_, err = db.AddFile(trace.With(t.Context(), sent), registry.Publication{
				ProjectID: p.ID, Coordinates: registry.Coordinates{Name: "n", Version: "1.0.0", File: "f"},
				CreatorID: root.ID, Size: 1, Digest: blob.Digest{1}, Small: []byte("x"), Now: time.Now(),
			})
			must(t, 0, err)
			first, ok := claim(t, db, time.Now())
			if !ok || first.Key != "old" || first.Trace.Valid() {
				t.Errorf("the old one: %v %+v", ok, first)
			}
			if second, ok := claim(t, db, time.Now()); !ok || second.Trace.ID != sent.ID || second.Trace.Parent != sent.Span {
				t.Errorf("the new one: %v %+v", ok, second)
			}
		})
	}
}
