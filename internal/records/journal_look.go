package records

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"granary/internal/blob"
)

// lookEvery is how often a journal lists its notes, to see that they are still there.
const lookEvery = time.Minute

// Renew has the next step write a base in place of what is damaged, with packs for the bodies
// of damaged packs. The journal sees by itself what is missing.
func (j *Journal) Renew(d Damage) { j.add(d) }

// add adds to what is to be replaced, and returns what was not known yet.
func (j *Journal) add(d Damage) (fresh Damage) {
	for _, what := range d.What {
		if !slices.Contains(j.damage.What, what) {
			fresh.add(what)
		}
	}
	j.damage.What = append(j.damage.What, fresh.What...)
	for _, digest := range d.Packs {
		if !slices.Contains(j.damage.Packs, digest) {
			fresh.Packs = append(fresh.Packs, digest)
		}
	}
	j.damage.Packs = append(j.damage.Packs, fresh.Packs...)
	return fresh
}

// Damage is what is damaged or missing and not yet replaced by a base.
func (j *Journal) Damage() Damage { return j.damage }

// look notes what is missing of what the journal needs: its head at each step, and the other
// notes now and then. at is the position after that: another one if the head is another.
func (j *Journal) look(ctx context.Context, at *position) (*position, error) {
	head, has, err := j.Head(ctx)
	switch {
	case err != nil && !errors.Is(err, ErrDamaged):
		return nil, err
	case err != nil:
		j.found(Damage{What: []string{err.Error()}})
		return at, nil //nolint:nilerr // it is noted, and a base follows
	case !has:
		j.found(Damage{What: []string{"the note " + headName + " is missing"}})
		return at, nil
	case head.Base != at.head.Base || !head.At.Equal(at.head.At): // somebody put other records there
		j.at = nil
		return j.where(ctx)
	case j.Now().Sub(at.looked).Abs() < lookEvery:
		return at, nil
	}
	damage, err := at.missing(ctx, j.Store)
	if err == nil {
		at.looked = j.Now()
		j.found(damage)
	}
	return at, err
}

// found notes damage that the journal saw itself.
func (j *Journal) found(d Damage) {
	if fresh := j.add(d); fresh.Found() && j.Damaged != nil {
		j.Damaged(fresh)
	}
}

// missing finds notes that are needed, and missing or of another size than they had.
func (at *position) missing(ctx context.Context, store blob.Notes) (d Damage, err error) {
	there := map[string]int64{}
	for note, err := range store.Notes(ctx, filePrefix) {
		if err != nil {
			return d, err
		}
		if _, needed := at.needs[note.Name]; needed {
			there[note.Name] = note.Size
		}
	}
	for name, size := range at.needs {
		found, is := there[name]
		what := ""
		switch {
		case !is:
			what = "is missing"
		case size != unknownSize && found != size:
			what = fmt.Sprintf("has %d bytes, not %d", found, size)
		default:
			continue
		}
		if digest, pack := packIn(name); pack {
			d.addPack(digest.String(), what)
		} else {
			d.add("the note " + name + " " + what)
		}
	}
	slices.Sort(d.What)
	return d, nil
}

// unknownSize is the size of a note that was not seen yet.
const unknownSize = -1

// need notes what the newest base needs, before the notes in the store are seen.
func (at *position) need(baseBytes int64) {
	before := at.needs
	at.needs = map[string]int64{baseName(at.head.Base): baseBytes}
	for _, digest := range at.head.Packs {
		name := packPrefix + digest + packEnd
		at.needs[name] = unknownSize
		if size, known := before[name]; known {
			at.needs[name] = size
		}
	}
}

// wrote notes a delta or pack that was written.
func (at *position) wrote(name string, size int64) {
	if at.needs == nil {
		at.needs = map[string]int64{}
	}
	at.needs[name] = size
}

// saw notes a note that is in the store at the start, if it is needed: a delta, a pack or the
// base.
func (at *position) saw(note blob.NoteInfo) {
	_, needed := at.needs[note.Name]
	to, delta := eventIn(note.Name, deltaEnd)
	_, pack := packIn(note.Name)
	_, retired := at.head.Retired[note.Name]
	if needed || delta && to > at.head.Base || pack && !retired {
		at.needs[note.Name] = note.Size
	}
}
