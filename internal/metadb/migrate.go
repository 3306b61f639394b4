package metadb

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// The schema, step by step. Only forward.
//
//go:embed migrations/*/*.sql
var migrations embed.FS

// migrate applies the steps that are missing, each in a transaction. It
// refuses a database that is newer than this program. The caller keeps others
// away meanwhile.
func migrate(ctx context.Context, db *sql.DB, d dialect) error {
	p, err := steps(db, d)
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("it has schema version %d, newer than the %d that this granary knows; start the newer granary, or restore a backup from before it", have, want)
	}
	_, err = p.Up(ctx)
	return err
}

// sameSchema refuses a database whose schema is not this program's, and leaves
// it as it is. (goose would make its own table where there is none.)
func sameSchema(ctx context.Context, db *sql.DB, d dialect) error {
	p, err := steps(db, d)
	if err != nil {
		return err
	}
	all := p.ListSources()
	want := all[len(all)-1].Version
	var have int64
	if err := db.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&have); err != nil {
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

func steps(db *sql.DB, d dialect) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+d.folder)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(d.migrations, db, files)
}
