package metadb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/records"
	"granary/internal/registry"
	"granary/internal/sqldb"

	"github.com/google/go-cmp/cmp"
)

// exportOf is a file of all records.
func exportOf(t testing.TB, db *DB, o records.ExportOptions) []byte {
	t.Helper()
	var file bytes.Buffer
	s, err := records.Export(t.Context(), &file, db, o)
	must(t, s, err)
	return file.Bytes()
}

// inMemory is a file for Replay.
func inMemory(name string, file []byte) records.File {
	return records.File{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file)), nil }}
}

// moved exports a database and replays it in another.
func moved(t testing.TB, from, to *DB) error {
	t.Helper()
	_, err := records.Replay(t.Context(), to, []records.File{inMemory("export", exportOf(t, from, allRows()))})
	return err
}

// publishTo adds a file of a few bytes, a NUL among them.
func publishTo(t *testing.T, db *DB, projectID int64, version int) registry.File {
	t.Helper()
	body := []byte{byte(version), 0, 0xff}
	f, err := db.AddFile(t.Context(), registry.Publication{
		ProjectID: projectID, Size: int64(len(body)), Digest: sha256.Sum256(body), Small: body, Now: time.Now(),
		Coordinates: registry.Coordinates{Name: "tool", Version: registry.Version(fmt.Sprintf("1.0.%d", version)), File: "a.bin"},
	})
	return must(t, f, err)
}

