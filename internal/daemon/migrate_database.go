package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"granary/internal/config"
	"granary/internal/metadb"
)

// MigrateDatabase moves every record of a SQLite database, on which no server
// may run, to the PostgreSQL database of the settings, which must have none:
// see metadb.Transfer. The SQLite database stays as it is. It tells each table.
func MigrateDatabase(ctx context.Context, cfg config.Config, from config.Place, progress io.Writer) (err error) {
	if _, err := os.Stat(from.Path); err != nil {
		return fmt.Errorf("there is no database %s: %w; --from names another", from.Path, plain(err))
	}
	var source server
	defer func() { err = errors.Join(err, source.release()) }()
	if err := source.lock(filepath.Dir(from.Path)); err != nil {
		return err
	}
	// Beside changes no schema: the database must stay the way back to its server.
	if source.db, err = metadb.OpenSQLite(ctx, from.Path, metadb.Options{Beside: true}); err != nil {
		return fmt.Errorf("cannot open the %w%s", err, cure(err))
	}
	if err := source.useKey(ctx, cfg); err != nil { // the nodes will have no other
		return err
	}
	target, err := metadb.OpenPostgres(ctx, cfg.Database.URL.Reveal(), metadb.Options{})
	if err != nil {
		return fmt.Errorf("cannot open the %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	err = metadb.Transfer(ctx, source.db, target, func(table string, rows int64) {
		fmt.Fprintf(progress, "%9d  %s\n", rows, table)
	})
	if err != nil {
		return fmt.Errorf("nothing was moved to %s: %w", cfg.Database, err)
	}
	fmt.Fprintf(progress, "all of it is in %s\n", cfg.Database)
	return nil
}
