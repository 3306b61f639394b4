package records

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"

	"granary/internal/blob"
)

// Notes are the notes of a store, to be looked at. A blob.ErrUnreadable is damage of one note, and
// any other error says nothing of what is in the store: blob.Readable tells them apart.
type Notes interface {
	Note(ctx context.Context, name string) (io.ReadSeekCloser, error)
	Notes(ctx context.Context, prefix string) iter.Seq2[blob.NoteInfo, error]
}

// Keeper is the database whose records a journal keeps.
type Keeper interface {
	Source
	Changes

	// SmallBlobs returns up to limit blobs with ids above after whose bytes are in the
	// database, in the order of their ids.
	SmallBlobs(ctx context.Context, after int64, limit int) ([]BlobRow, error)

	// Bodies returns the bytes of the blobs with ids from first to last, both included,
	// that are in the database.
	Bodies(ctx context.Context, first, last int64) ([]Body, error)

	// EventsAround looks for the audit event with an id.
	EventsAround(ctx context.Context, id int64) (EventsAround, error)

	// CountEvents counts the audit events with ids above after and up to to. Of more than limit
	// it counts the last ones: those with ids above the one that it returns, which is else after.
	CountEvents(ctx context.Context, after, to, limit int64) (n, above int64, err error)
}

// EventsAround says which audit events a database has, seen from one of them.
type EventsAround struct {
	Last    int64 // the id of the last one; 0 if there is none
	Has     bool  // it has the one that was asked for
	Earlier bool  // it has an earlier one
	Next    int64 // the id of the first later one; 0 if there is none
	Rebuilt bool  // Next says that the database was made again
}

// Lack reports whether the database never had the event that was asked for, which other records
// have: it is older than these, or another one. An event may only be missing if it was removed
// for its age, and then every earlier one was, too. retention is how long events are kept, 0 for
// ever. Event 0 stands for none, and is never lacking.
func (e EventsAround) Lack(event int64, retention time.Duration, now time.Time) bool {
	if e.Has || event == 0 {
		return false
	}
	return e.Earlier || retention == 0 || time.UnixMicro(event).After(now.Add(-retention))
}

// Body is the bytes of a blob.
type Body struct {
	BlobID int64
	Bytes  []byte
}

// Journal keeps the records of a database in its store. It is used by one goroutine.
type Journal struct {
	Store    blob.Notes // as Notes
	Database Keeper
	Identity string // of the store
	Now      func() time.Time

	// Retention is how long the database keeps audit events; 0 is for ever.
	Retention time.Duration

	// CrashPoint is called after each step that changes the store, with its name; a test
	// ends the process there. nil: nothing is called.
	CrashPoint func(name string)

	// Damaged is called with what the journal sees to be missing or damaged, before it writes
	// a base in place of that. nil: nothing is called.
	Damaged func(Damage)

	// Missed is called with how many events came too late to be in deltas, when they are seen, at
	// most once an hour. nil: nothing is called.
	Missed func(events int64)

	damage Damage    // to be replaced by a base
	told   time.Time // when Missed was called last
	at     *position // nil: unknown
	packer Packer    // empty between two calls
}

// retiredFor is how long what the newest base does not need stays in the store.
const retiredFor = 24 * time.Hour

// Head is the journal's head; false if it has none yet. A head of other records is an
// error.
func (j *Journal) Head(ctx context.Context) (h Head, has bool, err error) {
	h, err = ReadHead(ctx, j.Store)
	if errors.Is(err, blob.ErrNotFound) {
		return h, false, nil
	}
	if err == nil && h.Identity != j.Identity {
		err = fmt.Errorf("%w; move its folder records away", otherStore(headName, h.Identity, j.Identity))
	}
	return h, err == nil, err
}

// ErrOlder says that a database is older than its journal.
var ErrOlder = errors.New("the database is older than the records in its store: it is a copy that somebody put back. " +
	"Nothing is written over them. To go on with this database, move the folder records in the store away; " +
	"to have what the records say, run granary rebuild into an empty database")

// Base writes a base, unless nothing has happened since the last one. It needs up to
// 40 MiB, and 30 bytes for each small body. Until it returns nil, the base before stands.
func (j *Journal) Base(ctx context.Context) (written bool, err error) {
	at, err := j.where(ctx)
	if err != nil {
		return false, err
	}
	if at.has {
		events, err := j.Database.EventsAround(ctx, at.event)
		if err != nil || events.Has && events.Last == at.head.Event && !at.ahead {
			return false, err
		}
		if j.older(at.event, events) {
			return false, ErrOlder
		}
	}
	return true, j.base(ctx, at)
}

