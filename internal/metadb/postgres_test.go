package metadb

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
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
)

// The migrations of both schemas have the same names, and make the same tables and
// columns: name, type and whether it is nullable.
func TestSchemasAgree(t *testing.T) {
	names := func(folder string) []string {
		entries, err := fs.Glob(files(), folder+"/*.sql")
		must(t, entries, err)
		for i := range entries {
			entries[i] = strings.TrimPrefix(entries[i], folder)
		}
		return entries
	}
	if diff := cmp.Diff(names("sqlite"), names("postgres")); diff != "" {
		t.Errorf("steps, -sqlite +postgres:\n%s", diff)
	}
	columns := func(db *DB, query string) []string {
		found, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (string, error) {
			var table, column, kind, index string
			var required bool
			err := row.Scan(&table, &column, &kind, &required, &index)
			return fmt.Sprint(table, ".", column, " ", kind, " ", required, index), err
		}, query)
		return must(t, found, err)
	}
	// Only one has these: goose's table, the index of parts, the turn, and the rows
	// that SumCounters sums.
	const apart = ` NOT LIKE 'goose%' ESCAPE '\' AND t.name NOT LIKE '%package_names_parts%' ESCAPE '\' AND t.name NOT IN ('permission_changes', 'package_name_changes', 'sqlite_sequence')`
	lite := columns(openSQLite(t), `SELECT t.name, c.name, c.type, c."notnull" OR c.pk > 0, '' FROM sqlite_master t JOIN pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name`+apart+` ORDER BY t.name, c.name`)
	post := columns(openPostgres(t, sqldb.Options{}), `SELECT t.name, c.column_name,
			CASE c.data_type WHEN 'bigint' THEN 'INTEGER' WHEN 'text' THEN 'TEXT ' || COALESCE(c.collation_name, 'none') WHEN 'bytea' THEN 'BLOB' ELSE c.data_type END,
			c.is_nullable = 'NO', ''
		FROM (SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public') t
		JOIN information_schema.columns c ON c.table_name = t.name WHERE t.name`+apart+` ORDER BY t.name COLLATE "C", c.column_name COLLATE "C"`)
	for i := range post {
		post[i] = strings.Replace(post[i], "TEXT C ", "TEXT ", 1)
	}
	if diff := cmp.Diff(lite, post); diff != "" {
		t.Errorf("columns, -sqlite +postgres:\n%s", diff)
	}
}

func demo(t *testing.T, db *DB) projects.Project {
	t.Helper()
	root := newUser(t, db, "root", false)
	return newProject(t, db, root.NamespaceID, "demo", access.Private, root.ID)
}

func publication(projectID int64, version, file string) registry.Publication {
	body := []byte(version + "/" + file)
	return registry.Publication{
		ProjectID: projectID, Coordinates: registry.Coordinates{Name: "tool", Version: registry.Version(version), File: registry.FileName(file)},
		Size: int64(len(body)), Digest: sha256.Sum256(body), Small: body, Now: time.Now(),
	}
}

