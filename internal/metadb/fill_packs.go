package metadb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"granary/internal/blob"
	"granary/internal/records"
)

// WithPacks is a target that also gets the small bodies of packs, in the same transaction:
// each body whose blob is among the rows that the target gets. Of a damaged pack it gets
// the bodies that are right.
type WithPacks struct {
	records.Target
	Packs []Pack

	// After Fill:
	Bodies int64   // that the target got
	Bad    []error // of damaged packs
}

// Pack is a pack to read.
type Pack struct {
	Digest blob.Digest // the name
	Open   func() (io.ReadCloser, error)
}

// Fill implements Target.
func (w *WithPacks) Fill(ctx context.Context, schema int64, fn func(records.Filler) error) error {
	return w.Target.Fill(ctx, schema, func(to records.Filler) error {
		f := &packFiller{Filler: to, blobs: records.NewKnown()}
		if err := fn(f); err != nil {
			return err
		}
		for _, pack := range w.Packs {
			err := f.pack(ctx, pack)
			if err != nil {
				err = fmt.Errorf("pack %s: %w", pack.Digest, err)
			}
			if errors.Is(err, records.ErrPack) {
				w.Bad = append(w.Bad, err)
				err = nil
			}
			if err != nil {
				return err
			}
		}
		w.Bodies = f.bodies
		return nil
	})
}

// packFiller remembers the ids of blobs, by which a body finds its row.
type packFiller struct {
	records.Filler
	blobs  *records.Known // that have no body yet; the place is the id
	bodies int64

	batch [][]any
	bytes int // in the batch
}

// batchBytes is how many bytes of bodies are inserted at once.
const batchBytes = 4 << 20

// Insert implements Filler.
func (f *packFiller) Insert(table string, columns []string, rows records.Rows) error {
	if table != BlobsTable {
		return f.Filler.Insert(table, columns, rows)
	}
	at, err := blobColumnsOf(columns)
	if err != nil {
		return err
	}
	return f.Filler.Insert(table, columns, func() ([]any, error) {
		row, err := rows()
		if err != nil {
			return nil, err
		}
		b, _, err := at.blob(row)
		if err != nil {
			return nil, err
		}
		f.blobs.Add(b.Digest, b.Size, b.ID)
		return row, nil
	})
}

// pack inserts the bodies of a pack that the rows name and that are not there yet.
func (f *packFiller) pack(ctx context.Context, p Pack) error {
	r, err := p.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	err = records.ReadPack(r, p.Digest, func(d blob.Digest, body []byte) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		id, has := f.blobs.Take(d, int64(len(body)))
		if !has {
			return nil
		}
		f.bodies++
		f.batch = append(f.batch, []any{id, slices.Clone(body)})
		if f.bytes += len(body); f.bytes < batchBytes {
			return nil
		}
		return f.flush()
	})
	if err != nil && !errors.Is(err, records.ErrPack) {
		return err
	}
	if failed := f.flush(); failed != nil {
		return failed
	}
	return err
}

// flush inserts the batch.
func (f *packFiller) flush() error {
	rows := f.batch
	f.batch, f.bytes = f.batch[:0], 0
	return f.Filler.Insert("blob_contents", []string{"blob_id", "content"}, func() ([]any, error) {
		if len(rows) == 0 {
			return nil, io.EOF
		}
		row := rows[0]
		rows = rows[1:]
		return row, nil
	})
}
