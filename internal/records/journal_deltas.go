package records

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"granary/internal/blob"
)

// position is how far a journal is. What the store says counts; this is remembered of it.
type position struct {
	head Head
	has  bool // a head

	to    int64   // the newest file covers the events up to this one
	event int64   // the last event that was written
	seen  []int64 // ids of events that were written, from to - Late on

	baseBytes, deltaBytes int64 // since the base
	deltas                int

	small   map[string]Checksum // of the small tables, as they were written last
	smallAt time.Time           // when they were looked at last
}

const (
	baseEvery  = 24 * time.Hour
	smallEvery = time.Minute

	leastDeltas = 16 << 20 // bytes of deltas that are worth a base
	mostDeltas  = 2000     // before a base
)

// Step brings the journal up to date. It reports whether the journal has everything that
// was committed; if not, a later step has the rest. last says that no step follows: small
// tables are written although they were a moment ago, and no base is.
func (j *Journal) Step(ctx context.Context, last bool) (all bool, err error) {
	at, err := j.where(ctx)
	for more := true; err == nil && more; {
		all, more, err = j.step(ctx, at, last)
	}
	if err != nil {
		j.at, j.packer = nil, Packer{} // the store may be further than was seen
	}
	return all, err
}

// step writes one file. It reports whether there is more to write at once.
func (j *Journal) step(ctx context.Context, at *position, last bool) (all, more bool, err error) {
	if !at.has {
		return true, false, j.base(ctx, at)
	}
	events, err := j.Database.EventsAround(ctx, at.event)
	if err != nil {
		return false, false, err
	}
	if j.older(at.event, events) {
		return false, false, ErrOlder
	}
	c, err := j.delta(ctx, at, last)
	switch {
	case err != nil:
		return false, false, err
	case c.Anew:
		return true, false, j.base(ctx, at)
	case c.More:
		return false, true, nil
	case !last && j.due(at) && events.Last != at.head.Event:
		err = j.base(ctx, at)
	}
	return !c.Waits && err == nil, false, err
}

// due reports whether it is time for a base.
func (j *Journal) due(at *position) bool {
	return j.Now().Sub(at.head.At) >= baseEvery || at.deltas >= mostDeltas || at.deltaBytes > max(at.baseBytes, leastDeltas)
}

// delta writes a delta, unless nothing has happened.
func (j *Journal) delta(ctx context.Context, at *position, last bool) (c Changed, err error) {
	since := Since{To: at.to, Seen: at.seen, Base: at.head.Event, Small: at.small, NoSmall: !last && j.Now().Sub(at.smallAt) < smallEvery}
	var s Summary
	err = spooled(func(spool *os.File) error {
		w, err := NewWriter(spool)
		if err != nil {
			return err
		}
		if c, err = j.Database.Delta(ctx, w, since); err != nil || !c.written() {
			return err
		}
		s, err = w.End()
		return err
	}, func(spool *os.File, size int64) error {
		if !c.written() {
			return nil
		}
		if err := j.packNew(ctx, c.Blobs); err != nil {
			return err
		}
		if err := j.Store.PutNote(ctx, deltaName(s.To), spool, size); err != nil {
			return err
		}
		j.crashPoint("delta")
		at.moved(c, s.To, size, j.Now())
		return nil
	})
	return c, err
}

// written reports whether there is a delta.
func (c Changed) written() bool { return c.New > 0 && !c.Waits && !c.Anew }

// moved notes a delta that was written.
func (at *position) moved(c Changed, to, size int64, now time.Time) {
	at.to, at.deltas, at.deltaBytes = to, at.deltas+1, at.deltaBytes+size
	at.event = max(at.event, c.Events[len(c.Events)-1])
	i, _ := slices.BinarySearch(c.Events, to-Late)
	at.seen = slices.Clone(c.Events[i:])
	if c.Small != nil {
		at.small, at.smallAt = c.Small, now
	}
}