// Sixteen publishers into one project, and into one version, all succeed while the
// purge deletes what others removed; counters and lists are exact afterwards.
func TestManyPublishers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		var all sync.WaitGroup
		var left atomic.Int64
		for who := range 16 {
			all.Go(func() {
				for n := range 6 {
					own := publication(p.ID, fmt.Sprintf("1.%d.%d", who, n), "f")
					own.Digest = blob.Digest{byte(n)} // bytes that all publish, in turn
					own.Small = []byte{byte(n)}
					for _, pub := range []registry.Publication{own, publication(p.ID, "0.0.1", fmt.Sprint(who, "-", n))} {
						f, err := db.AddFile(t.Context(), pub)
						if err != nil {
							t.Errorf("%v: %v", pub.Coordinates, err)
							continue
						}
						if pub.Coordinates.Version == "0.0.1" || n%2 == 0 {
							continue
						}
						if err := db.RemovePackage(t.Context(), registry.Removed{ProjectID: p.ID, PackageID: f.PackageID, Now: time.Now()}, func(registry.Package) (audit.Event, error) { return audit.Event{}, nil }); err != nil {
							t.Error(err)
						}
						left.Add(-1)
					}
				}
			})
		}
		all.Go(func() {
			for range 10 {
				if _, err := db.PurgeDeleted(t.Context(), 5, time.Now()); err != nil {
					t.Error("purge:", err)
				}
				if err := db.SumCounters(t.Context()); err != nil {
					t.Error("fold:", err)
				}
			}
		})
		all.Wait()
		for {
			n, err := db.PurgeDeleted(t.Context(), 50, time.Now())
			if must(t, n, err) == 0 {
				break
			}
		}
		must(t, 0, db.SumCounters(t.Context()))
		found, err := db.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{p.ID}}, page.Request{Number: 1, Size: 100})
		must(t, found, err)
		want := 16*6 + 1 + int(left.Load())
		if found.Total != want || len(found.Rows) != want {
			t.Errorf("the list says %d and has %d, want %d", found.Total, len(found.Rows), want)
		}
		var names, listed, wrong int
		must(t, 0, db.Row(t.Context(), `SELECT COUNT(*), SUM(listed) FROM package_names`).Scan(&names, &listed))
		must(t, 0, db.Row(t.Context(), `SELECT COUNT(*) FROM blobs b WHERE b.files <> (SELECT COUNT(*) FROM package_files f WHERE f.blob_id = b.id)`).Scan(&wrong))
		if names != 1 || listed != want || wrong != 0 {
			t.Errorf("%d names, %d listed, %d blobs with a wrong count; want 1, %d, 0", names, listed, wrong, want)
		}
	})
}

// The sweep law (design 5), forced: while the sweep has removed the bytes and not
// committed yet, a publisher of the same bytes waits in PinBlob. Afterwards it finds
// them gone.
func TestPublisherWaitsForTheSweep(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		ctx := t.Context()
		bytes := blob.Digest{7}
		old := time.Now().Add(-48 * time.Hour)
		must(t, 0, db.PinBlob(ctx, bytes, 1, old))
		var stored atomic.Bool
		stored.Store(true)
		removed, commit := make(chan struct{}), make(chan struct{})
		swept := make(chan error, 1)
		go func() {
			_, found, err := db.SweepBlob(ctx, old.Add(time.Hour), func(d blob.Digest) error {
				if d != bytes {
					return errors.New("another blob")
				}
				stored.Store(false)
				close(removed)
				<-commit
				return nil
			})
			if err == nil && !found {
				err = errors.New("nothing was swept")
			}
			swept <- err
		}()
		<-removed
		pinned := make(chan error, 1)
		go func() { pinned <- db.PinBlob(ctx, bytes, 1, time.Now()) }()
		select {
		case err := <-pinned:
			t.Fatalf("the publisher passed its pin (%v) before the sweep had committed", err)
		case <-time.After(300 * time.Millisecond):
		}
		close(commit)
		must(t, 0, <-swept)
		must(t, 0, <-pinned)
		if stored.Load() {
			t.Error("the publisher finds bytes that the sweep removed")
		}
		pub := publication(p.ID, "1.0.0", "f")
		pub.Digest, pub.Small, pub.Size = bytes, nil, 1
		f, err := db.AddFile(ctx, pub)
		must(t, f, err)
	})
}

// The reverse: a sweep that finds the row pinned meanwhile leaves the bytes.
func TestSweepLeavesWhatIsPinned(t *testing.T) {
	db := openPostgres(t, sqldb.Options{})
	ctx := t.Context()
	bytes := blob.Digest{7}
	old := time.Now().Add(-48 * time.Hour)
	must(t, 0, db.PinBlob(ctx, bytes, 1, old))
	pinned, commit := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- db.do(ctx, func(t tx) error {
			err := t.pinBlob(bytes, 1, time.Now())
			close(pinned)
			<-commit
			return err
		})
	}()
	<-pinned
	swept := make(chan error, 1)
	go func() {
		_, found, err := db.SweepBlob(ctx, old.Add(time.Hour), func(blob.Digest) error { return errors.New("removed what is pinned") })
		if found {
			err = errors.New("swept what is pinned")
		}
		swept <- err
	}()
	waiting(t, db)
	close(commit)
	must(t, 0, <-done)
	must(t, 0, <-swept)
}

