package metadb

import (
	"os"
	"testing"
)

// TestDatabaseIsPrivate: no other user of the machine can read the database.
func TestDatabaseIsPrivate(t *testing.T) {
	db := openSQLite(t)
	var path string
	if err := db.Reads.QueryRow(`SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		fi, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v", path+suffix, fi.Mode())
		}
	}
}
