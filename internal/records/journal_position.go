package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// position is how far a journal is. What the store says counts; this is remembered of it.
type position struct {
	head Head
	has  bool // a head

	to    int64   // the newest file covers the events up to this one
	event int64   // the last event that was written
	seen  []int64 // ids of events that were written, as far as they are above what lookFrom says

	asked  time.Time // when the database was asked last, and everything was written; see lookFrom
	ahead  bool      // at the start, to was later than the clock: a base is due
	below  watermark
	missed bool // events came too late to be in deltas: a base is due

	baseBytes, deltaBytes int64 // since the base
	deltas                int

	needs  map[string]int64 // sizes of the notes that a rebuild needs, in bytes
	looked time.Time        // when these were listed last

	small   map[string]Checksum // of the small tables, as they were written last
	smallAt time.Time           // when they were looked at last
}

// errUnfinished says that a first base was written, and no head: the process ended in between.
var errUnfinished = fmt.Errorf("beside a base the note %s %w: it is missing", headName, ErrDamaged)

// where is the position of the journal, read from the store at first.
func (j *Journal) where(ctx context.Context) (*position, error) {
	if j.at != nil {
		return j.at, nil
	}
	at, last, err := j.read(ctx)
	if err == nil || errors.Is(err, ErrDamaged) {
		at, err = j.orAnew(ctx, at, last, err)
	}
	if err == nil {
		at.ahead = at.has && at.to > j.Now().UnixMicro()+Late
		j.at = at
	}
	return at, err
}

// read reads the position. It also returns the last event that the journal covers, as the head
// and the names of deltas say it; without a head, as the names of all files say it. It returns
// that with an ErrDamaged, too.
func (j *Journal) read(ctx context.Context) (at *position, last int64, err error) {
	at = &position{}
	at.head, at.has, err = j.Head(ctx)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, 0, err
	}
	newest, base := "", int64(0) // base: without a head
	at.need(unknownSize)
	for note, err := range notesOf(ctx, j.Store) {
		if err != nil {
			return nil, 0, err
		}
		at.saw(note)
		if to, ok := eventIn(note.Name, baseEnd); ok && to == at.head.Base {
			at.baseBytes = note.Size
		} else if ok && !at.has {
			newest, base = note.Name, max(base, to)
		}
		if to, ok := eventIn(note.Name, deltaEnd); ok && to > at.head.Begins {
			if newest, last = note.Name, max(last, to); to > at.head.Base {
				at.deltas, at.deltaBytes = at.deltas+1, at.deltaBytes+note.Size
			}
		}
	}
	unfinished := !at.has && err == nil && last == 0 && base > 0
	last = max(last, base, at.head.Base)
	at.to, at.event = at.head.Base, at.head.Event
	at.asked = at.head.At
	switch {
	case err != nil:
		return nil, last, err
	case newest == "":
		return at, last, nil
	case unfinished:
		return nil, last, errUnfinished
	case !at.has:
		return nil, last, fmt.Errorf("beside %s the note %s %w: it is missing", newest, headName, ErrDamaged)
	}
	return at, last, j.readNewest(ctx, at, newest)
}

// orAnew is a position at the begin of a new journal, if the database was made again after
// all that the journal has, and from other records; or if what was to be read is damaged, and
// the database has the last event of all files. Else it is the position that was read, or the
// error of reading it.
//
// A database that was made again comes from a backup, or from a part of the journal. Its first
// event, which says so, is later than the journal's last. Its first base is then the newest one
// in the store, and Head.Begins keeps the older files apart; as after each base, they are
// removed a day later. A database that was put back in another way is not told from one that is
// not to be used: see ErrOlder.
func (j *Journal) orAnew(ctx context.Context, at *position, last int64, damaged error) (*position, error) {
	if last == 0 && damaged == nil {
		return at, nil
	}
	after, err := j.Database.EventsAround(ctx, last)
	if err != nil {
		return nil, err
	}
	if damaged != nil {
		event, has, err := j.lastIn(ctx, last, after)
		if err != nil {
			return nil, err
		}
		if !j.older(event, has) {
			if damaged != errUnfinished {
				j.found(Damage{What: []string{damaged.Error()}})
			}
			return &position{to: last, event: event}, nil
		}
	}
	if !after.Rebuilt && damaged != nil {
		return nil, fmt.Errorf("the records in the store are those of a newer database: %w; to go on with this one, move the folder records away", damaged)
	}
	if !after.Rebuilt {
		return at, nil
	}
	if damaged == nil {
		own, err := j.Database.EventsAround(ctx, at.event)
		if err != nil || own.Has {
			return at, err
		}
	}
	return &position{}, nil
}

// lastIn is the last event in the files that end at to, and what the database has around it. A
// file may end where no event is: then its rows tell. If they cannot be read, it is to itself.
func (j *Journal) lastIn(ctx context.Context, to int64, around EventsAround) (event int64, has EventsAround, err error) {
	if around.Has || around.Rebuilt {
		return to, around, nil
	}
	for _, name := range []string{deltaName(to), baseName(to)} {
		last, err := lastEvent(ctx, j.Store, name, j.Identity)
		switch {
		case err == nil && last > 0 && last < to:
			has, err = j.Database.EventsAround(ctx, last)
			return last, has, err
		case err != nil && (isUnread(err) || ctx.Err() != nil):
			return 0, around, err
		}
	}
	return to, around, nil
}

// lastEvent is the last event in a file, which is read to its end; 0 if it has none.
func lastEvent(ctx context.Context, from Notes, name, identity string) (last int64, err error) {
	_, _, err = read(ctx, from, name, identity, func(ctx context.Context, r *Reader) error {
		return eachEvent(ctx, r, func(id int64) { last = max(last, id) })
	})
	return last, err
}

// readNewest continues after the newest delta. After a base that is newer, deltas go on
// from there all the same: if that base is damaged, the one before it and all deltas are
// as good.
func (j *Journal) readNewest(ctx context.Context, at *position, name string) error {
	event := int64(0)
	h, _, err := read(ctx, j.Store, name, j.Identity, func(ctx context.Context, r *Reader) error {
		return eachEvent(ctx, r, func(id int64) { event, at.seen = max(event, id), append(at.seen, id) })
	})
	switch {
	case isUnread(err) || ctx.Err() != nil:
		return err
	case err != nil:
		return fmt.Errorf("the newest delta %w: %w", ErrDamaged, err)
	}
	slices.Sort(at.seen)
	at.to = h.To
	if at.asked = time.UnixMicro(at.to); event > 0 && event < at.to { // the delta before ends where a clock was ahead
		at.asked = time.UnixMicro(event)
	}
	at.event = max(event, at.event)
	return nil
}

// eachEvent reads a file to its end, and passes on the ids of audit events in it.
func eachEvent(ctx context.Context, r *Reader, do func(id int64)) error {
	for ctx.Err() == nil {
		line, err := r.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case line.Kind != RowLine || line.Table != "audit_events":
			continue
		}
		if i := slices.Index(line.Columns, "id"); i >= 0 {
			id, _ := line.Values[i].(int64)
			do(id)
		}
	}
	return ctx.Err()
}

// Until is the time of the last event that the files in the store cover; if that is later than
// now, the time since which they may lack events. It is zero if there are none.
func (j *Journal) Until(ctx context.Context) (time.Time, error) {
	at, err := j.where(ctx)
	if err != nil || !at.has {
		return time.Time{}, err
	}
	if at.ahead {
		return time.UnixMicro(at.lookFrom(j.Now())), nil
	}
	return time.UnixMicro(min(at.to, j.Now().UnixMicro())), nil
}
