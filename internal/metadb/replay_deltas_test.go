package metadb

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/records"
	"granary/internal/sqldb"

	"github.com/google/go-cmp/cmp"
)

// deltaOf is a delta from and to an event, of what fill writes.
func deltaOf(t *testing.T, db *DB, from, to int64, fill func(q sqldb.Queries, w *records.Writer) error) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := records.NewWriter(&file)
	must(t, w, err)
	must(t, 0, db.LongSnapshot(t.Context(), func(q sqldb.Queries) error {
		h := records.Header{Kind: records.KindDelta}
		if err := db.describe(t.Context(), q, &h); err != nil {
			return err
		}
		h.From, h.To = from, to
		return errors.Join(w.Begin(h), fill(q, w))
	}))
	s, err := w.End()
	must(t, s, err)
	return file.Bytes()
}

// wholeTable writes that a delta has all rows of a table.
func wholeTable(t *testing.T, q sqldb.Queries, w *records.Writer, name string) error {
	for _, table := range recordTables() {
		if table.name == name {
			return errors.Join(w.All(name), writeTable(t.Context(), q, w, table))
		}
	}
	return fmt.Errorf("there is no table %s", name)
}

// TestReplayOfDeltas: rows of a delta replace those of their key, or are new; rows that
// are gone go; a table that is there whole loses the others. Two rows may exchange what
// only one can have. What is read twice ends the same.
func TestReplayOfDeltas(t *testing.T) {
	eachDatabase(t, func(t *testing.T, from *DB) {
		projectID, _ := lived(t, from)
		base := exportOf(t, from, records.ExportOptions{Kind: records.KindBase, Bodies: true})
		end := endOf(t, base)
		gonePackage, goneFile := count(t, from, `SELECT id FROM packages WHERE version = '1.0.5'`), count(t, from, `SELECT f.id FROM package_files f JOIN packages k ON k.id = f.package_id WHERE k.version = '1.0.5'`)
		do(t, from,
			`UPDATE packages SET version = 'swap' WHERE version = '1.0.1'`, `UPDATE packages SET version = '1.0.1' WHERE version = '1.0.2'`,
			`UPDATE packages SET version = '1.0.2' WHERE version = 'swap'`,
			`UPDATE packages SET status = 'pending_destruction' WHERE version = '1.0.3'`,
			`DELETE FROM package_files WHERE package_id = (SELECT id FROM packages WHERE version = '1.0.5')`, `DELETE FROM packages WHERE version = '1.0.5'`,
			`UPDATE blobs SET files = 0 WHERE id NOT IN (SELECT blob_id FROM package_files)`)
		publishTo(t, from, projectID, 3)
		publishTo(t, from, projectID, 77)
		newToken(t, from, 1, "gnpat-later")
		do(t, from, `DELETE FROM personal_access_tokens WHERE id = 1`, `UPDATE users SET name = 'Other' WHERE id = 1`)
		changed := func(q sqldb.Queries, w *records.Writer, versions string) error {
			packages := `packages WHERE version IN (` + versions + `)`
			files := `package_files WHERE package_id IN (SELECT id FROM ` + packages + `)`
			return errors.Join(
				writeRows(t.Context(), q, w, "blobs", `SELECT * FROM blobs`),
				writeRows(t.Context(), q, w, "packages", `SELECT * FROM `+packages),
				writeRows(t.Context(), q, w, "package_files", `SELECT * FROM `+files),
				writeRows(t.Context(), q, w, "blob_contents", `SELECT * FROM blob_contents WHERE blob_id IN (SELECT blob_id FROM `+files+`)`))
		}
		first := deltaOf(t, from, end, end+10, func(q sqldb.Queries, w *records.Writer) error {
			return errors.Join(w.Gone("packages", []string{"id"}, []any{gonePackage}), w.Gone("package_files", []string{"id"}, []any{goneFile}),
				wholeTable(t, q, w, "users"), wholeTable(t, q, w, "personal_access_tokens"),
				changed(q, w, `'1.0.1', '1.0.2', '1.0.3', '1.0.77'`), w.Last(map[string]int64{"users": 500}))
		})
		publishTo(t, from, projectID, 78)
		second := deltaOf(t, from, end+5, end+20, func(q sqldb.Queries, w *records.Writer) error {
			return errors.Join(wholeTable(t, q, w, "users"), changed(q, w, `'1.0.2', '1.0.9', '1.0.77', '1.0.78'`))
		})
		files := []records.File{inMemory("base", base), inMemory("first", first), inMemory("first", first), inMemory("second", second)}
		eachDatabase(t, func(t *testing.T, to *DB) {
			s, err := records.Replay(t.Context(), to, files)
			must(t, s, err)
			if s.To != end+20 {
				t.Errorf("it ends at %d, want %d", s.To, end+20)
			}
			wantSameRows(t, from, to, "packages", "package_files", "blobs", "blob_contents", "users", "personal_access_tokens", "namespaces", "routes")
			if later := newUser(t, to, "later", false); later.ID != 501 {
				t.Errorf("the next user is %d, want 501", later.ID)
			}
		})
	})
}

