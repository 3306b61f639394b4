package registry

import (
	"context"
	"errors"
	"time"

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
	// what sets the wrong ones aside would take right ones with them.
	Aside bool
}

// mending is called before bytes are stored under their digest, and mended after it: it
// removes the mark of a blob whose bytes were damaged. Unavailable if the wrong ones are not
// set aside yet.
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
		return nil, fault.New(fault.Unavailable, "the damaged bytes of this file are not set aside yet, try again in a minute")
	}
	return func() error { return r.mender(0).unmark(ctx, mark) }, nil
}

// mender marks damaged blobs, sets wrong bytes aside and puts right ones in their place.
// Several may work at once, in several processes: the bytes under a digest change only
// while it has a mark.
type mender struct {
	records Records
	store   blob.Store // where readers look
	now     func() time.Time
	rate    int64 // bytes a second that it reads at most; 0: as fast as it can

	notAside *notAside // what readers of this process know; nil: there are none
}

func (r *Registry) mender(rate int64) mender {
	return mender{r.Records, r.Blobs, r.Now, rate, &r.notAside}
}

// event is one whose author is the server.
func (m mender) event(name audit.Name) audit.Event {
	return audit.New(access.Actor{}, name, m.now(), audit.WholeInstance())
}

// mark marks a blob, unless it is marked already or no file has it any more. newly reports
// whether it did. From then on wrong bytes are not served.
func (m mender) mark(ctx context.Context, mark DamageMark) (newly bool, err error) {
	newly, err = m.records.MarkDamaged(ctx, mark, m.now(), m.event(audit.BlobDamaged))
	if !mark.Aside {
		m.notAside.add(mark.Digest) // after an error, too: it may have come after the deed
	}
	return newly, err
}

func (m mender) unmark(ctx context.Context, mark DamageMark) error {
	_, err := m.records.RemoveMark(ctx, mark, m.event(audit.BlobRepaired))
	return err
}

// markOf is the mark that a blob gets for a damage.
func markOf(b StoredBlob, damage blob.Damage) DamageMark {
	return DamageMark{Digest: b.Digest, Kind: damage, Small: b.Small, Aside: b.Small || damage == blob.Missing}
}

// condemn marks a damaged blob, and sets its wrong bytes aside. right says that the bytes are
// right by now, and the mark is gone.
func (m mender) condemn(ctx context.Context, b StoredBlob, damage blob.Damage) (right bool, err error) {
	mark := markOf(b, damage)
	if _, err := m.mark(ctx, mark); err != nil {
		return false, err
	}
	return m.clear(ctx, b, mark)
}

// clear sets the wrong bytes of a marked blob aside. They are looked at again before: somebody
// else may have put right ones in their place before the mark was there, and nobody does since.
// right says that it was so; then the mark is gone.
func (m mender) clear(ctx context.Context, b StoredBlob, mark DamageMark) (right bool, err error) {
	if mark.Aside {
		return false, nil
	}
	seen, err := m.look(ctx, b)
	if err != nil {
		return false, err
	}
	if seen.damage == nil {
		return true, m.unmark(ctx, mark)
	}
	return false, m.setAside(ctx, b.Digest)
}

// setAside sees to it that the store has no wrong bytes under the digest of a mark. They are
// copied before the transaction in which they are removed: publishers may wait for that.
func (m mender) setAside(ctx context.Context, d blob.Digest) error {
	store, ok := m.store.(blob.Quarantiner)
	if !ok {
		return errors.New("the store cannot set damaged bytes aside")
	}
	remove, err := store.Quarantine(ctx, d)
	if err != nil {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	return m.records.SetAside(ctx, d, remove)
}
