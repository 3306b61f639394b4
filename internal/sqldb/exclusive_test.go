package sqldb

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// later is the migrations of a later granary: 9001, and 9002, which may be exclusive.
func later(t *testing.T, exclusive bool) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	err := fs.WalkDir(files(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files(), path)
		all[path] = &fstest.MapFile{Data: text}
		return err
	})
	must(t, 0, err)
	mark := ""
	if exclusive {
		mark = exclusiveLine + "\n"
	}
	for _, d := range []string{"sqlite", "postgres"} {
		all[d+"/9001_first.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE first (id BIGINT);\n")}
		all[d+"/9002_second.sql"] = &fstest.MapFile{Data: []byte(mark + "-- +goose Up\nCREATE TABLE second (id BIGINT);\n")}
	}
	return all
}

// old inserts the row of a node that was seen just now, of a granary that does not
// know the later schema.
func old(db *DB) string {
	return `INSERT INTO nodes (id, version, schema, seen_at) VALUES ('old', 'v1', 10, ` + db.ClockSQL() + `)`
}

// patient is a pace at which no node that lives counts as gone.
func patient(giveUp time.Duration) Pace {
	return Pace{Beat: 50 * time.Millisecond, Lease: time.Hour, Gone: time.Hour, GiveUp: giveUp}
}

// Creating and upgrading a schema is logged once, with both versions.
func TestSchemaIsTold(t *testing.T) {
	path, dsn := filepath.Join(t.TempDir(), "granary.db"), metadbtest.NewServer(t).DSN("granary")
	for name, open := range map[string]opener{
		"SQLite": func(o Options, migrations ...fs.FS) (*DB, error) {
			return openLite(t.Context(), path, orFiles(migrations), o)
		},
		"PostgreSQL": func(o Options, migrations ...fs.FS) (*DB, error) {
			return openServer(t.Context(), dsn, orFiles(migrations), o)
		},
	} {
		var log bytes.Buffer
		start := func(o Options, migrations ...fs.FS) {
			t.Helper()
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			begun, ended := 0, 0
			o.Upgrading = func() func() { begun++; return func() { ended++ } }
			db, err := open(o, migrations...)
			if begun != 1 || ended != 1 {
				t.Errorf("%s: told %d times that it begins and %d times that it is over", name, begun, ended)
			}
			must(t, db, err)
			must(t, 0, db.Close())
		}
		start(Options{})
		start(Options{})
		start(Options{}, later(t, false))
		start(Options{}, later(t, false))
		told := regexp.MustCompile(`level=INFO msg="schema created" version=(\d+)\n.* level=INFO msg="schema upgraded" from=(\d+) to=9002\n$`).FindStringSubmatch(log.String())
		if told == nil || told[1] != told[2] || strings.Count(log.String(), "\n") != 2 {
			t.Errorf("%s:\n%s", name, log.String())
		}
	}
}

// A migration that is not exclusive is applied while older nodes run, and they
// continue.
func TestUpgradeBesideOlder(t *testing.T) {
	open := postgresOpener(t)
	a, err := open(Options{Node: "v1", Pace: patient(0)})
	closing(t, a, err)
	b, err := open(Options{Node: "v2", Pace: patient(0)}, later(t, false))
	closing(t, b, err)
	do(t, a, `UPDATE nodes SET seen_at = 1`)
	eventually.Holds(t, "both are seen", func() bool { return count(t, a, `SELECT MIN(seen_at) FROM nodes`) > 1 })
	must(t, 0, a.Ping(t.Context()))
	nodes, err := b.Nodes(t.Context())
	if must(t, nodes, err); len(nodes) != 2 {
		t.Errorf("nodes: %v", nodes)
	}
}

// An exclusive migration waits for older nodes, and finally fails and names them.
// Nothing is changed then, not even by the migrations before it. It does not wait for
// a node that stopped in order.
func TestUpgradeWaitsForOlder(t *testing.T) {
	open := postgresOpener(t)
	a, err := open(Options{Node: "v1", Pace: patient(0)})
	must(t, a, err)
	before := count(t, a, `SELECT MAX(version_id) FROM goose_db_version`)
	var log bytes.Buffer
	o := Options{Node: "v2", Pace: patient(100 * time.Millisecond), Log: slog.New(slog.NewTextHandler(&log, nil))}
	o.Upgrading = func() func() { log.WriteString("begins\n"); return func() { log.WriteString("is over\n") } }
	_, err = open(o, later(t, true))
	if !regexp.MustCompile(`^begins\n.* level=WARN msg="database: the upgrade of the schema waits .*\nis over\n$`).MatchString(log.String()) {
		t.Errorf("the wait is not told:\n%s", log.String())
	}
	if err == nil || !strings.Contains(err.Error(), "the schema cannot be upgraded to version 9002 while older nodes run, and after 100ms these still do: "+a.NodeID()+" (granary v1, schema ") ||
		!strings.HasSuffix(err.Error(), "nothing was changed; stop these nodes, then start again") {
		t.Errorf("beside an older node: %v", err)
	}
	if after := count(t, a, `SELECT MAX(version_id) FROM goose_db_version`); after != before {
		t.Errorf("the schema was %d and is %d", before, after)
	}
	must(t, 0, a.Ping(t.Context()))
	must(t, 0, a.Close())
	b, err := open(o, later(t, true))
	closing(t, b, err)
	if n := count(t, b, `SELECT COUNT(*) FROM second`); n != 0 {
		t.Error(n)
	}
}