// base writes a base.
func (j *Journal) base(ctx context.Context, at *position) error {
	began := j.Now()
	w, err := j.newWatermark(ctx, at, began)
	if err != nil {
		return err
	}
	var s Summary
	err = spooled(func(spool *os.File) (err error) {
		s, err = Export(ctx, spool, j.Database, ExportOptions{Kind: KindBase, To: at.to})
		return err
	}, func(spool *os.File, size int64) error {
		return j.put(ctx, spool, size, s, at, began)
	})
	if err == nil {
		at.ahead, at.missed, at.below = false, false, w
		at.small = nil // the base may have others than the last delta
	}
	return err
}

// NewSpool makes a temporary file for records. It has no name any more, so that a kill leaves
// nothing of it, and stays readable until it is closed.
func NewSpool() (*os.File, error) {
	spool, err := os.CreateTemp("", "granary-records-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a temporary file for the records: %w; TMPDIR names another directory", err)
	}
	_ = os.Remove(spool.Name()) // if that fails, only its name is left
	return spool, nil
}

// spooled has a file written to a temporary one, and then put into the store.
func spooled(write func(*os.File) error, put func(*os.File, int64) error) error {
	spool, err := NewSpool()
	if err != nil {
		return err
	}
	defer spool.Close() // it was only read
	if err := write(spool); err != nil {
		return fmt.Errorf("writing the records to a temporary file, %s: %w", spool.Name(), err)
	}
	size, err := spool.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = spool.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	return put(spool, size)
}

// older reports whether a database, seen from the last event in its journal, is older than
// the journal.
func (j *Journal) older(covered int64, events EventsAround) bool {
	return events.Lack(covered, j.Retention, j.Now())
}

// put puts the packs, the base and the head into the store, and removes what has been
// retired for long. began is when the base was begun.
func (j *Journal) put(ctx context.Context, spool *os.File, size int64, s Summary, at *position, began time.Time) error {
	before := at.head
	packing := &packing{Journal: j, retired: before.Retired}
	packs, err := packing.run(ctx)
	if err != nil {
		return err
	}
	if err := j.Store.PutNote(ctx, baseName(s.To), spool, size); err != nil {
		return err
	}
	j.crashPoint("base")
	head := Head{Format: Format, Identity: j.Identity, Schema: s.Schema, Base: s.To, Event: s.To, At: began.UTC().Truncate(time.Microsecond), Packs: packs}
	if s.To == at.to { // no event is later
		head.Event = at.event
	}
	if head.Begins = before.Begins; !at.has {
		head.Begins = s.To
	}
	old, err := j.retire(ctx, &head, before.Retired)
	if err != nil {
		return err
	}
	text, err := head.encode()
	if err == nil {
		err = j.Store.PutNote(ctx, headName, bytes.NewReader(text), int64(len(text)))
	}
	if err != nil {
		return err
	}
	j.crashPoint("head")
	at.head, at.has, at.baseBytes, at.deltas, at.deltaBytes = head, true, size, 0, 0
	at.need(size)
	j.damage = Damage{}
	if at.to == 0 {
		at.to, at.event = head.Base, head.Event
	}
	if at.asked.IsZero() {
		at.asked = began
	}
	for _, name := range old {
		if err := j.Store.DeleteNote(ctx, name); err != nil {
			return err
		}
		j.crashPoint("deleted")
	}
	return nil
}

// retire finds the notes that a new head does not need. Those that were retired before
// head.At minus a day are returned, to be deleted; the others are noted in the head.
func (j *Journal) retire(ctx context.Context, head *Head, before map[string]time.Time) (old []string, err error) {
	head.Retired = map[string]time.Time{}
	for note, err := range j.Store.Notes(ctx, filePrefix) {
		if err != nil {
			return nil, err
		}
		if !retires(note.Name, head) {
			continue
		}
		at, known := before[note.Name]
		if !known {
			at = head.At
		}
		if head.At.Sub(at) >= retiredFor {
			old = append(old, note.Name)
			continue
		}
		head.Retired[note.Name] = at
	}
	return old, nil
}

// retires reports whether a note is a base, delta or pack that the base of a head does without.
// It leaves alone what it does not know.
func retires(name string, head *Head) bool {
	if to, ok := eventIn(name, baseEnd); ok {
		return to < head.Base
	}
	if to, ok := eventIn(name, deltaEnd); ok {
		return to <= head.Base
	}
	d, ok := packIn(name)
	return ok && !slices.Contains(head.Packs, d.String())
}

func (j *Journal) crashPoint(name string) {
	if j.CrashPoint != nil {
		j.CrashPoint(name)
	}
}
