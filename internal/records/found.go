package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"granary/internal/blob"
)

// Found is what a store has of a journal, to make the database again from.
type Found struct {
	Base    Header
	File    File     // of the base
	Bytes   int64    // of the base
	Packs   []Pack   // all that are there; those that the base does not need do no harm
	Damaged []string // notes that are damaged or missing, and what is wrong with them
}

// ErrNoRecords says that a store has no records.
var ErrNoRecords = errors.New("the store has no records of a database: no note in it is named records/")

// Find finds the newest base that is whole, and the packs. Every byte of a base is read
// before it counts. If none is whole, the error says what is wrong with the newest.
func Find(ctx context.Context, from Notes, identity string) (f Found, err error) {
	bases, err := f.list(ctx, from)
	if err != nil {
		return f, err
	}
	f.lookAtHead(ctx, from)
	if len(bases) == 0 {
		return f, ErrNoRecords
	}
	var first error
	for _, note := range slices.Backward(bases) {
		err := f.try(ctx, from, note, identity)
		if err == nil {
			return f, nil
		}
		if ctx.Err() != nil {
			return f, err
		}
		f.Damaged = append(f.Damaged, err.Error())
		if first == nil {
			first = err
		}
	}
	return f, fmt.Errorf("no base in the store is whole; the newest: %w", first)
}

// list lists bases and packs.
func (f *Found) list(ctx context.Context, from Notes) (bases []blob.NoteInfo, err error) {
	for note, err := range from.Notes(ctx, filePrefix) {
		if err != nil {
			return nil, err
		}
		if _, ok := eventIn(note.Name); ok {
			bases = append(bases, note)
		}
		if digest, ok := packIn(note.Name); ok {
			f.Packs = append(f.Packs, Pack{Digest: digest, Open: func() (io.ReadCloser, error) { return from.Note(ctx, note.Name) }})
		}
	}
	return bases, nil
}

// lookAtHead notes packs that the head names and that are not there.
func (f *Found) lookAtHead(ctx context.Context, from Notes) {
	head, err := ReadHead(ctx, from)
	if err != nil {
		if !errors.Is(err, blob.ErrNotFound) {
			f.Damaged = append(f.Damaged, err.Error())
		}
		return
	}
	for _, digest := range head.Packs {
		if !slices.ContainsFunc(f.Packs, func(p Pack) bool { return p.Digest.String() == digest }) {
			f.Damaged = append(f.Damaged, "the pack "+digest+" is missing")
		}
	}
}

// try reads a base to its end. It is that of the store of the identity.
func (f *Found) try(ctx context.Context, from Notes, note blob.NoteInfo, identity string) error {
	file := File{Name: note.Name, Open: func() (io.ReadCloser, error) { return from.Note(ctx, note.Name) }}
	r, err := open(file)
	if err != nil {
		return err
	}
	defer r.close()
	h := r.Header()
	if h.Identity != identity {
		return fmt.Errorf("%s: it belongs to the store %q, and this is the store %q", note.Name, h.Identity, identity)
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	f.Base, f.File, f.Bytes = h, file, note.Size
	return nil
}
