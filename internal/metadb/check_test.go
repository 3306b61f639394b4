package metadb

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"granary/internal/blob"
	"granary/internal/sqldb"
)

// A row that counts other files than there are is found in whatever step it is.
func TestMiscounted(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		var digests []blob.Digest
		for i := range 7 {
			d := blob.Digest{byte(i)}
			digests = append(digests, d)
			must(t, 0, db.PinBlob(t.Context(), d, 1, db.Now()))
		}
		bent := []blob.Digest{digests[0], digests[3], digests[6]}
		for _, d := range bent {
			must(t, 0, db.do(t.Context(), func(t tx) error { return t.Exec(`UPDATE blobs SET files = 1 WHERE digest = $1`, d[:]) }))
		}
		for _, limit := range []int{1, 2, 3, 7, 8, 1000} {
			var found []blob.Digest
			for after := int64(0); ; {
				wrong, last, err := db.Miscounted(t.Context(), after, limit)
				found = append(found, must(t, wrong, err)...)
				if last == 0 {
					break
				}
				after = last
			}
			if !slices.Equal(found, bent) {
				t.Errorf("by %d: %v, want %v", limit, found, bent)
			}
		}
	})
}

// SQLite's own check finds a row that refers to none, and a damaged page.
func TestSelfCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "granary.db")
	check := func() []string {
		t.Helper()
		db, err := OpenSQLite(t.Context(), file, sqldb.Options{})
		must(t, db, err)
		found, err := db.SelfCheck(t.Context())
		must(t, found, err)
		must(t, 0, db.Close())
		return found
	}
	if found := check(); len(found) > 0 {
		t.Errorf("of a new database: %q", found)
	}
	raw, err := sql.Open("sqlite", file) // it enforces no foreign keys
	must(t, raw, err)
	_, err = raw.ExecContext(t.Context(), `INSERT INTO blob_contents (blob_id, content) VALUES (77, x'01')`)
	must(t, 0, err)
	must(t, 0, raw.Close())
	want := []string{"row 77 of blob_contents refers to a row of blobs that is not there"}
	if found := check(); !slices.Equal(found, want) {
		t.Errorf("%q, want %q", found, want)
	}
	data, err := os.ReadFile(file)
	must(t, 0, err)
	for i := len(data) - 4096; i < len(data)-3800; i++ { // the head of the last page
		data[i] = 0xa5
	}
	must(t, 0, os.WriteFile(file, data, 0o600))
	if found := check(); len(found) == 0 {
		t.Error("a page was overwritten, and nothing is found")
	}
}
