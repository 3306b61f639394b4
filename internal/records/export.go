package records

import (
	"context"
	"io"
)

// ExportOptions says which rows an export has.
type ExportOptions struct {
	Kind   Kind // KindBase, or KindExport for a server that moves
	Bodies bool // also the small bodies that lie in the database

	// To is the least event that the header says is covered: see Header.
	To int64
}

// Source is a database whose rows can be exported.
type Source interface {
	// WriteRows calls w.Begin, and writes the rows that o asks for, of one snapshot: each
	// table in the order of its key, and a table before those that refer to it.
	WriteRows(ctx context.Context, w *Writer, o ExportOptions) error
}

// Export writes the rows of a database as a file to w. It needs no more than 8 MiB,
// however many they are. After an error, what was written is no file.
func Export(ctx context.Context, w io.Writer, from Source, o ExportOptions) (Summary, error) {
	file, err := NewWriter(w)
	if err != nil {
		return Summary{}, err
	}
	if err := from.WriteRows(ctx, file, o); err != nil {
		return Summary{}, err
	}
	return file.End()
}
