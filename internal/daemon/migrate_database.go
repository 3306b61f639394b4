package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"granary/internal/config"
	"granary/internal/metadb"
	"granary/internal/records"
	"granary/internal/sqldb"
)

// MigrateDatabase copies every record of a database, on which no server may run, to the
// database of the settings, which must have no records. The source stays unchanged.
// progress gets a line for each table.
func MigrateDatabase(ctx context.Context, cfg config.Config, from config.Location, progress io.Writer) (err error) {
	defer startLittleMemory(ctx)()
	if err := supported(); err != nil {
		return err
	}
	var source, target server
	defer func() { err = errors.Join(err, source.release(), target.release()) }()
	open := source.openFile
	if from.Scheme == "postgres" {
		open = source.openIdle
	}
	if err := open(ctx, from); err != nil {
		return explainLost(ctx, cfg, err)
	}
	if err := source.refuseBegun(ctx, cfg); err != nil {
		return err
	}
	if from.Scheme == "postgres" && cfg.EncryptionKey == "" {
		return errors.New("the nodes' encryption key is missing: set GRANARY_ENCRYPTION_KEY to it")
	}
	if err := source.useKey(ctx, cfg); err != nil { // the server will have no other
		return err
	}
	if err := target.openEmpty(ctx, cfg, databaseFlag(cfg), crashPoints{}); err != nil {
		return err
	}
	copied, err := records.Copy(ctx, source.db, target.db, records.ExportOptions{Kind: records.KindExport, Bodies: true})
	if err != nil {
		return fmt.Errorf("nothing was copied to %s: %w", cfg.Database, err)
	}
	for _, table := range copied.Tables {
		fmt.Fprintf(progress, "%9d  %s\n", table.Rows, table.Name)
	}
	fmt.Fprintf(progress, "all records are in %s; bytes in the blob store stay where they are\n", cfg.Database)
	return nil
}

// openFile opens a SQLite database and keeps servers away from it.
func (s *server) openFile(ctx context.Context, from config.Location) error {
	if _, err := os.Stat(from.Path); err != nil {
		return fmt.Errorf("there is no database %s: %w; --from names another", from.Path, plain(err))
	}
	if err := s.lock(filepath.Dir(from.Path), fromFlag); err != nil {
		return err
	}
	// Beside changes no schema: the database must stay the way back to its server.
	var err error
	s.db, err = openThere(metadb.OpenSQLite(ctx, from.Path, sqldb.Options{Attach: true}))
	return err
}

// openIdle opens a PostgreSQL database on which no node runs.
func (s *server) openIdle(ctx context.Context, from config.Location) error {
	var err error
	if s.db, err = openThere(metadb.OpenPostgres(ctx, from.URL.Reveal(), sqldb.Options{Attach: true})); err != nil {
		return err
	}
	nodes, err := s.db.Nodes(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, n := range nodes {
		names = append(names, n.String())
	}
	if len(names) > 0 {
		return fmt.Errorf("nodes run on %s: %s; stop them (a node that was killed counts for 30 s)", from, strings.Join(names, ", "))
	}
	return nil
}

// openEmpty opens the database of the settings, and creates it if it is missing. by is what
// chooses its directory.
func (s *server) openEmpty(ctx context.Context, cfg config.Config, by string, at crashPoints) error {
	var err error
	options := sqldb.Options{CrashPoint: at.commit}
	if cfg.Database.Scheme == "postgres" {
		s.db, err = openThere(metadb.OpenPostgres(ctx, cfg.Database.URL.Reveal(), options))
		return err
	}
	database, err := sqliteFile(cfg)
	if err != nil {
		return err
	}
	if err := s.ownDirectory(filepath.Dir(database), by); err != nil {
		return err
	}
	if err := logAlone(cfg); err != nil {
		return err
	}
	if s.db, err = openThere(metadb.OpenSQLite(ctx, database, options)); err != nil {
		return explainLost(ctx, cfg, err)
	}
	return nil
}
