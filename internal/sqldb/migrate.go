package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// migrate applies the missing migrations, each in a transaction, logs that in one
// line, and returns the newest version. It refuses a database that is newer than this
// program. The caller holds the lock that keeps others away. If one of the migrations
// is exclusive, none is applied until no older node runs.
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
		o.log().Info("schema created", "version", want)
	case have < want:
		o.log().Info("schema upgraded", "from", have, "to", want)
	}
	return want, nil
}

// ErrNoSchema is what the error of Options.Attach is to errors.Is for a database in which no
// granary has made its tables.
var ErrNoSchema = errors.New("it is no database of granary")

// sameSchema refuses a database whose schema is not this program's, and changes
// nothing. (goose would create its own table if it is missing.)
func sameSchema(ctx context.Context, db *sql.DB, d dialect, s Schema) error {
	p, _, err := steps(db, d, s)
	if err != nil {
		return err
	}
	all := p.ListSources()
	want := all[len(all)-1].Version
	have, err := schemaOf(ctx, db)
	if err != nil {
		return fmt.Errorf("%w; granary serve creates the schema at its first start: %w", ErrNoSchema, err)
	}
	switch {
	case have < want:
		return fmt.Errorf("it has schema version %d, older than the %d of this granary; use the granary that the server runs, or start the server of this one, which upgrades the schema", have, want)
	case have > want:
		return fmt.Errorf("it has schema version %d, newer than the %d that this granary knows; use the granary that the server runs", have, want)
	}
	return nil
}

// schemaOf is the version of the schema.
func schemaOf(ctx context.Context, db *sql.DB) (have int64, err error) {
	err = db.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&have)
	return have, err
}

// steps are the migrations of the dialect, and their files.
func steps(db *sql.DB, d dialect, s Schema) (*goose.Provider, fs.FS, error) {
	files, err := fs.Sub(s.Files, d.folder)
	if err != nil {
		return nil, nil, err
	}
	p, err := goose.NewProvider(d.migrations, db, files)
	return p, files, err
}
