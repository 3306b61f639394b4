package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/blob/s3/s3test"
	"granary/internal/metadb"
	"granary/internal/sqldb"
)

// A server starts on the store of its records and on no other, and says what to
// do. A first start that was cut short half way is taken up by the next.
func TestStoreIdentity(t *testing.T) {
	dir := t.TempDir()
	data := "--data-dir=" + filepath.Join(dir, "data")
	blobs := func(name string) string { return "--blobs=file:" + filepath.Join(dir, name) }
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	begun, err := metadb.OpenSQLite(t.Context(), filepath.Join(dir, "data", "granary.db"), sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	identity, placed, err := begun.StoreIdentity(t.Context())
	if err != nil || placed {
		t.Fatal(placed, err)
	}
	if err := begun.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, stop := serveHere(t, nil, data, blobs("first"))
		stop()
	}
	if got, err := os.ReadFile(filepath.Join(dir, "first", "identity")); err != nil || string(got) != identity {
		t.Fatalf("the store has %q, %v, want %q", got, err, identity)
	}
	want := "cannot use the blob store: file:" + filepath.Join(dir, "second") + " is not the store of these records: nothing in it is named identity; " +
		`correct the setting blobs, or mount the store, the same for all nodes; if it is a copy of the right store, write "` + identity + `" to a file or object identity in it`
	for _, there := range []bool{false, true} { // as where nothing is mounted
		if there {
			if err := os.Mkdir(filepath.Join(dir, "second"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if got := refused(t, data, blobs("second")); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		if made := namesIn(t, filepath.Join(dir, "second")); len(made) > 0 {
			t.Errorf("where it may not, it made %v", made)
		}
	}
	want = "the database is empty, and file:" + filepath.Join(dir, "first") + " is the store of one that was filled, with its records; granary rebuild"
	if got := refused(t, "--data-dir="+filepath.Join(dir, "others"), blobs("first")); !strings.Contains(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "second", "identity"), []byte(identity+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stop := serveHere(t, nil, data, blobs("second"))
	stop()
}

// A server that has no records yet makes nothing in the store of a cluster, where
// there is no lock.
func TestNothingIsMadeInTheStoreOfOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "identity"), []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := refused(t, "--data-dir="+t.TempDir(), "--blobs=file:"+dir); !strings.Contains(got, "is the store of other records") {
		t.Error(got)
	}
	if made := namesIn(t, dir); len(made) != 1 {
		t.Errorf("where it may not, it made %v", made)
	}
}

// namesIn are those of what is in a directory, none where there is none.
func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A wrong prefix of the right bucket is another store.
func TestStoreIdentityInS3(t *testing.T) {
	environ, place := inS3(s3test.Start(t))
	data := "--data-dir=" + t.TempDir()
	for range 2 {
		_, stop := serveHere(t, environ, data, place)
		stop()
	}
	if got := refusedIn(t, environ, data, strings.Replace(place, "/some/prefix", "/some", 1)); !strings.Contains(got, "is not the store of these records") {
		t.Errorf("with another prefix: %s", got)
	}
}