func rowsOf(t *testing.T, db *DB, table string) (n int64) {
	t.Helper()
	if err := db.Row(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// lived is a database with users, places, a token, versions, an empty file, and a user
// whose row is gone.
func lived(t *testing.T, db *DB) (projectID, gone int64) {
	t.Helper()
	root := newUser(t, db, "root", false)
	outer := newGroup(t, db, 0, "outer", access.Private, root.ID)
	inner := newGroup(t, db, outer.ID, "inner", access.Private, root.ID)
	made := newProject(t, db, inner.ID, "project", access.Private, root.ID)
	newToken(t, db, root.ID, "gnpat-secret")
	for version := range 30 {
		publishTo(t, db, made.ID, version)
	}
	empty, err := db.AddFile(t.Context(), registry.Publication{
		ProjectID: made.ID, Digest: sha256.Sum256(nil), Small: []byte{}, Now: time.Now(),
		Coordinates: registry.Coordinates{Name: "tool", Version: "1.0.0", File: "empty"},
	})
	must(t, empty, err)
	last := newUser(t, db, "gone", false)
	do(t, db, `DELETE FROM routes WHERE namespace_id = (SELECT id FROM namespaces WHERE path = 'gone')`,
		`DELETE FROM namespaces WHERE path = 'gone'`, `DELETE FROM users WHERE username = 'gone'`)
	return made.ID, last.ID
}

// schemaOf is what a database's schema says of indexes, keys and triggers.
func schemaOf(t *testing.T, db *DB) []string {
	t.Helper()
	query := `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'goose%' ORDER BY sql`
	if db.Shared() {
		query = `SELECT pg_get_indexdef(indexrelid) AS d FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = current_schema()::regnamespace
			UNION ALL SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) || CAST(condeferrable AS TEXT) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
			UNION ALL SELECT pg_get_triggerdef(t.oid) || CAST(tgenabled AS TEXT) FROM pg_trigger t WHERE NOT tgisinternal
			UNION ALL SELECT table_name || column_name || data_type || COALESCE(column_default, '') || is_nullable FROM information_schema.columns WHERE table_schema = current_schema()
			UNION ALL SELECT p.oid::regprocedure || p.prosrc FROM pg_proc p WHERE pronamespace = current_schema()::regnamespace ORDER BY d`
	}
	texts, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (text string, err error) { return text, row.Scan(&text) }, query)
	return must(t, texts, err)
}

// A database that was replayed from another, of any kind, works like it: tokens, bytes,
// lists, triggers, foreign keys and counters; ids are not given again. A replay into a
// database with records changes nothing.
func TestReplayIsLikeTheOriginal(t *testing.T) {
	eachDatabase(t, func(t *testing.T, from *DB) {
		projectID, gone := lived(t, from)
		file := exportOf(t, from, allRows())
		eachDatabase(t, func(t *testing.T, to *DB) {
			schema := schemaOf(t, to)
			s, err := records.Replay(t.Context(), to, []records.File{inMemory("export", file)})
			must(t, s, err)
			if diff := cmp.Diff(schema, schemaOf(t, to)); diff != "" || len(schema) < 100 {
				t.Errorf("the schema of %d parts, -before +after:\n%s", len(schema), diff)
			}
			for _, table := range s.Tables {
				if n := rowsOf(t, from, table.Name); n != rowsOf(t, to, table.Name) || table.Rows != n {
					t.Errorf("%s has %d rows, was told to have %d, and had %d", table.Name, rowsOf(t, to, table.Name), table.Rows, n)
				}
			}
			wantLikeOriginal(t, to, projectID, gone)
			refuses(t, to, inMemory("export", file), "the target must be an empty database")
		})
	})
}

func wantLikeOriginal(t *testing.T, db *DB, projectID, gone int64) {
	t.Helper()
	if token, err := db.FindToken(t.Context(), auth.DigestOf("gnpat-secret")); err != nil || token.User.Username != "root" {
		t.Errorf("the token finds %+v, %v", token, err)
	}
	f, small, err := db.FindFile(t.Context(), projectID, registry.Coordinates{Name: "tool", Version: "1.0.7", File: "a.bin"})
	if err != nil || string(small) != "\x07\x00\xff" {
		t.Errorf("the file is %+v, %q, %v", f, small, err)
	}
	_, small, err = db.FindFile(t.Context(), projectID, registry.Coordinates{Name: "tool", Version: "1.0.0", File: "empty"})
	if err != nil || small == nil || len(small) > 0 {
		t.Errorf("the empty file is %q, %v", small, err)
	}
	publishTo(t, db, projectID, 31)
	if later := newUser(t, db, "later", false); later.ID <= gone {
		t.Errorf("the id %d of a user that is gone is given again: %d", gone, later.ID)
	}
	listed, err := db.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{projectID}, Name: registry.NameFilter{Terms: []string{"oo"}}},
		page.Request{Number: 1, Size: 100, OrderBy: "created_at"})
	if err != nil || listed.Total != 31 || len(listed.Rows) != 31 {
		t.Errorf("%d packages are listed, %v", listed.Total, err)
	}
	must(t, 0, db.SumCounters(t.Context()))
	if n := count(t, db, `SELECT CAST(SUM(packages) AS BIGINT) FROM package_counts`); n != 31 {
		t.Errorf("%d packages are counted, want 31", n)
	}
}

// refuses replays files into a database, and wants an error and nothing changed.
func refuses(t *testing.T, to *DB, file records.File, words string) {
	t.Helper()
	schema, users := schemaOf(t, to), rowsOf(t, to, "users")
	if _, err := records.Replay(t.Context(), to, []records.File{file}); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, want %q in it", err, words)
	}
	if diff := cmp.Diff(schema, schemaOf(t, to)); diff != "" || rowsOf(t, to, "users") != users {
		t.Errorf("%d users, had %d; the schema, -before +after:\n%s", rowsOf(t, to, "users"), users, diff)
	}
}

// A replay that fails leaves an empty database, which takes the next.
func TestReplayThatFails(t *testing.T) {
	from := openSQLite(t)
	lived(t, from)
	file := exportOf(t, from, allRows())
	cut, stop := context.WithCancel(t.Context())
	eachDatabase(t, func(t *testing.T, to *DB) {
		refuses(t, to, inMemory("short", file[:len(file)-100]), "short, line ")
		stop()
		if _, err := records.Replay(cut, to, []records.File{inMemory("export", file)}); err == nil {
			t.Error("a replay whose caller is gone succeeds")
		}
		if n := rowsOf(t, to, "users") + rowsOf(t, to, "blobs"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		s, err := records.Replay(t.Context(), to, []records.File{inMemory("export", file)})
		must(t, s, err)
	})
}
