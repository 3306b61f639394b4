package records

import (
	"context"
	"crypto/sha256"
	"os"
	"slices"
	"time"
)

const (
	baseEvery  = 24 * time.Hour
	smallEvery = time.Minute

	leastDeltas = 16 << 20 // bytes of deltas that are worth a base
	mostDeltas  = 2000     // before a base
)

// Step brings the journal up to date. It reports whether the journal has everything that
// was committed; if not, a later step has the rest. last says that no step follows: small
// tables are written although they were a moment ago, and no base is, unless there is none
// that is whole. What is missing in the store is replaced by a base: see Damaged.
func (j *Journal) Step(ctx context.Context, last bool) (all bool, err error) {
	at, err := j.where(ctx)
	if err == nil && at.has {
		at, err = j.look(ctx, at)
	}
	for more := true; err == nil && more; {
		all, more, err = j.step(ctx, at, last)
	}
	if err == nil && all {
		all, err = j.noneMissed(ctx, at)
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
	if j.damage.Found() || at.ahead {
		return true, false, j.base(ctx, at)
	}
	c, err := j.delta(ctx, at, last)
	switch {
	case err != nil:
		return false, false, err
	case c.Anew:
		return true, false, j.base(ctx, at)
	case c.More:
		return false, true, nil
	case !last && j.due(at):
		err = j.base(ctx, at)
	}
	return !c.Waits && err == nil, false, err
}

// due reports whether it is time for a base. One is written each day, also if no event is known
// to have come since the last: a clock that is wrong hides events from deltas.
func (j *Journal) due(at *position) bool {
	age := j.Now().Sub(at.head.At).Abs() // a clock that was ahead wrote a time that is yet to come
	return age >= baseEvery || at.missed && age >= missedEvery || at.deltas >= mostDeltas || at.deltaBytes > max(at.baseBytes, leastDeltas)
}

// delta writes a delta, unless nothing has happened.
func (j *Journal) delta(ctx context.Context, at *position, last bool) (c Changed, err error) {
	now := j.Now()
	look := at.lookFrom(now)
	since := Since{To: at.to, Ends: max(at.to, at.head.Base) + 1, Look: look, Seen: at.above(look), Base: at.head.Event, Last: max(at.event, at.head.Event), Small: at.small, NoSmall: !last && now.Sub(at.smallAt).Abs() < smallEvery}
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
		at.wrote(deltaName(s.To), size)
		at.moved(c, s.To, size, now)
		return nil
	})
	if err == nil && !c.Waits && !c.Anew {
		at.covers(c, now)
	}
	return c, err
}

// written reports whether there is a delta.
func (c Changed) written() bool { return c.New > 0 && !c.Waits && !c.Anew }

// moved notes a delta that was written.
func (at *position) moved(c Changed, to, size int64, now time.Time) {
	at.to, at.deltas, at.deltaBytes = to, at.deltas+1, at.deltaBytes+size
	at.event = max(at.event, c.Events[len(c.Events)-1])
	at.seen = c.Events
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