// waiting returns once a connection waits for a lock.
func waiting(t *testing.T, db *DB) {
	t.Helper()
	waitingMany(t, db, 1)
}

// A request reads the epoch once: its project is as fresh as its token. It sees
// changes made before its token was looked up.
func TestRequestsAskOnce(t *testing.T) {
	db := openPostgres(t, sqldb.Options{})
	p := demo(t, db)
	ada := newUser(t, db, "ada", false)
	newToken(t, db, ada.ID, "secret")
	ask, asked := db.epochs.ask, 0
	db.epochs.ask = func(ctx context.Context) (int64, error) { asked++; return ask(ctx) }
	request := func() context.Context {
		ctx := WithRequest(t.Context())
		token, err := db.FindToken(ctx, auth.DigestOf("secret"))
		must(t, token, err)
		return ctx
	}
	roleIn := func(ctx context.Context) access.Role {
		place, err := db.FindPackageProject(ctx, "root/demo", actorOf(ada))
		return must(t, place, err).Standing.Role
	}
	roleIn(request())
	early := request()
	if roleIn(early); asked != 2 {
		t.Errorf("two requests asked %d times", asked)
	}
	newMember(t, db, projects.Place{ProjectID: p.ID}, ada.ID, access.Developer)
	if role := roleIn(request()); role != access.Developer {
		t.Errorf("a request after the change finds %v", role)
	}
	if role := roleIn(early); role != access.Developer {
		t.Errorf("an old request finds %v, though what it knew is forgotten", role)
	}
	if roleIn(t.Context()); asked != 4 {
		t.Errorf("without a request it asked %d times in all, want 4", asked)
	}
}

// Another node sees a change at its next request; a new file, too.
func TestNodesSeeEachOther(t *testing.T) {
	dsn := metadbtest.Postgres(t, migrated)
	node := func() *DB {
		db, err := OpenPostgres(t.Context(), dsn, sqldb.Options{MaxConnections: 4})
		return closing(t, db, err)
	}
	a, b := node(), node()
	ctx := t.Context()
	p := demo(t, a)
	ada := newUser(t, a, "ada", false)
	newMember(t, a, projects.Place{ProjectID: p.ID}, ada.ID, access.Developer)
	pat := newToken(t, a, ada.ID, "secret")
	for range 2 {
		_, err := b.FindToken(ctx, auth.DigestOf("secret"))
		must(t, 0, err)
		place, err := b.FindPackageProject(ctx, "root/demo", actorOf(ada))
		if must(t, place, err).Standing.Role != access.Developer || !place.FlagOn {
			t.Errorf("before: %+v", place)
		}
	}
	must(t, 0, a.RevokePersonalTokens(ctx, pat.ID, false, audit.Event{}))
	_, err := a.UpdateMember(ctx, projects.Place{ProjectID: p.ID}, access.Actor{}, ada.ID, toRole(access.Guest))
	must(t, 0, err)
	_, err = a.SetFeature(ctx, projects.GenericPackages, projects.FeatureChange{Value: new(false)}, roomy(), roomy(), audit.Event{})
	must(t, 0, err)
	token, err := b.FindToken(ctx, auth.DigestOf("secret"))
	if !must(t, token, err).Personal.Revoked {
		t.Error("the other node takes a revoked token")
	}
	place, err := b.FindPackageProject(ctx, "root/demo", actorOf(ada))
	if must(t, place, err).Standing.Role != access.Guest || place.FlagOn {
		t.Errorf("the other node has %+v", place.Standing)
	}

	pub := publication(p.ID, "1.0.0", "f")
	if _, _, err := b.FindFile(ctx, p.ID, pub.Coordinates); !fault.Is(err, fault.NotFound) {
		t.Errorf("before it is published: %v", err)
	}
	var packageID int64
	for range 2 {
		f, err := a.AddFile(ctx, pub)
		packageID = must(t, f, err).PackageID
		found, _, err := b.FindFile(ctx, p.ID, pub.Coordinates)
		if must(t, found, err).ID != f.ID {
			t.Errorf("the other node finds file %d, want %d", found.ID, f.ID)
		}
	}
	must(t, 0, a.RemovePackage(ctx, registry.Removed{ProjectID: p.ID, PackageID: packageID, Now: time.Now()}, func(registry.Package) (audit.Event, error) { return audit.Event{}, nil }))
	if _, _, err := b.FindFile(ctx, p.ID, pub.Coordinates); !fault.Is(err, fault.NotFound) {
		t.Errorf("after it was removed: %v", err)
	}
}

