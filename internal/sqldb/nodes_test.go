package sqldb

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/eventually"
	"granary/internal/fault"
	"granary/internal/metadb/metadbtest"
)

// opener opens the same database again and again.
type opener func(o Options, migrations ...fs.FS) (*DB, error)

// orFiles is the given migrations, or those of this granary.
func orFiles(migrations []fs.FS) fs.FS { return append(migrations, files())[0] }

// eachOpener runs a test on both databases, in either pass.
func eachOpener(t *testing.T, test func(t *testing.T, open opener)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "granary.db")
		test(t, func(o Options, migrations ...fs.FS) (*DB, error) {
			return openLite(t.Context(), path, orFiles(migrations), o)
		})
	})
	t.Run("postgres", func(t *testing.T) { test(t, postgresOpener(t)) })
}

func postgresOpener(t *testing.T) opener {
	dsn := metadbtest.Postgres(t, migrated)
	return func(o Options, migrations ...fs.FS) (*DB, error) {
		o.MaxConnections = leastConns
		return openServer(t.Context(), dsn, orFiles(migrations), o)
	}
}

// do runs statements without the methods of the database.
func do(t *testing.T, db *DB, statements ...string) {
	t.Helper()
	must(t, 0, db.Do(t.Context(), func(tx *Tx) error {
		for _, s := range statements {
			if err := tx.Exec(s); err != nil {
				return err
			}
		}
		return nil
	}))
}

func count(t *testing.T, db *DB, query string) (n int64) {
	t.Helper()
	must(t, 0, db.Reads.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

// A server is among the nodes from its start to its end, renews its row, and inserts
// it again if it is lost. No other program is a node.
func TestNodesAreSeen(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		none, err := open(Options{})
		must(t, none, err)
		if n := count(t, none, `SELECT COUNT(*) FROM nodes`); n != 0 || none.NodeID() != "" {
			t.Errorf("%d nodes without a server, and this one is %q", n, none.NodeID())
		}
		must(t, 0, none.Close())

		db, err := open(Options{Node: "v1.2.3", Pace: Pace{Beat: 10 * time.Millisecond, Lease: time.Minute, Gone: time.Minute}})
		must(t, db, err)
		nodes, err := db.Nodes(t.Context())
		if must(t, nodes, err); len(nodes) != 1 || nodes[0].ID != db.NodeID() || nodes[0].Version != "v1.2.3" || nodes[0].Schema < nodesSince {
			t.Fatalf("nodes: %v", nodes)
		}
		do(t, db, `UPDATE nodes SET seen_at = 1`)
		eventually.Holds(t, "it is seen again", func() bool { return count(t, db, `SELECT MIN(seen_at) FROM nodes`) > 1 })
		do(t, db, `DELETE FROM nodes`)
		eventually.Holds(t, "it is there again", func() bool { return count(t, db, `SELECT COUNT(*) FROM nodes`) == 1 })

		must(t, 0, db.Close())
		after, err := open(Options{Attach: true})
		closing(t, after, err)
		if n := count(t, after, `SELECT COUNT(*) FROM nodes`); n != 0 {
			t.Errorf("%d nodes are left after the end", n)
		}
	})
}

// PruneNodes removes nodes that were not seen for a day, and no others. The list has
// those that were seen recently.
func TestPruneNodes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		now := db.dialect.now
		do(t, db, `INSERT INTO nodes (id, version, schema, seen_at) VALUES
			('yesterday', 'v1', 10, `+now+` - 86400000001), ('today', 'v1', 10, `+now+` - 80000000000), ('now', 'v1', 10, `+now+`)`)
		nodes, err := db.Nodes(t.Context())
		if must(t, nodes, err); len(nodes) != 1 || nodes[0].ID != "now" {
			t.Errorf("seen lately: %v", nodes)
		}
		n, err := db.PruneNodes(t.Context())
		if must(t, n, err) != 1 || count(t, db, `SELECT COUNT(*) FROM nodes WHERE id = 'yesterday'`) != 0 {
			t.Errorf("%d nodes were forgotten", n)
		}
	})
}

