package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"granary/internal/blob"
)

// Pack is a pack to read.
type Pack struct {
	Digest  blob.Digest // the name
	Open    func() (io.ReadCloser, error)
	Retired bool // it may be damaged: what is needed of it is in other packs, too, or it was written again
}

// JournalTarget is a target that also gets the small bodies of packs, in the same
// transaction: each whose blob is there after all deltas. Of a damaged pack it gets the bodies
// that are right.
type JournalTarget struct {
	Target
	Packs []Pack

	// After Fill:
	Bodies int64   // that the target got
	Used   int64   // of these, that have a file
	Bad    []error // of damaged packs
}

// Fill implements Target.
func (t *JournalTarget) Fill(ctx context.Context, schema int64, fn func(Filler) error) error {
	return t.Target.Fill(ctx, schema, func(to Filler) error {
		if err := fn(to); err != nil {
			return err
		}
		f := &packFiller{Filler: to, blobs: NewKnown()}
		if err := to.Blobs(func(b BlobRow) error { f.blobs.Add(b.Digest, b.Size, placeOf(b)); return nil }); err != nil {
			return err
		}
		for _, pack := range t.Packs {
			err := f.pack(ctx, pack)
			if errors.Is(err, ErrPack) || errors.Is(err, blob.ErrNotFound) {
				if !pack.Retired {
					t.Bad = append(t.Bad, fmt.Errorf("pack %s: %w", pack.Digest, err))
				}
				err = nil
			}
			if err != nil {
				return fmt.Errorf("pack %s: %w", pack.Digest, err)
			}
		}
		t.Bodies, t.Used = f.bodies, f.used
		return nil
	})
}

// packFiller remembers the ids of blobs, by which a body finds its row.
type packFiller struct {
	Filler
	blobs  *Known // that have no body yet; the place is that of placeOf
	bodies int64
	used   int64

	batch [][]any
	bytes int // in the batch
}

// placeOf is twice the id of a blob, and one more if a file has it.
func placeOf(b BlobRow) int64 {
	if b.Used {
		return b.ID<<1 | 1
	}
	return b.ID << 1
}

// batchBytes is how many bytes of bodies are inserted at once.
const batchBytes = 4 << 20

// pack inserts the bodies of a pack that the rows name and that are not there yet.
func (f *packFiller) pack(ctx context.Context, p Pack) error {
	take := func(d blob.Digest, body []byte) error { return f.body(ctx, d, body) }
	err := p.read(func(r io.Reader) error { return ReadPack(r, p.Digest, take) })
	if errors.Is(err, ErrPack) {
		failed := p.read(func(r io.Reader) error {
			_, err := RightBodies(r, take)
			return err
		})
		if failed != nil && !errors.Is(failed, ErrPack) {
			return failed
		}
	} else if err != nil {
		return err
	}
	if failed := f.flush(); failed != nil {
		return failed
	}
	return err
}

// read reads a pack. A disk that cannot read it any more is damage, and no reason to give up.
func (p Pack) read(do func(io.Reader) error) error {
	r, err := p.Open()
	if err != nil {
		return worn(err)
	}
	defer r.Close()
	return do(wornReader{r})
}

// worn is an error of reading a pack: ErrPack if the disk cannot read it.
func worn(err error) error {
	if errors.Is(err, syscall.EIO) {
		return fmt.Errorf("%w: %w", ErrPack, err)
	}
	return err
}

// wornReader is the bytes of a pack with such errors.
type wornReader struct{ io.Reader }

func (r wornReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	return n, worn(err)
}

// body inserts a body, most often with later ones.
func (f *packFiller) body(ctx context.Context, d blob.Digest, body []byte) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	place, has := f.blobs.Take(d, int64(len(body)))
	if !has {
		return nil
	}
	id := place >> 1
	f.bodies++
	f.used += place & 1
	f.batch = append(f.batch, []any{id, slices.Clone(body)})
	if f.bytes += len(body); f.bytes < batchBytes {
		return nil
	}
	return f.flush()
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
