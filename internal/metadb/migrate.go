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
//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// migrate applies the steps that are missing, each in a transaction. It
// refuses a database that is newer than this program.
func migrate(ctx context.Context, db *sql.DB) error {
	steps, err := fs.Sub(sqliteMigrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, steps)
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
