package metadb

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"granary/internal/metadb/metadbtest"
	"granary/internal/records"
	"granary/internal/sqldb"

	"github.com/google/go-cmp/cmp"
)

// migrationsUpTo are the migrations up to a version.
func migrationsUpTo(t *testing.T, version int) fs.FS {
	t.Helper()
	older := fstest.MapFS{}
	must(t, 0, fs.WalkDir(files(), ".", func(path string, d fs.DirEntry, err error) error {
		var n int
		if err != nil || d.IsDir() {
			return err
		}
		if _, err := fmt.Sscanf(filepath.Base(path), "%d_", &n); err != nil || n > version {
			return err
		}
		text, err := fs.ReadFile(files(), path)
		older[path] = &fstest.MapFile{Data: text}
		return err
	}))
	return older
}

// olderFile is a file of the rows of a database with an older schema, with two versions
// of which that schema says nothing more than their names.
func olderFile(t *testing.T, version int) []byte {
	t.Helper()
	db, err := openLite(t.Context(), filepath.Join(metadbtest.Memory(t), "old.db"), migrationsUpTo(t, version), sqldb.Options{})
	closing(t, db, err)
	do(t, db,
		`INSERT INTO users (username, username_key, name, email, email_key, admin, external, blocked, can_create_group, projects_limit, note, created_at)
			VALUES ('root', 'root', 'Root', 'r@example.com', 'r@example.com', 1, 0, 0, 1, 100, '', 5)`,
		`INSERT INTO namespaces (owner_id, name, path, description, visibility, created_at, updated_at) VALUES (1, 'root', 'root', '', 0, 5, 5)`,
		`INSERT INTO projects (namespace_id, name, path, description, visibility, default_branch, topics, package_access, archived, creator_id, job_token_scope, created_at, updated_at)
			VALUES (1, 'tool', 'tool', '', 20, 'main', '', 20, 0, 1, 1, 5, 5)`,
		`INSERT INTO routes (path_key, path, namespace_id, redirect) VALUES ('root', 'root', 1, 0)`,
		`INSERT INTO routes (path_key, path, project_id, redirect) VALUES ('root/tool', 'root/tool', 1, 0)`,
		`INSERT INTO blobs (digest, size, files, touched_at) VALUES (randomblob(32), 7, 2, 5)`,
		`INSERT INTO packages (project_id, name, version, status, created_at, updated_at) VALUES (1, 'tool', '1.0.0', 'default', 5, 5), (1, 'tool', '1.1.0', 'hidden', 6, 6)`,
		`INSERT INTO package_files (package_id, blob_id, file_name, status, created_at) VALUES (1, 1, 'a', 'default', 5), (2, 1, 'a', 'default', 6)`)
	var file bytes.Buffer
	w, err := records.NewWriter(&file)
	must(t, w, err)
	must(t, 0, db.LongSnapshot(t.Context(), func(q sqldb.Queries) error {
		h := records.Header{Kind: records.KindBase}
		err := errors.Join(db.describe(t.Context(), q, &h), w.Begin(h))
		there, err2 := sqldb.List(t.Context(), q, func(row sqldb.Scanner) (name string, err error) { return name, row.Scan(&name) }, `SELECT name FROM sqlite_schema`)
		tables := slices.DeleteFunc(exported(allRows()), func(table recordTable) bool { return !slices.Contains(there, table.name) })
		for _, table := range tables {
			err = errors.Join(err, writeTable(t.Context(), q, w, table))
		}
		return errors.Join(err, err2, db.writeLast(t.Context(), q, w, tables))
	}))
	s, err := w.End()
	must(t, s, err)
	return file.Bytes()
}

// TestReplayOfAnOlderSchema: records of any older schema are replayed, and the schema is
// then as if it had grown with them. A delta may be of a later one than its base. What
// fails on the way leaves the empty database as it was.
func TestReplayOfAnOlderSchema(t *testing.T) {
	for _, version := range []int{9, 18, 22} {
		file := olderFile(t, version)
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, to *DB) {
				before := schemaOf(t, to)
				refuses(t, to, inMemory("short", file[:len(file)-1]), "short, line ")
				newest := count(t, to, `SELECT MAX(version_id) FROM goose_db_version`)
				later := deltaOf(t, to, 0, 0, func(_ sqldb.Queries, w *records.Writer) error {
					return errors.Join(w.Table("packages", []string{"id", "project_id", "name", "version", "status", "created_at", "updated_at", "yanked_at"}),
						w.Row([]any{int64(2), int64(1), "tool", "1.1.0", "default", int64(6), int64(7), int64(8)}))
				})
				files := []records.File{inMemory("base", file)}
				if version >= 18 {
					files = append(files, inMemory("delta", later))
				}
				s, err := records.Replay(t.Context(), to, files)
				must(t, s, err)
				if diff := cmp.Diff(before, schemaOf(t, to)); diff != "" || count(t, to, `SELECT MAX(version_id) FROM goose_db_version`) != newest {
					t.Errorf("the schema, -want +got:\n%s", diff)
				}
				_, err = to.KeyVersions(t.Context(), 100)
				must(t, 0, err)
				wantDerived(t, to)
				if n := count(t, to, `SELECT COUNT(*) FROM packages WHERE status = 'default' AND yanked_at IS NULL AND final_at IS NULL`); n != 1 {
					t.Errorf("%d versions are default and not yanked", n)
				}
				if later := newUser(t, to, "later", false); later.ID != 2 {
					t.Errorf("the next user is %d, want 2", later.ID)
				}
			})
		})
	}
}