// packNew puts the bodies of published files into packs, if they are in the database.
func (j *Journal) packNew(ctx context.Context, blobs []int64) error {
	p := &packing{Journal: j}
	for run := range slices.Chunk(blobs, bodiesInRow) {
		for len(run) > 0 {
			n := 1
			for n < len(run) && run[n] == run[0]+int64(n) {
				n++
			}
			bodies, err := j.Database.Bodies(ctx, run[0], run[n-1])
			if err != nil {
				return err
			}
			for _, body := range bodies {
				if err := p.add(ctx, sha256.Sum256(body.Bytes), body.Bytes); err != nil {
					return err
				}
			}
			run = run[n:]
		}
	}
	if j.packer.Len() == 0 {
		return nil
	}
	return p.finish(ctx)
}

// bodiesInRow is how many bodies with ids in a row one query reads: 16 MiB at most.
const bodiesInRow = 16

// where is the position of the journal, read from the store at first.
func (j *Journal) where(ctx context.Context) (*position, error) {
	if j.at != nil {
		return j.at, nil
	}
	at := &position{}
	var err error
	if at.head, at.has, err = j.Head(ctx); err != nil {
		return nil, err
	}
	newest := ""
	for note, err := range j.Store.Notes(ctx, filePrefix) {
		if err != nil {
			return nil, err
		}
		if to, ok := eventIn(note.Name, baseEnd); ok && to == at.head.Base {
			at.baseBytes = note.Size
		}
		if to, ok := eventIn(note.Name, deltaEnd); ok {
			if newest = note.Name; to > at.head.Base {
				at.deltas, at.deltaBytes = at.deltas+1, at.deltaBytes+note.Size
			}
		}
	}
	if !at.has && newest != "" {
		return nil, fmt.Errorf("the store has records, such as %s, and no note %s: move its folder records away", newest, headName)
	}
	at.to, at.event = at.head.Base, at.head.Event
	if newest != "" {
		if err := j.readNewest(ctx, at, newest); err != nil {
			return nil, err
		}
	}
	j.at = at
	return at, nil
}

// Until is the time of the last event that the files in the store cover. It is zero if
// there are none.
func (j *Journal) Until(ctx context.Context) (time.Time, error) {
	at, err := j.where(ctx)
	if err != nil || !at.has {
		return time.Time{}, err
	}
	return time.UnixMicro(at.to), nil
}

// readNewest continues after the newest delta. After a base that is newer, deltas go on
// from there all the same: if that base is damaged, the one before it and all deltas are
// as good.
func (j *Journal) readNewest(ctx context.Context, at *position, name string) error {
	r, err := open(File{Name: name, Open: func() (io.ReadCloser, error) { return j.Store.Note(ctx, name) }})
	if err != nil {
		return fmt.Errorf("%w; remove it, and a base is due", err)
	}
	defer r.close()
	event := int64(0)
	for {
		line, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if line.Kind == RowLine && line.Table == "audit_events" {
			if i := slices.Index(line.Columns, "id"); i >= 0 {
				id, _ := line.Values[i].(int64)
				event = max(event, id)
				at.seen = append(at.seen, id)
			}
		}
	}
	slices.Sort(at.seen)
	at.to = r.Header().To
	at.event = max(event, at.event)
	return nil
}

// JournalTarget is a target that also gets the small bodies of packs, in the same
// transaction: each whose blob is there after all deltas.
type JournalTarget struct {
	Target
	Packs []Pack

	// After Fill:
	Bodies int64   // that the target got
	Bad    []error // of damaged packs
}

// Fill implements Target.
func (t *JournalTarget) Fill(ctx context.Context, schema int64, fn func(Filler) error) error {
	return t.Target.Fill(ctx, schema, func(to Filler) error {
		if err := fn(to); err != nil {
			return err
		}
		f := &packFiller{Filler: to, blobs: NewKnown()}
		if err := to.Blobs(func(b BlobRow) error { f.blobs.Add(b.Digest, b.Size, b.ID); return nil }); err != nil {
			return err
		}
		for _, pack := range t.Packs {
			err := f.pack(ctx, pack)
			if errors.Is(err, ErrPack) || errors.Is(err, blob.ErrNotFound) {
				t.Bad = append(t.Bad, fmt.Errorf("pack %s: %w", pack.Digest, err))
				err = nil
			}
			if err != nil {
				return fmt.Errorf("pack %s: %w", pack.Digest, err)
			}
		}
		t.Bodies = f.bodies
		return nil
	})
}
