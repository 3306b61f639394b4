package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/records"
	"granary/internal/registry"
)

// Elsewhere is a place that may have right bytes of blobs.
type Elsewhere = registry.Elsewhere

// Wanted is a blob whose right bytes are looked for.
type Wanted = registry.Wanted

// Copy is where bytes of a blob may be.
type Copy = registry.Copy

// otherStore is a copy of a store, or a place of backups, that may have right bytes of
// blobs. It opens the store when the first blob is wanted, and asks it no more once it did
// not answer. It is to be closed, and used no more then.
type otherStore struct {
	cfg config.Config // its store

	mu     sync.Mutex
	source blob.Source   // nil until it is open
	packed *packedBodies // nil until a small body is wanted
	failed error         // why it is asked no more
}

var _ Elsewhere = (*otherStore)(nil)

// open opens the store, if it is not open.
func (o *otherStore) open(ctx context.Context) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.opened(ctx)
}

func (o *otherStore) opened(ctx context.Context) (err error) {
	if o.source != nil || o.failed != nil {
		return o.failed
	}
	source, err := openSource(ctx, o.cfg)
	if err != nil {
		return o.fail(ctx, fmt.Errorf("cannot open the blobs in %s, to repair from: %w", o.cfg.Blobs, err))
	}
	o.source = blob.Readable(source)
	return nil
}

// isStore fails if nothing in an open store says that it is one of a server, or a place of
// backups: neither a note nor a blob.
func (o *otherStore) isStore(ctx context.Context) error {
	for _, name := range []string{identityNote, markerNote} {
		note, err := o.source.Note(ctx, name)
		if err == nil {
			return note.Close()
		}
		if errors.Is(err, blob.ErrUnreadable) {
			return nil // it is there
		}
		if !errors.Is(err, blob.ErrNotFound) {
			return fmt.Errorf("cannot read %s, to repair from: %w", o.cfg.Blobs, err)
		}
	}
	for _, err := range o.source.List(ctx, "") {
		if err == nil {
			return nil
		}
		return fmt.Errorf("cannot read the blobs in %s, to repair from: %w", o.cfg.Blobs, err)
	}
	return fmt.Errorf("%s is neither a store nor a place of backups: there is no %s in it, no %s and no blob; --repair-from names one", o.cfg.Blobs, identityNote, markerNote)
}

// fail remembers an error, unless it is that of a caller who gave up.
func (o *otherStore) fail(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		o.failed = err
	}
	return err
}

func (o *otherStore) close() {
	if o.source != nil {
		closeStore(o.source)
	}
}

// Copies implements registry.Elsewhere: small bodies are in packs, or in the store like the
// others.
func (o *otherStore) Copies(ctx context.Context, b Wanted) (all []Copy, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.opened(ctx); err != nil {
		return nil, err
	}
	if b.Size <= records.MaxBody {
		if o.packed == nil {
			if o.packed, err = readPacked(ctx, o.source); err != nil {
				return nil, o.fail(ctx, fmt.Errorf("cannot read the packs in %s: %w", o.cfg.Blobs, err))
			}
		}
		all = o.packed.copies(o.source, b)
	}
	return append(all, Copy{Open: func(ctx context.Context) (io.ReadCloser, error) {
		r, err := o.source.Open(ctx, b.Digest)
		if err != nil {
			return nil, err // not a nil reader that is not nil
		}
		return r, nil
	}}), nil
}

// journalPacks are the packs of a store's own records, which a copy of the store has, too.
const journalPacks = "records/packs/"

// packNotes are the notes of packs: those of the newest snapshot first, then of older ones,
// then those that no snapshot names.
func packNotes(ctx context.Context, from blob.Source) (notes []string, err error) {
	known := map[string]bool{}
	add := func(note string) {
		if !known[note] {
			known[note] = true
			notes = append(notes, note)
		}
	}
	snapshots, err := snapshotsIn(ctx, from)
	if err != nil {
		return nil, err
	}
	for i := len(snapshots) - 1; i >= 0; i-- {
		for _, pack := range snapshots[i].Manifest.Packs {
			add(packNote(pack))
		}
	}
	for _, prefix := range []string{packsPrefix, journalPacks} {
		for note, err := range from.Notes(ctx, prefix) {
			if err != nil {
				return nil, err
			}
			add(note.Name)
		}
	}
	return notes, nil
}

// packName is the pack of a note, for people.
func packName(note string) string {
	return "the pack " + note[strings.LastIndex(note, "/")+1:]
}

// bodyIn opens a body in a pack.
func bodyIn(ctx context.Context, from blob.Source, note string, offset, size int64) (io.ReadCloser, error) {
	r, err := from.Note(ctx, note)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, size), r}, nil
}
