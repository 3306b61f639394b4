package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

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
		f := &packFiller{Filler: to}
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
		var err error
		t.Bodies, t.Used, err = to.Bodied()
		return err
	})
}

// packFiller inserts the bodies of packs, many at once.
type packFiller struct {
	Filler
	batch []body
	bytes int // in the batch
}

type body struct {
	digest blob.Digest
	bytes  []byte
}

// batchBytes is how many bytes of bodies are inserted at once.
const batchBytes = 1 << 20

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

// worn is an error of reading a pack: ErrPack if it is there and cannot be read.
func worn(err error) error {
	if errors.Is(err, blob.ErrUnreadable) {
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
func (f *packFiller) body(ctx context.Context, d blob.Digest, bytes []byte) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.batch = append(f.batch, body{d, slices.Clone(bytes)})
	if f.bytes += len(bytes); f.bytes < batchBytes {
		return nil
	}
	return f.flush()
}

// flush inserts the batch.
func (f *packFiller) flush() error {
	rows := f.batch
	f.batch, f.bytes = f.batch[:0], 0
	return f.Bodies(func() (blob.Digest, []byte, error) {
		if len(rows) == 0 {
			return blob.Digest{}, nil, io.EOF
		}
		row := rows[0]
		rows = rows[1:]
		return row.digest, row.bytes, nil
	})
}
