package metadb

import (
	"fmt"
	"io"
	"slices"

	"granary/internal/blob"
	"granary/internal/records"
)

// BlobsTable is the table of all blobs: those in the store, and those whose bytes are in
// the database.
const BlobsTable = "blobs"

// BlobRow is what a row of the table blobs says of a blob.
type BlobRow struct {
	ID     int64
	Digest blob.Digest
	Size   int64 // bytes
}

// EachBlob reads a file that records.NewReader has opened to its end, and passes on the blobs that
// files have: of another one a publish has only begun, or the last file is gone, and its
// bytes may not be there. Only if EachBlob returns nil the file was whole, and what was
// passed on is right.
func EachBlob(r *records.Reader, each func(BlobRow) error) error {
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
		if line.Kind != records.RowLine || line.Table != BlobsTable {
			continue
		}
		if !slices.Equal(columns, line.Columns) {
			columns = slices.Clone(line.Columns)
			if at, err = blobColumnsOf(columns); err != nil {
				return err
			}
		}
		row, files, err := at.blob(line.Values)
		if err == nil && files > 0 {
			err = each(row)
		}
		if err != nil {
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

// blob is a row, and the number of its files.
func (at blobColumns) blob(row []any) (b BlobRow, files int64, err error) {
	digest, ok := row[at[1]].([]byte)
	id, ok0 := row[at[0]].(int64)
	size, ok2 := row[at[2]].(int64)
	files, ok3 := row[at[3]].(int64)
	if !ok || !ok0 || !ok2 || !ok3 || len(digest) != len(b.Digest) || id <= 0 || size < 0 {
		return b, 0, fmt.Errorf("a row of the table %s has no id, SHA-256, size or number of files", BlobsTable)
	}
	return BlobRow{ID: id, Digest: blob.Digest(digest), Size: size}, files, nil
}