// TestReplayOfFormat1: a file of format 1 is replayed for ever. The build that brought the
// format wrote it, from what TestRoundTripOfEveryDeed leaves: rows of every table of then.
func TestReplayOfFormat1(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("testdata", "records-1.jsonl.zst"))
	must(t, file, err)
	eachDatabase(t, func(t *testing.T, to *DB) {
		s, err := records.Replay(t.Context(), to, []records.File{inMemory("records-1", file)})
		must(t, s, err)
		if len(s.Tables) != 37 || s.Schema != 23 || s.Identity != "C764M6I4KLDXFPCCFY3ITUNEKO" {
			t.Errorf("%d tables of schema %d and store %s", len(s.Tables), s.Schema, s.Identity)
		}
		for _, table := range s.Tables {
			if n := rowsOf(t, to, table.Name); n == 0 || n != table.Rows {
				t.Errorf("table %s has %d rows, and the file %d", table.Name, n, table.Rows)
			}
		}
		_, err = to.KeyVersions(t.Context(), 10_000)
		must(t, 0, err)
		wantDerived(t, to)
	})
}

// TestReplayLeavesWhatOthersHave: PostgreSQL's schema may have tables of others. They stay
// as they are, also if the schema is made anew.
func TestReplayLeavesWhatOthersHave(t *testing.T) {
	older := olderFile(t, 18)
	from := openSQLite(t)
	newUser(t, from, "root", false)
	for _, file := range [][]byte{older, exportOf(t, from, allRows())} {
		to := openPostgres(t, sqldb.Options{})
		do(t, to, `CREATE TABLE parrots (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name TEXT NOT NULL, mate BIGINT REFERENCES parrots (id))`,
			`CREATE INDEX parrots_name ON parrots (name)`, `CREATE TABLE cages (number BIGINT GENERATED BY DEFAULT AS IDENTITY)`,
			`INSERT INTO parrots (name, mate) VALUES ('Polly', 1)`)
		before := schemaOf(t, to)
		s, err := records.Replay(t.Context(), to, []records.File{inMemory("file", file)})
		must(t, s, err)
		if diff := cmp.Diff(before, schemaOf(t, to)); diff != "" || rowsOf(t, to, "parrots") != 1 {
			t.Errorf("%d parrots are left; the schema, -want +got:\n%s", rowsOf(t, to, "parrots"), diff)
		}
	}
}

// TestReplayOfPurgesBeforeAnUpgrade: what was purged, and no delta tells, is gone before the
// schema of a later delta has indexes and foreign keys.
func TestReplayOfPurgesBeforeAnUpgrade(t *testing.T) {
	for _, version := range []int{9, 22} {
		base := olderFile(t, version)
		eachDatabase(t, func(t *testing.T, to *DB) {
			purged := olderDelta(t, int64(version), func(w *records.Writer) error {
				blob := func(id int64) []any { return []any{id, make([]byte, 32), int64(7), int64(0), int64(5)} }
				return errors.Join(w.Table("blobs", []string{"id", "digest", "size", "files", "touched_at"}), w.Row(blob(8)), w.Row(blob(9)),
					w.Table("release_links", []string{"id", "release_id", "name", "url", "path", "link_type"}), w.Row([]any{int64(1), int64(5), "a", "b", "", "other"}),
					w.Gone("packages", []string{"id"}, []any{int64(1)}))
			})
			later := deltaOf(t, to, 0, 2, func(_ sqldb.Queries, w *records.Writer) error { return nil })
			s, err := records.Replay(t.Context(), to, []records.File{inMemory("base", base), inMemory("purged", purged), inMemory("later", later)})
			must(t, s, err)
			if n := rowsOf(t, to, "release_links"); n != 0 {
				t.Errorf("schema %d: %d links of no release are left", version, n)
			}
			if blobs, files := count(t, to, `SELECT SUM(id) FROM blobs`), count(t, to, `SELECT SUM(id) FROM package_files`); blobs != 1+9 || files != 2 {
				t.Errorf("schema %d: the ids of blobs sum up to %d, want 10, and those of files to %d, want 2", version, blobs, files)
			}
		})
	}
}

// olderDelta is a delta of an older schema, up to event 1.
func olderDelta(t *testing.T, version int64, fill func(*records.Writer) error) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := records.NewWriter(&file)
	must(t, w, err)
	must(t, 0, errors.Join(w.Begin(records.Header{Kind: records.KindDelta, Schema: version, To: 1}), fill(w)))
	s, err := w.End()
	must(t, s, err)
	return file.Bytes()
}
