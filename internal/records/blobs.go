package records

import (
	"fmt"
	"io"
	"slices"

	"granary/internal/blob"
)

// BlobsTable is the table of all blobs: those in the store, and those whose bytes are in
// the database.
const BlobsTable = "blobs"

// BlobRow is what a row of the table blobs says of a blob.
type BlobRow struct {
	ID     int64
	Digest blob.Digest
	Size   int64 // bytes
	Files  int64 // that have these bytes; 0: a publish has only begun, or the last file is gone
}

// EachBlob reads a file that NewReader has opened to its end, and passes on the rows of
// blobs. Only if it returns nil the file was whole, and what was passed on is right.
func EachBlob(r *Reader, each func(BlobRow) error) error {
	var at blobColumns
	var columns []string
	for {
		line, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if line.Kind != RowLine || line.Table != BlobsTable {
			continue
		}
		if !slices.Equal(columns, line.Columns) {
			columns = slices.Clone(line.Columns)
			if at, err = blobColumnsOf(columns); err != nil {
				return err
			}
		}
		row, err := at.blob(line.Values)
		if err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

// blobColumns are the positions of the columns id, digest, size and files.
type blobColumns [4]int

func blobColumnsOf(columns []string) (at blobColumns, err error) {
	for i, name := range [...]string{"id", "digest", "size", "files"} {
		if at[i] = slices.Index(columns, name); at[i] < 0 {
			return at, fmt.Errorf("the table %s has no column %s", BlobsTable, name)
		}
	}
	return at, nil
}

func (at blobColumns) blob(row []any) (b BlobRow, err error) {
	digest, ok := row[at[1]].([]byte)
	id, ok0 := row[at[0]].(int64)
	size, ok2 := row[at[2]].(int64)
	files, ok3 := row[at[3]].(int64)
	if !ok || !ok0 || !ok2 || !ok3 || len(digest) != len(b.Digest) || id <= 0 || size < 0 {
		return b, fmt.Errorf("a row of the table %s has no id, SHA-256, size or number of files", BlobsTable)
	}
	return BlobRow{ID: id, Digest: blob.Digest(digest), Size: size, Files: files}, nil
}
