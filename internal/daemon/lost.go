package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/metadb"
	"granary/internal/records"
	"granary/internal/sqldb"
)

// WayBack says what makes a lost database again, as the end of a sentence: the same for all
// commands, answers and the log. inStore says that the store has records.
func WayBack(inStore bool) string {
	if inStore {
		return "granary rebuild makes the database again from the records in the store, or granary restore from a backup"
	}
	return "granary restore makes the database again from a backup"
}

// AwayAnd says what to do with a SQLite file that is damaged, before WayBack: neither rebuild
// nor restore takes a database that is not empty.
func AwayAnd(inStore bool) string {
	return "move its file away, with those that end with -wal and -shm, and then " + WayBack(inStore)
}

// recordsIn reports whether the store of the settings has records. One that does not answer
// has none.
func recordsIn(ctx context.Context, cfg config.Config) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	store, err := openSource(ctx, cfg)
	if err != nil {
		return false
	}
	defer closeStore(store)
	return haveRecords(ctx, store)
}

func haveRecords(ctx context.Context, store blob.Source) bool {
	newest, err := records.Newest(ctx, store)
	return err == nil && newest != 0
}

// attach opens the database of the settings, on which a server may be running. Nothing is made
// or migrated.
func attach(ctx context.Context, cfg config.Config) (*metadb.DB, error) {
	o := sqldb.Options{Attach: true, StartWait: 5 * time.Second}
	if cfg.Database.Scheme == "postgres" {
		return openThere(metadb.OpenPostgres(ctx, cfg.Database.URL.Reveal(), o))
	}
	path, err := sqliteFile(cfg)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no database %s: %w; --data-dir or --database must name the server's; the server creates it at its first start", path, plain(err))
	}
	held := newReserve(filepath.Dir(path), cfg.DiskReserve, slog.New(slog.DiscardHandler)) // the server's; it sees when this draws on it
	o.Reserve = held.draw
	return openThere(metadb.OpenSQLite(ctx, path, o))
}

func openThere(db *metadb.DB, err error) (*metadb.DB, error) {
	if err != nil {
		return nil, fmt.Errorf("cannot open the %w", err)
	}
	return db, nil
}

// logAlone refuses a database that is not there, or empty, while its write-ahead log is: what was
// acknowledged last may be in it alone, and SQLite removes the log of a file that it makes. So do
// a server that starts, a rebuild and a restore.
func logAlone(cfg config.Config) error {
	if cfg.Database.Scheme != "sqlite" {
		return nil
	}
	database, err := sqliteFile(cfg)
	if err != nil {
		return err
	}
	file, err := os.Stat(database)
	if err == nil && file.Size() == 0 {
		err = sqldb.ErrUnfilled
	}
	wal, failed := os.Stat(database + "-wal")
	if !isNone(err) || failed != nil || wal.Size() == 0 {
		return nil //nolint:nilerr // what cannot be looked at, the open tells
	}
	return fmt.Errorf("there is no database %s: %w; its log %s is there, perhaps with what was acknowledged last: put the database back beside it; nothing was changed; "+
		"if the database is lost for good, move %[3]s and %[4]s away first",
		database, plain(err), wal.Name(), filepath.Base(database)+"-shm")
}

// isNone reports whether attach failed because there is no database, or nothing in it.
func isNone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, sqldb.ErrUnfilled)
}

// explainLost adds to an error of opening the database what its store tells: that a restore was
// cut short, whatever it has left, or what makes a lost or damaged database again.
func explainLost(ctx context.Context, cfg config.Config, err error) error {
	if sqldb.IsDamaged(err) {
		return fmt.Errorf("%w; nothing was changed; %s; or choose another --database", err, AwayAnd(recordsIn(ctx, cfg)))
	}
	if !isNone(err) {
		return err
	}
	store, failed := openSource(ctx, cfg)
	if failed != nil {
		return err // nothing tells that there was a server
	}
	defer closeStore(store)
	if begun, failed := readRestoring(store.Note(ctx, restoringNote)); failed == nil && begun != nil {
		return begun.cutShort(cfg.Blobs)
	}
	return fmt.Errorf("%w; if it is lost, %s", err, WayBack(haveRecords(ctx, store)))
}

// explainDamage is explainLost for an error of a query.
func explainDamage(ctx context.Context, cfg config.Config, err error) error {
	if !sqldb.IsDamaged(err) {
		return err
	}
	return fmt.Errorf("%w; the database is damaged: stop the server, %s", err, AwayAnd(recordsIn(ctx, cfg)))
}