// endOf is the last event of a file.
func endOf(t *testing.T, file []byte) int64 {
	t.Helper()
	r, err := records.NewReader("file", bytes.NewReader(file))
	must(t, r, err)
	defer r.Close()
	return r.Header().To
}

// wantSameRows compares tables row by row.
func wantSameRows(t *testing.T, want, got *DB, tables ...string) {
	t.Helper()
	for _, table := range recordTables() {
		for _, name := range tables {
			if name == table.name {
				wantSameTable(t, want, got, table)
			}
		}
	}
}

// wantSameTable compares a table row by row.
func wantSameTable(t *testing.T, want, got *DB, table recordTable) {
	t.Helper()
	if diff := cmp.Diff(tableRows(t, want, table.name), tableRows(t, got, table.name)); diff != "" {
		t.Errorf("table %s, -want +got:\n%s", table.name, diff)
	}
}

// tableRows is all rows of a table, with the names of their columns: their order may
// differ between databases.
func tableRows(t *testing.T, db *DB, table string) (all []string) {
	t.Helper()
	rows, err := db.Rows(t.Context(), `SELECT * FROM `+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	must(t, columns, err)
	must(t, 0, eachRow(rows, len(columns), func(values []any) error {
		fields := make([]string, len(values))
		for i, v := range values {
			fields[i] = fmt.Sprintf("%s=%#v", columns[i], v)
		}
		slices.Sort(fields)
		all = append(all, strings.Join(fields, " "))
		return nil
	}))
	must(t, 0, rows.Err())
	slices.Sort(all)
	return all
}

// TestReplayRefusesWrongSequences: files that do not follow each other, or that do not
// fit the schema, are refused by name, and nothing is left.
func TestReplayRefusesWrongSequences(t *testing.T) {
	from := openSQLite(t)
	root := newUser(t, from, "root", false)
	newGroup(t, from, 0, "outer", access.Private, root.ID)
	base := exportOf(t, from, records.ExportOptions{Kind: records.KindBase})
	end := endOf(t, base)
	file := func(h records.Header, lines func(w *records.Writer) error) records.File {
		var b bytes.Buffer
		w, err := records.NewWriter(&b)
		must(t, w, err)
		must(t, 0, errors.Join(w.Begin(h), lines(w)))
		s, err := w.End()
		must(t, s, err)
		return inMemory("last", b.Bytes())
	}
	schema := count(t, from, `SELECT MAX(version_id) FROM goose_db_version`)
	like := records.Header{Kind: records.KindDelta, Schema: schema, From: end, To: end + 1}
	nothing := func(*records.Writer) error { return nil }
	changed := func(change func(h *records.Header)) records.Header {
		h := like
		change(&h)
		return h
	}
	first := inMemory("base", base)
	for name, tc := range map[string]struct {
		files []records.File
		words string
	}{
		"nothing":         {nil, "there are no records"},
		"a delta first":   {[]records.File{file(like, nothing)}, "last: it is a delta, and the base before it is missing"},
		"two bases":       {[]records.File{first, first}, "base: it is of kind base; only deltas may follow"},
		"a missing delta": {[]records.File{first, file(changed(func(h *records.Header) { h.From, h.To = end+5, end+9 }), nothing)}, "last: it tells what changed after event "},
		"an older delta": {[]records.File{first, file(changed(func(h *records.Header) { h.To = end + 9 }), nothing), file(like, nothing)},
			"is older than a file before it"},
		"another store": {[]records.File{first, file(changed(func(h *records.Header) { h.Identity = "other" }), nothing)}, `last: it belongs to the store "other"`},
		"a newer schema": {[]records.File{first, file(changed(func(h *records.Header) { h.Schema = 999 }), nothing)},
			"schema version 999, newer than the"},
		"a newer schema first": {[]records.File{file(records.Header{Kind: records.KindBase, Schema: 999}, nothing)}, "schema version 999, newer than the"},
		"an older schema":      {[]records.File{first, file(changed(func(h *records.Header) { h.Schema-- }), nothing)}, "is older than a file before it"},
		"an unknown table": {[]records.File{first, file(like, func(w *records.Writer) error {
			return errors.Join(w.Table("parrots", []string{"id"}), w.Row([]any{int64(1)}))
		})}, `there is no table "parrots"`},
		"goose's table":   {[]records.File{first, file(like, func(w *records.Writer) error { return w.All("goose_db_version") })}, `there is no table "goose_db_version"`},
		"a derived table": {[]records.File{first, file(like, func(w *records.Writer) error { return w.All("package_counts") })}, `there is no table "package_counts"`},
		"an unknown column": {[]records.File{first, file(like, func(w *records.Writer) error {
			return errors.Join(w.Table("features", []string{"name", "wings"}), w.Row([]any{"a", int64(1)}))
		})}, "wings"},
		"no key": {[]records.File{first, file(like, func(w *records.Writer) error {
			return errors.Join(w.Table("users", []string{"name"}), w.Row([]any{"a"}))
		})}, "table users: a row without id cannot be replaced"},
		"a text as a number": {[]records.File{first, file(like, func(w *records.Writer) error {
			return errors.Join(w.Table("features", []string{"name", "percentage_of_time", "percentage_of_actors"}), w.Row([]any{"a", "many", int64(1)}))
		})}, "table features"},
		"a row that refers to nothing": {[]records.File{first, file(like, func(w *records.Writer) error { return w.Gone("users", []string{"id"}, []any{int64(1)}) })},
			"namespaces"},
		"two of one digest": {[]records.File{first, file(like, func(w *records.Writer) error {
			token := func(id int64) []any {
				return []any{id, int64(1), "t", "", "api", []byte{1}, int64(0), int64(1), id}
			}
			return errors.Join(w.Table("personal_access_tokens", []string{"id", "user_id", "name", "description", "scopes", "digest", "revoked", "created_at", "family"}),
				w.Row(token(901)), w.Row(token(902)))
		})}, "digest"},
	} {
		eachDatabase(t, func(t *testing.T, to *DB) {
			before := schemaOf(t, to)
			_, err := records.Replay(t.Context(), to, tc.files)
			if err == nil || !strings.Contains(err.Error(), tc.words) {
				t.Errorf("%s: %v, want %q in it", name, err, tc.words)
			}
			if n := rowsOf(t, to, "users") + rowsOf(t, to, "features"); n != 0 || len(schemaOf(t, to)) != len(before) {
				t.Errorf("%s: %d rows are left, and a schema of %d parts, had %d", name, n, len(schemaOf(t, to)), len(before))
			}
		})
	}
}
