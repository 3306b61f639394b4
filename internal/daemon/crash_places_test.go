package daemon

import (
	"database/sql"
	"flag"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"granary/internal/blob/s3/s3test"
	"granary/internal/metadb/metadbtest"
)

var (
	crashDatabase = flag.String("crash.database", "sqlite", "where TestCrash keeps records: sqlite or postgres")
	crashBlobs    = flag.String("crash.blobs", "file", "where TestCrash keeps bytes: file or s3")
)

// places is where the server that is killed keeps things. PostgreSQL and the S3
// server live on.
type places struct {
	postgres bool
	bucket   *s3test.Server // nil for files
	points   []string       // of a commit, in the order in which it comes to them
	folds    []string       // points of SQLite's log, that come every 5 s
}

func newPlaces(t *testing.T) places {
	p := places{postgres: *crashDatabase == "postgres"}
	if !p.postgres {
		p.folds = []string{"before-checkpoint", "half-checkpoint"}
	}
	if *crashBlobs == "s3" {
		p.bucket = s3test.Start(t)
	} else {
		p.points = []string{"before-sync", "before-rename", "before-dirsync", "after-dirsync"}
	}
	return p
}

// place is what one killed server has of them.
type place struct {
	places
	dsn     string   // of its database, for driver
	driver  string   // of database/sql
	blobs   string   // the folder with the folders of blobs
	environ []string // what the server is told
	left    string   // what is in the data directory after a start
}

func (p places) place(t *testing.T, dir string, n uint64) place {
	database := filepath.Join(dir, "granary.db")
	at := place{
		places: p, driver: "sqlite", dsn: "file:" + (&url.URL{Path: database}).EscapedPath() + "?_pragma=busy_timeout(10000)",
		blobs: filepath.Join(dir, "blobs"), environ: []string{asRoot},
		left: "encryption_key granary.db granary.db-shm granary.db-wal granary.lock",
	}
	if p.postgres {
		at.driver, at.dsn = "pgx", metadbtest.Postgres(t, func(string) error { return nil })
		at.environ = append(at.environ, "GRANARY_DATABASE="+at.dsn, "GRANARY_ENCRYPTION_KEY="+strings.Repeat("0a", 32))
		at.left = "granary.lock"
	}
	if p.bucket == nil {
		at.left = "blobs " + at.left
		return at
	}
	prefix := fmt.Sprint("server", n)
	at.blobs = filepath.Join(p.bucket.Dir, s3test.Bucket, prefix)
	at.environ = append(at.environ, "GRANARY_S3_ACCESS_KEY_ID="+s3test.AccessKeyID, "GRANARY_S3_SECRET_ACCESS_KEY="+s3test.SecretAccessKey,
		"GRANARY_BLOBS=s3://"+s3test.Bucket+"/"+prefix+"?region="+s3test.Region+"&endpoint="+p.bucket.URL)
	return at
}

// hex is a digest as text.
func (p places) hex(column string) string {
	if p.postgres {
		return "encode(" + column + ", 'hex')"
	}
	return "lower(hex(" + column + "))"
}

// awaitEnd waits until PostgreSQL has noticed that the server is gone. A commit
// that was on its way is kept or undone by then; before that a new server could
// answer without it, and see it come.
func (k *killedServer) awaitEnd() {
	if !k.postgres {
		return
	}
	db, err := sql.Open(k.driver, k.dsn)
	if err != nil {
		k.wrong("%v", err)
		return
	}
	defer db.Close()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		var left int
		err := db.QueryRow(`SELECT COUNT(*) FROM pg_stat_activity
			WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&left)
		if err == nil && left == 0 {
			return
		}
		if err != nil {
			k.wrong("%v", err)
			return
		}
	}
	k.wrong("PostgreSQL has not noticed the end of the server")
}
