package registry

import (
	"context"
	"errors"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
)

// DamageMark says that stored bytes are known to be damaged.
type DamageMark struct {
	Digest blob.Digest
	Kind   blob.Damage
	Small  bool // the database keeps the bytes

	// Aside says that the store has no wrong bytes under the digest: they were set aside,
	// or lost, or are in the database. Until then nobody stores the bytes anew, because
	// what sets the wrong ones aside does not look at them.
	Aside bool
}

// marksStep is how many marks are read at once.
const marksStep = 100

// mending is called before bytes are stored under their digest, and mended after it: it
// removes the mark of a blob whose bytes were damaged. Unavailable if the wrong ones are
// just being set aside.
func (r *Registry) mending(ctx context.Context, d blob.Digest) (mended func() error, err error) {
	mark, err := r.Records.FindMark(ctx, d)
	switch {
	case fault.Is(err, fault.NotFound):
		return func() error { return nil }, nil
	case err != nil:
		return nil, err
	case mark.Small: // the record of the bytes replaces them
		return func() error { return nil }, nil
	case !mark.Aside:
		return nil, fault.New(fault.Unavailable, "the damaged bytes of this file are just being set aside, try again in a minute")
	}
	return func() error { return r.unmark(ctx, d) }, nil
}

func (r *Registry) unmark(ctx context.Context, d blob.Digest) error {
	_, err := r.Records.RemoveMark(ctx, d, r.damageEvent(audit.BlobRepaired))
	return err
}

// damageEvent is an event whose author is the server.
func (r *Registry) damageEvent(name audit.Name) audit.Event {
	return audit.New(access.Actor{}, name, r.Now(), audit.WholeInstance())
}

// CheckMarks finishes what an interrupted Scrub has not set aside, and removes the marks
// of blobs whose right bytes are back: published again, or restored by hand.
func (r *Registry) CheckMarks(ctx context.Context, rate int64) error {
	var after []byte
	for {
		marks, err := r.Records.MarksAfter(ctx, after, marksStep)
		if err != nil || len(marks) == 0 {
			return err
		}
		for _, m := range marks {
			if err := r.checkMark(ctx, m, rate); err != nil {
				return err
			}
		}
		after = marks[len(marks)-1].Digest[:]
	}
}

func (r *Registry) checkMark(ctx context.Context, m DamageMark, rate int64) error {
	if !m.Aside {
		return r.setAside(ctx, m)
	}
	if !m.Small {
		if _, err := r.Blobs.Stat(ctx, m.Digest); err != nil {
			return absent(err)
		}
	}
	looked, err := r.look(ctx, StoredBlob{Digest: m.Digest, Size: -1, Small: m.Small}, rate)
	switch {
	case err != nil:
		return err
	case looked.damage == nil:
		return r.unmark(ctx, m.Digest)
	case looked.damage.Damage == blob.Missing:
		return nil
	}
	return r.setAside(ctx, m) // wrong ones were put there by hand
}

// absent is nil for a blob that the store does not have.
func absent(err error) error {
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	return storeFault(err)
}

// setAside sees to it that the store has no wrong bytes under the digest of a mark.
func (r *Registry) setAside(ctx context.Context, m DamageMark) error {
	if !m.Small {
		store, ok := r.Blobs.(blob.Quarantiner)
		if !ok {
			return errors.New("the store cannot set damaged bytes aside")
		}
		if err := store.Quarantine(ctx, m.Digest); err != nil {
			return storeFault(err)
		}
	}
	return r.Records.SetAside(ctx, m.Digest)
}
