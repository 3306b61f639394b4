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
	seen  []int64 // ids of events that were written, from to - Late on

	baseBytes, deltaBytes int64 // since the base
	deltas                int

	small   map[string]Checksum // of the small tables, as they were written last
	smallAt time.Time           // when they were looked at last
}

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
		j.at = at
	}
	return at, err
}

// read reads the position, and the last event that head or deltas cover, also if they are
// damaged.
func (j *Journal) read(ctx context.Context) (at *position, last int64, err error) {
	at = &position{}
	at.head, at.has, err = j.Head(ctx)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, 0, err
	}
	newest := ""
	for note, err := range j.Store.Notes(ctx, filePrefix) {
		if err != nil {
			return nil, 0, err
		}
		if to, ok := eventIn(note.Name, baseEnd); ok && to == at.head.Base {
			at.baseBytes = note.Size
		}
		if to, ok := eventIn(note.Name, deltaEnd); ok && to > at.head.Begins {
			if newest, last = note.Name, to; to > at.head.Base {
				at.deltas, at.deltaBytes = at.deltas+1, at.deltaBytes+note.Size
			}
		}
	}
	last = max(last, at.head.Base)
	at.to, at.event = at.head.Base, at.head.Event
	switch {
	case err != nil:
		return nil, last, err
	case newest == "":
		return at, last, nil
	case !at.has:
		return nil, last, fmt.Errorf("the store has records, such as %s, and its note %s %w, for it is missing: move its folder records away", newest, headName, ErrDamaged)
	}
	return at, last, j.readNewest(ctx, at, newest)
}

// orAnew is a position at the begin of a new journal, if the database was made again after
// all that the journal has, and from other records. Else it is the position that was read, or
// the error of reading it.
//
// Such a database comes from a backup, or from a part of the journal. Its first event, which
// says so, is later than the journal's last. Its first base is then the newest one in the
// store, and Head.Begins keeps the older files apart; as after each base, they are removed a
// day later. A database that was put back in another way is not told from one that is not to
// be used: see ErrOlder.
func (j *Journal) orAnew(ctx context.Context, at *position, last int64, damaged error) (*position, error) {
	if last == 0 {
		return at, damaged
	}
	after, err := j.Database.EventsAround(ctx, last)
	if err != nil {
		return nil, err
	}
	if !after.Rebuilt {
		return at, damaged
	}
	if damaged == nil {
		own, err := j.Database.EventsAround(ctx, at.event)
		if err != nil || own.Has {
			return at, err
		}
	}
	return &position{}, nil
}

// readNewest continues after the newest delta. After a base that is newer, deltas go on
// from there all the same: if that base is damaged, the one before it and all deltas are
// as good.
func (j *Journal) readNewest(ctx context.Context, at *position, name string) error {
	r, err := open(File{Name: name, Open: func() (io.ReadCloser, error) { return j.Store.Note(ctx, name) }})
	if err != nil {
		return fmt.Errorf("the newest delta %w: %w; remove it, and a base is due", ErrDamaged, err)
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

// Until is the time of the last event that the files in the store cover. It is zero if
// there are none.
func (j *Journal) Until(ctx context.Context) (time.Time, error) {
	at, err := j.where(ctx)
	if err != nil || !at.has {
		return time.Time{}, err
	}
	return time.UnixMicro(at.to), nil
}
