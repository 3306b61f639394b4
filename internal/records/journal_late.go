package records

import (
	"context"
	"math"
	"slices"
	"time"
)

// The id of an event is the time at which its deed began, by the clock of its node. So events
// are committed in another order than that of their ids, by a little; and after a clock was
// wrong, by any time. Nothing in the database has the order of commits. Therefore:
//
//   - A delta looks for events later than a minute before the last look, by this node's clock.
//     It does not matter how far the ids of other events are ahead.
//   - Those that come later are counted, up to a day behind, and of a busy server up to half a
//     million events. If there are some, the records do not have everything, and a base is
//     written, at most one an hour.
//   - A base is written each day, whatever the ids say.
const (
	missedEvery = time.Hour       // at most, a base is written for events that came too late
	countEvery  = 5 * time.Minute // events that came too late are looked for
	countBack   = 24 * time.Hour  // so far back
	countMost   = 500_000         // and among so many, which SQLite counts in 0.12 s
	toldEvery   = time.Hour       // at most, Missed is called
)

// lookFrom is the id above which there may be events that no file has. What was committed
// since the last look has an id of that time at least; if the clock was set back since, of
// the time that it would have shown then, had it been right.
func (at *position) lookFrom(now time.Time) int64 {
	since := max(now.Sub(at.asked), 0) // by the monotonic clock, if the last look was by this process
	return min(at.to, at.asked.UnixMicro(), now.Add(-since).UnixMicro()) - Late
}

// covers notes that files have what the database had at a time; if there is more, up to the last
// event that was read.
func (at *position) covers(c Changed, now time.Time) {
	asked := now
	if c.More {
		asked = time.UnixMicro(c.Events[len(c.Events)-1])
	}
	if asked.After(now) {
		asked = now
	}
	if !c.More || asked.After(at.asked) {
		at.asked = asked
	}
	at.forget(at.lookFrom(now))
}

// above are the events above an id that were seen.
func (at *position) above(id int64) []int64 {
	i, _ := slices.BinarySearch(at.seen, id+1)
	return at.seen[i:]
}

// watermark says how many events there are with ids above after and up to to, of which all are
// in files. If there are more, they came too late for deltas.
type watermark struct {
	after, to, events int64
	counted           time.Time // zero: it is not known
}

// newWatermark counts the events that the next file has, or those before it have.
func (j *Journal) newWatermark(ctx context.Context, at *position, now time.Time) (w watermark, err error) {
	if at.asked.IsZero() {
		return w, nil
	}
	w.to = at.lookFrom(now)
	w.events, w.after, err = j.Database.CountEvents(ctx, w.to-countBack.Microseconds(), w.to, countMost)
	w.counted = now
	return w, err
}

// forget forgets events up to an id that were seen: it moves the watermark up to there.
func (at *position) forget(to int64) {
	kept := at.above(to)
	switch w := &at.below; {
	case w.counted.IsZero():
	case to < w.to: // the clock was set back
		*w = watermark{}
	default:
		w.events += int64(len(at.above(w.to)) - len(kept))
		w.to = to
	}
	at.seen = slices.Clone(kept)
}

// noneMissed reports whether no event came too late for the deltas, as far as is known. It
// looks for some now and then.
func (j *Journal) noneMissed(ctx context.Context, at *position) (bool, error) {
	now, w := j.Now(), at.below
	if at.missed || !w.counted.IsZero() && now.Sub(w.counted).Abs() < countEvery {
		return !at.missed, nil
	}
	next, err := j.newWatermark(ctx, at, at.asked)
	if err == nil && !w.counted.IsZero() { // after that, so that what comes between is counted
		var there int64
		there, _, err = j.Database.CountEvents(ctx, w.after, w.to, math.MaxInt64)
		if at.missed = there > w.events; at.missed { // fewer: the audit retention has removed some
			j.tellMissed(there-w.events, now)
		}
	}
	at.below = next
	return !at.missed, err
}

// tellMissed tells of events that came too late, now and then.
func (j *Journal) tellMissed(events int64, now time.Time) {
	if j.Missed == nil || !j.told.IsZero() && now.Sub(j.told).Abs() < toldEvery {
		return
	}
	j.told = now
	j.Missed(events)
}