// It waits for a node that was killed until that counts as gone. Two new nodes that
// start meanwhile both start; an old one waits, and is refused.
func TestUpgradeAfterKilled(t *testing.T) {
	open := postgresOpener(t)
	db, err := open(Options{})
	closing(t, db, err)
	const gone = time.Second
	began := time.Now()
	do(t, db, old(db))
	o := Options{Node: "v2", Pace: Pace{Beat: 50 * time.Millisecond, Lease: time.Hour, Gone: gone, GiveUp: time.Hour}}
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			b, err := open(o, later(t, true))
			if err != nil {
				t.Error(err)
				return
			}
			if took := time.Since(began); took < gone {
				t.Errorf("it waited %v", took)
			}
			t.Cleanup(func() { _ = b.Close() })
		})
	}
	eventually.Holds(t, "one of them waits", func() bool {
		return count(t, db, `SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == 1
	})
	if _, err := open(Options{Node: "v1"}); err == nil || !strings.Contains(err.Error(), "schema version 9002, newer than the") {
		t.Errorf("an old node starts: %v", err)
	}
	all.Wait()
	if n, left := count(t, db, `SELECT COUNT(*) FROM nodes`), count(t, db, `SELECT COUNT(*) FROM nodes WHERE id = 'old'`); n != 2 || left != 0 {
		t.Errorf("%d nodes, %d of them old", n, left)
	}
}

// A node that renews its row while the migration looks is seen by it.
func TestUpgradeSeesLateWord(t *testing.T) {
	open := postgresOpener(t)
	db, err := open(Options{})
	closing(t, db, err)
	do(t, db, old(db), `UPDATE nodes SET seen_at = 1`)
	word, err := db.Reads.BeginTx(t.Context(), nil)
	must(t, word, err)
	defer func() { _ = word.Rollback() }()
	_, err = word.ExecContext(t.Context(), textsOfNodes(db.dialect).touch, "old")
	must(t, 0, err)
	left := make(chan []Node, 1)
	go func() {
		nodes, err := removeOlder(t.Context(), db.Reads, db.dialect, 9002, patient(0))
		if err != nil {
			t.Error(err)
		}
		left <- nodes
	}()
	waiting(t, db)
	must(t, 0, word.Commit())
	if nodes := <-left; len(nodes) != 1 || nodes[0].ID != "old" {
		t.Errorf("it sees %v", nodes)
	}
	if n := count(t, db, `SELECT COUNT(*) FROM nodes`); n != 1 {
		t.Errorf("%d nodes", n)
	}
}

// It also waits for transactions of nodes that are gone.
func TestUpgradeWaitsForTransactions(t *testing.T) {
	open := postgresOpener(t)
	db, err := open(Options{})
	closing(t, db, err)
	begun, err := db.Reads.BeginTx(t.Context(), nil)
	must(t, begun, err)
	defer func() { _ = begun.Rollback() }()
	_, err = begun.ExecContext(t.Context(), `SELECT 1`)
	must(t, 0, err)
	o := Options{Pace: patient(50 * time.Millisecond)}
	if _, err = open(o, later(t, true)); err == nil || !strings.Contains(err.Error(), "while 1 older transactions are open") {
		t.Errorf("beside an open transaction: %v", err)
	}
	must(t, 0, begun.Rollback())
	b, err := open(o, later(t, true))
	closing(t, b, err)
}

// On SQLite the file lock keeps others away: the row of a killed server delays
// nothing.
func TestUpgradeOfOneFile(t *testing.T) {
	path := t.TempDir() + "/granary.db"
	db, err := openLite(t.Context(), path, files(), Options{})
	must(t, db, err)
	do(t, db, old(db))
	must(t, 0, db.Close())
	db, err = openLite(t.Context(), path, later(t, true), Options{Node: "v2", Pace: patient(time.Hour)})
	closing(t, db, err)
	nodes, err := db.Nodes(t.Context())
	if must(t, nodes, err); len(nodes) != 1 || nodes[0].Version != "v2" || nodes[0].Schema != 9002 {
		t.Errorf("nodes: %v", nodes)
	}
}

// The first upgrade to a granary with nodes comes from a schema without them: there is
// nothing to wait for, even if an exclusive migration follows.
func TestUpgradeFromBeforeNodes(t *testing.T) {
	server, path := metadbtest.NewServer(t), t.TempDir()+"/granary.db"
	for name, open := range map[string]opener{
		"sqlite": func(o Options, migrations ...fs.FS) (*DB, error) {
			return openLite(t.Context(), path, orFiles(migrations), o)
		},
		"postgres": func(o Options, migrations ...fs.FS) (*DB, error) {
			return openServer(t.Context(), server.DSN("granary"), orFiles(migrations), o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			first := fstest.MapFS{}
			for path, file := range later(t, true).(fstest.MapFS) {
				if number := path[strings.LastIndex(path, "/")+1:]; number < fmt.Sprintf("%04d", nodesSince) {
					first[path] = file
				}
			}
			db, err := open(Options{}, first)
			must(t, db, err)
			if have := count(t, db, `SELECT MAX(version_id) FROM goose_db_version`); have != nodesSince-1 {
				t.Fatalf("the old schema is %d", have)
			}
			must(t, 0, db.Close())
			db, err = open(Options{Node: "v2", Pace: patient(0)}, later(t, true))
			closing(t, db, err)
			nodes, err := db.Nodes(t.Context())
			if must(t, nodes, err); len(nodes) != 1 || nodes[0].Schema != 9002 {
				t.Errorf("nodes: %v", nodes)
			}
		})
	}
}
