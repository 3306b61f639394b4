package records

import (
	"context"
	"io"

	"granary/internal/blob"
)

// File is a file to replay. It is opened more than once if it is not the first.
type File struct {
	Name string // for errors
	Open func() (io.ReadCloser, error)
}

// Target is an empty database that can be filled.
type Target interface {
	// Fill runs fn in a transaction, and completes what it filled: it brings the schema
	// up to date, makes derived rows, and sees that rows refer to rows. It fails, and
	// leaves nothing, if the database is not empty, or does not know the schema.
	Fill(ctx context.Context, schema int64, fn func(Filler) error) error
}

// Rows returns a row at a time, and io.EOF after the last. A row is valid until the next
// call; its values stay.
type Rows func() ([]any, error)

// Filler takes the rows of files.
type Filler interface {
	// Upgrade brings the schema to a version, in which the following rows are.
	Upgrade(ctx context.Context, schema int64) error

	Insert(table string, columns []string, rows Rows) error

	// Remove removes those rows of a table that have the keys of these rows.
	Remove(table string, columns []string, rows Rows) error

	// Empty removes all rows of a table.
	Empty(table string) error

	// Number says which id a row of each table got last: new rows get later ones.
	Number(last map[string]int64) error

	// Settle removes rows that were purged, which deltas do not tell: those that refer to
	// rows that are not there, and all but the newest blob of a digest.
	Settle() error

	// Bodies inserts bodies of small files until next returns io.EOF: each if there is a blob of
	// its digest and size that has none yet. It is called after Settle.
	Bodies(next func() (blob.Digest, []byte, error)) error

	// Bodied counts the blobs that have a body, and those of them that a file has.
	Bodied() (all, used int64, err error)

	// Sum reads the rows of a table back.
	Sum(table string, columns []string) (Checksum, error)
}
