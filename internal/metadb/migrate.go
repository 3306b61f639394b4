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
	steps, err := fs.Sub(migrations, "migrations/"+d.folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d.migrations, db, steps)
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
