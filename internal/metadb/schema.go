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

// isFilled is whether a server has ever run on the database: its first start makes a user.
const isFilled = `SELECT EXISTS (SELECT 1 FROM users)`

func schema(files fs.FS) sqldb.Schema {
	return sqldb.Schema{Files: files, NodesSince: nodesSince, Filled: isFilled}
}

// files are the migrations of this granary.
func files() fs.FS {
	all, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is a constant
	}
	return all
}
