package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// migrate applies the steps that are missing, each in a transaction, and reports
// the newest. It refuses a database that is newer than this program. The caller
// keeps others away meanwhile. Where one of the steps is exclusive, nothing is
// applied, not the steps before it either, until no older node runs. What was
// applied is told to the log, in one line.
func migrate(ctx context.Context, db *sql.DB, d dialect, s Schema, o Options) (newest int64, err error) {
	p, files, err := steps(db, d, s)
	if err != nil {
		return 0, err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return 0, err
	}
	if have > want {
		return 0, fmt.Errorf("it has schema version %d, newer than the %d that this granary knows; start the newer granary, or restore a backup from before it", have, want)
	}
	needed, err := lastExclusive(files, p.ListSources(), have)
	if err != nil {
		return 0, err
	}
	if needed > 0 && have >= s.NodesSince && d.shared { // else the file lock keeps others away
		if err := awaitOlder(ctx, db, d, needed, o); err != nil {
			return 0, err
		}
	}
	if _, err = p.Up(ctx); err != nil {
		return 0, err
	}
	switch {
	case have == 0:
		o.log().Info("schema made", "version", want)
	case have < want:
		o.log().Info("schema upgraded", "from", have, "to", want)
	}
	return want, nil
}

// sameSchema refuses a database whose schema is not this program's, and leaves
// it as it is. (goose would make its own table where there is none.)
func sameSchema(ctx context.Context, db *sql.DB, d dialect, s Schema) error {
	p, _, err := steps(db, d, s)
	if err != nil {
		return err
	}
	all := p.ListSources()
	want := all[len(all)-1].Version
	have, err := schemaOf(ctx, db)
	if err != nil {
		return fmt.Errorf("it holds no records of granary; granary serve makes them at its first start: %w", err)
	}
	switch {
	case have < want:
		return fmt.Errorf("it has schema version %d, older than the %d of this granary; use the granary that the server runs, or start this one's server, which brings it up to date", have, want)
	case have > want:
		return fmt.Errorf("it has schema version %d, newer than the %d that this granary knows; use the granary that the server runs", have, want)
	}
	return nil
}

// schemaOf is the version that the schema has.
func schemaOf(ctx context.Context, db *sql.DB) (have int64, err error) {
	err = db.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&have)
	return have, err
}

// steps are the migrations of the dialect, and the files that they are in.
func steps(db *sql.DB, d dialect, s Schema) (*goose.Provider, fs.FS, error) {
	files, err := fs.Sub(s.Files, d.folder)
	if err != nil {
		return nil, nil, err
	}
	p, err := goose.NewProvider(d.migrations, db, files)
	return p, files, err
}
