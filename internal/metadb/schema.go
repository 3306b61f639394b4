package metadb

import (
	"embed"
	"io/fs"

	"granary/internal/sqldb"
)

// The migrations. They only go forward.
//
//go:embed migrations/*/*.sql
var migrations embed.FS

// nodesSince is the migration that created the table of nodes.
const nodesSince = 10

func schema(files fs.FS) sqldb.Schema { return sqldb.Schema{Files: files, NodesSince: nodesSince} }

// files are the migrations of this granary.
func files() fs.FS {
	all, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is a constant
	}
	return all
}