// KilledNodes lists the nodes that left their rows, without the one that asks. DropNode
// leaves a node that came back.
func TestKilledNodes(t *testing.T) {
	eachOpener(t, func(t *testing.T, open opener) {
		db, err := open(Options{Node: "v1"})
		closing(t, db, err)
		now := db.dialect.now
		do(t, db, `UPDATE nodes SET seen_at = 1`, `INSERT INTO nodes (id, version, schema, seen_at) VALUES
			('gone', 'v1', 10, `+now+` - 31000000), ('there', 'v1', 10, `+now+`), ('first', 'v1', 10, 7)`)
		killed, err := db.KilledNodes(t.Context())
		if must(t, killed, err); len(killed) != 2 || killed[0].ID != "first" || killed[1].ID != "gone" || killed[0].SeenAt.UnixMicro() != 7 {
			t.Fatalf("%v", killed)
		}
		do(t, db, `UPDATE nodes SET seen_at = `+now+` WHERE id = 'gone'`)
		for _, k := range killed {
			must(t, 0, db.DropNode(t.Context(), k))
		}
		if n := count(t, db, `SELECT COUNT(*) FROM nodes WHERE id IN ('gone', 'there')`); n != 2 || count(t, db, `SELECT COUNT(*) FROM nodes`) != 3 {
			t.Error("a node that runs was dropped, or a killed one is left")
		}
	})
}

// On SQLite a server that starts knows that all others were killed. It keeps their rows, and
// the time of one that was killed long ago.
func TestSQLiteKeepsKilledNodes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "granary.db")
	before, err := openLite(t.Context(), path, files(), Options{Node: "v1"})
	must(t, before, err)
	do(t, before, `INSERT INTO nodes (id, version, schema, seen_at) VALUES ('just now', 'v1', 10, `+before.dialect.now+`), ('long ago', 'v1', 10, 7)`)
	must(t, 0, before.Close())
	db, err := openLite(t.Context(), path, files(), Options{Node: "v1"})
	closing(t, db, err)
	killed, err := db.KilledNodes(t.Context())
	if must(t, killed, err); len(killed) != 2 || killed[0].SeenAt.UnixMicro() != 7 || killed[1].ID != "just now" {
		t.Errorf("%v", killed)
	}
	if nodes, err := db.Nodes(t.Context()); err != nil || len(nodes) != 1 || nodes[0].ID != db.NodeID() {
		t.Errorf("%v, %v", nodes, err)
	}
}

// cutOff is a server whose row the test locks, so that it cannot be renewed; end
// unlocks the row after deleting it, and makes the schema newer by that much.
func cutOff(t *testing.T) (db *DB, end func(newer int)) {
	t.Helper()
	open := postgresOpener(t)
	db, err := open(Options{Node: "v1", Pace: Pace{Beat: 100 * time.Millisecond, Lease: 300 * time.Millisecond, Gone: time.Minute}})
	closing(t, db, err)
	holder, err := db.Reads.BeginTx(t.Context(), nil)
	must(t, holder, err)
	t.Cleanup(func() { _ = holder.Rollback() })
	_, err = holder.ExecContext(t.Context(), `DELETE FROM nodes`)
	must(t, 0, err)
	refuses := func(err error) bool { return fault.Is(err, fault.Unavailable) }
	eventually.Holds(t, "it refuses to write", func() bool { return refuses(db.Ping(t.Context())) })
	eventually.Holds(t, "it refuses a statement", func() bool {
		return refuses(db.Run(t.Context(), &Statement{Query: `SELECT 1`, Into: []any{new(int)}}))
	})
	if err := db.RunTogether(nil); !refuses(err) || !refuses(db.Current()) {
		t.Errorf("it runs statements together: %v, and says that it may: %v", err, db.Current())
	}
	return db, func(newer int) {
		_, err := holder.ExecContext(context.WithoutCancel(t.Context()), `INSERT INTO goose_db_version (version_id, is_applied)
			SELECT MAX(version_id) + $1, true FROM goose_db_version`, newer)
		must(t, 0, err)
		must(t, 0, holder.Commit())
	}
}

// A node that cannot renew its row refuses all requests, and continues when it can.
func TestNodeCutOff(t *testing.T) {
	db, end := cutOff(t)
	end(0)
	eventually.Holds(t, "it works again", func() bool { return db.Ping(t.Context()) == nil })
	select {
	case err := <-db.Outdated():
		t.Error(err)
	default:
	}
}

// If others counted it as gone and upgraded the schema meanwhile, it ends.
func TestNodeOutdated(t *testing.T) {
	db, end := cutOff(t)
	end(1)
	select {
	case err := <-db.Outdated():
		if !errors.Is(err, ErrOutdated) || !strings.Contains(err.Error(), "newer than the") || !strings.Contains(err.Error(), "start the newer granary") {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	if err := db.Ping(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("it writes still: %v", err)
	}
	if n := count(t, db, `SELECT COUNT(*) FROM nodes`); n != 0 {
		t.Errorf("%d nodes", n)
	}
}