// Read-modify-write of one record is serialized: no update is lost.
func TestChangesTakeTurns(t *testing.T) {
	db := openPostgres(t, sqldb.Options{})
	p := demo(t, db)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			_, err := db.UpdateProject(context.Background(), p.ID, func(p *projects.Project) ([]audit.Event, error) {
				p.Description += "x"
				return nil, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := db.FindProject(t.Context(), "root/demo", access.Actor{})
	if must(t, got, err).Description != strings.Repeat("x", 16) {
		t.Errorf("%q", got.Description)
	}
}

// Nodes that start together make one schema, and accept only one key.
func TestNodesStartTogether(t *testing.T) {
	dsn := metadbtest.NewServer(t).DSN("granary")
	var all sync.WaitGroup
	var wrong atomic.Int64
	for n := range 4 {
		all.Go(func() {
			db, err := OpenPostgres(context.Background(), dsn, sqldb.Options{MaxConnections: 4})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			err = db.UseKey(context.Background(), [KeySize]byte{byte(n % 2)})
			switch {
			case errors.Is(err, ErrWrongKey):
				wrong.Add(1)
			case err != nil:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if wrong.Load() != 2 {
		t.Errorf("%d keys were refused, want the two of one kind", wrong.Load())
	}
}

// Publishers get only success and Unavailable while the server crashes and restarts;
// what was acknowledged is kept, and connections recover.
func TestServerCrash(t *testing.T) {
	server := metadbtest.NewServer(t)
	db, err := OpenPostgres(t.Context(), server.DSN("granary"), sqldb.Options{})
	closing(t, db, err)
	p := demo(t, db)
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	stop := make(chan struct{})
	var all sync.WaitGroup
	for who := range 8 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				version := fmt.Sprintf("1.%d.%d", who, n)
				_, err := db.AddFile(context.Background(), publication(p.ID, version, "f"))
				switch {
				case err == nil:
					mu.Lock()
					acknowledged[version] = true
					mu.Unlock()
				case !fault.Is(err, fault.Unavailable):
					t.Errorf("%s: %v (kind %v)", version, err, fault.KindOf(err))
				default:
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	progress := func() {
		mu.Lock()
		before := len(acknowledged)
		mu.Unlock()
		for now := before; now < before+20; time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			now = len(acknowledged)
			mu.Unlock()
		}
	}
	for range 2 {
		progress()
		must(t, 0, server.Kill())
		if err := db.Ping(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("while it is away: %v", err)
		}
		if _, err := db.FindPackageProject(t.Context(), "root/demo", access.Actor{}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("while it is away: %v", err)
		}
		must(t, 0, server.Start())
		progress()
	}
	close(stop)
	all.Wait()
	for version := range acknowledged {
		_, small, err := db.FindFile(t.Context(), p.ID, publication(p.ID, version, "f").Coordinates)
		if err != nil || string(small) != version+"/f" {
			t.Errorf("%s was acknowledged: %q, %v", version, small, err)
		}
	}
	var half int
	must(t, 0, db.Row(t.Context(), `SELECT COUNT(*) FROM packages k WHERE NOT EXISTS (SELECT 1 FROM package_files f WHERE f.package_id = k.id)`).Scan(&half))
	if half != 0 {
		t.Errorf("%d packages without a file", half)
	}
}

// A refusal says what to do, and contains no password.
func TestPostgresRefusals(t *testing.T) {
	server := metadbtest.NewServer(t)
	newer := func() string {
		db, err := OpenPostgres(t.Context(), server.DSN("granary"), sqldb.Options{})
		must(t, db, err)
		must(t, 0, db.do(t.Context(), func(t tx) error {
			return t.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
		}))
		must(t, 0, db.Close())
		return server.DSN("granary")
	}()
	server.Run(t, `CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0`)
	for _, tc := range []struct{ dsn, want string }{
		{newer, "schema version 9999, newer than"},
		{server.DSN("latin"), "its encoding is LATIN1"},
		{server.DSN("missing"), `database "missing" does not exist`},
		{"postgres://u:s3cret@127.0.0.1:1/db", "it did not answer for 10ms"},
		{"postgres://u:s3cret@h:port/db", "the database's address"},
	} {
		db, err := OpenPostgres(t.Context(), tc.dsn, sqldb.Options{StartWait: 10 * time.Millisecond})
		if err == nil {
			t.Error(errors.Join(errors.New(tc.want), db.Close()))
			continue
		}
		if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("want %q in: %v", tc.want, err)
		}
	}
}

// Text that PostgreSQL cannot store is the caller's fault, not the server's.
func TestZeroBytes(t *testing.T) {
	db := openPostgres(t, sqldb.Options{})
	if _, err := db.ListUsers(t.Context(), auth.UserFilter{Username: "a\x00b"}, page.Request{Number: 1, Size: 1}); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}

// The queries of every request use an index on PostgreSQL, with tables large enough
// for that to matter.
func TestPostgresUsesIndexes(t *testing.T) {
	db, ids := shelfOf(t, openPostgres(t, sqldb.Options{}), 20000, 100, 0)
	seed(t, db, ids[2], 5000, 1)
	must(t, 0, db.do(t.Context(), func(t tx) error {
		return t.Exec(`ANALYZE`)
	}))
	explain := func(query string, args ...any) string {
		steps, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (s string, err error) { return s, row.Scan(&s) }, "EXPLAIN "+query, args...)
		return strings.Join(must(t, steps, err), "\n")
	}
	scan := regexp.MustCompile(`Seq Scan on (packages|package_names)\b`)
	check := func(name, plan, index string) {
		if scan.MatchString(plan) || !strings.Contains(plan, index) {
			t.Errorf("%s does not use %s:\n%s", name, index, plan)
		}
	}
	check("file", explain(findFileQuery, "f", ids[0], "lib-000000", "1.0.1"), "packages_version")
	for order, index := range map[string]string{"created_at": "packages_listed", "name": "packages_version", "version": "packages_listed_version"} {
		for _, f := range []registry.PackageFilter{
			{Projects: ids[:1]}, {Projects: ids},
			{Projects: ids[:1], Name: registry.NameFilter{Terms: []string{"b-001eef"}}},
		} {
			r := &recorder{Queries: db}
			l := lister{db: db, q: r, f: f, p: page.Request{Number: 1, Size: 20, OrderBy: order}}
			must(t, 0, l.chooseNames(t.Context()))
			_, err := l.rows(t.Context(), leg{take: 20})
			must(t, 0, err)
			uses := index
			if l.names.query != "" {
				uses = "packages_version"
			}
			check(fmt.Sprint(order, " of ", f), explain(r.texts[len(r.texts)-1], r.args[len(r.args)-1]...), uses)
		}
	}
}
