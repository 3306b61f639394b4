package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"granary/internal/blob"
)

// Found is what a store has of a journal, to make the database again from.
type Found struct {
	Files   []File   // the newest base that is whole, and the deltas that follow it
	To      int64    // they cover the events up to this one
	Packs   []Pack   // those that are there; last those that the newest base does without
	Damaged []string // notes that are damaged or missing, and what is wrong with them

	// Beyond is the last event in deltas that cannot be used, because one before them is
	// missing or damaged; 0 if there are none.
	Beyond int64
}

// ErrNoRecords says that a store has no records.
var ErrNoRecords = errors.New("the store has no records of a database: no note in it is named records/")

// Find finds the newest base that is whole, the deltas after it, and the packs. Every byte
// of a file is read before it counts. If no base is whole, the error says what is wrong with
// the newest. A store that does not answer is an error, and no damage. Files from before
// the head's Begins do not count.
func Find(ctx context.Context, from Notes, identity string) (f Found, err error) {
	bases, deltas, err := f.list(ctx, from)
	if err != nil {
		return f, err
	}
	head, err := f.lookAtHead(ctx, from, len(bases) > 1 || len(deltas) > 0)
	if err != nil {
		return f, err
	}
	before := func(end string) func(blob.NoteInfo) bool {
		return func(note blob.NoteInfo) bool { to, _ := eventIn(note.Name, end); return to < head.Begins }
	}
	all := len(bases)
	bases, deltas = slices.DeleteFunc(bases, before(baseEnd)), slices.DeleteFunc(deltas, before(deltaEnd))
	if all == 0 {
		return f, f.baseless(head, deltas)
	}
	if len(bases) == 0 {
		return f, fmt.Errorf("the base %s is missing, and the records before it are of another database, in place of which this one came", baseName(head.Begins))
	}
	first := ""
	for _, note := range slices.Backward(bases) {
		h, file, err := read(ctx, from, note.Name, identity, toTheEnd)
		if err == nil {
			f.Files, f.To = []File{file}, h.To
			if h.To == head.Base {
				f.retire(head.Retired)
			}
			err = f.follow(ctx, from, deltas, identity, toTheEnd)
			return f, err
		}
		if isUnread(err) || ctx.Err() != nil {
			return f, err
		}
		what := notOpened(note.Name, err)
		f.Damaged = append(f.Damaged, what)
		first = cmp.Or(first, what)
	}
	return f, fmt.Errorf("no base in the store is whole; the newest: %s; make it readable, name a copy of the store that has one (--from), or restore a backup", first)
}

// baseless says what a store without a base has, and what it lacks.
func (f *Found) baseless(head Head, deltas []blob.NoteInfo) error {
	var there []string
	base := "a note whose name ends with " + baseEnd
	if head.Base != 0 {
		there, base = append(there, "the note "+headName), "the note "+baseName(head.Base)
	}
	if len(deltas) > 0 {
		there = append(there, fmt.Sprintf("%d deltas from %s on", len(deltas), deltas[0].Name))
	}
	if len(f.Packs) > 0 {
		there = append(there, fmt.Sprintf("%d packs", len(f.Packs)))
	}
	there = append(there, f.Damaged...)
	if len(there) == 0 {
		return ErrNoRecords
	}
	return fmt.Errorf("the store has records, and no base, which says what all others change: there are %s; put %s back, or name a copy of the store that has one (--from), or restore a backup",
		strings.Join(there, ", "), base)
}

// list lists bases, deltas and packs.
func (f *Found) list(ctx context.Context, from Notes) (bases, deltas []blob.NoteInfo, err error) {
	for note, err := range notesOf(ctx, from) {
		if err != nil {
			return nil, nil, err
		}
		if _, ok := eventIn(note.Name, baseEnd); ok {
			bases = append(bases, note)
		}
		if _, ok := eventIn(note.Name, deltaEnd); ok {
			deltas = append(deltas, note)
		}
		if digest, ok := packIn(note.Name); ok {
			f.Packs = append(f.Packs, Pack{Digest: digest, Open: func() (io.ReadCloser, error) { return from.Note(ctx, note.Name) }})
		}
	}
	return bases, deltas, nil
}

// lookAtHead notes packs that the head names and that are not there. It returns an
// empty head if there is none, or none that is whole. Without more than a first base there may
// be none yet.
func (f *Found) lookAtHead(ctx context.Context, from Notes, more bool) (head Head, err error) {
	head, err = ReadHead(ctx, from)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		if more {
			f.Damaged = append(f.Damaged, "the note "+headName+" is missing")
		}
		return Head{}, nil
	case isUnread(err):
		return Head{}, err
	case err != nil:
		f.Damaged = append(f.Damaged, err.Error())
		return Head{}, nil
	}
	for _, digest := range head.Packs {
		if !slices.ContainsFunc(f.Packs, func(p Pack) bool { return p.Digest.String() == digest }) {
			f.Damaged = append(f.Damaged, "the pack "+digest+" is missing")
		}
	}
	return head, nil
}

// retire puts packs that the newest base does without after the others. They may be damaged;
// or be needed again, if a later delta has the same bodies as one of them.
func (f *Found) retire(retired map[string]time.Time) {
	for i, p := range f.Packs {
		_, f.Packs[i].Retired = retired[packName(p.Digest)]
	}
	slices.SortStableFunc(f.Packs, func(a, b Pack) int {
		switch {
		case a.Retired == b.Retired:
			return 0
		case b.Retired:
			return -1
		}
		return 1
	})
}

// follow adds the deltas that follow, in their order, until one is missing or damaged.
func (f *Found) follow(ctx context.Context, from Notes, deltas []blob.NoteInfo, identity string, how reading) error {
	for _, note := range deltas {
		to, _ := eventIn(note.Name, deltaEnd)
		if to <= f.To {
			continue
		}
		if f.Beyond != 0 {
			f.Beyond = to
			continue
		}
		h, file, err := read(ctx, from, note.Name, identity, how)
		switch {
		case isUnread(err) || ctx.Err() != nil:
			return err
		case err != nil:
			f.Damaged = append(f.Damaged, notOpened(note.Name, err))
			f.Beyond = to
		case h.From > f.To:
			f.Damaged = append(f.Damaged, fmt.Sprintf("a delta before %s is missing: that one tells what changed after %s, and those before it end at %s",
				note.Name, moment(h.From), moment(f.To)))
			f.Beyond = to
		default:
			f.Files, f.To = append(f.Files, file), h.To
		}
	}
	return nil
}

// Newest is the last event that a file in a store's journal covers, whole or not; 0 if there is
// no file.
func Newest(ctx context.Context, from Notes) (newest int64, err error) {
	for note, err := range notesOf(ctx, from) {
		if err != nil {
			return 0, err
		}
		for _, end := range []string{baseEnd, deltaEnd} {
			if to, ok := eventIn(note.Name, end); ok {
				newest = max(newest, to)
			}
		}
	}
	return newest, nil
}

// notOpened says what is wrong with a note that was listed.
func notOpened(name string, err error) string {
	if errors.Is(err, blob.ErrNotFound) {
		return name + " cannot be opened: a directory is in its place, or it was removed just now"
	}
	return err.Error()
}

// moment is the time of an event.
func moment(event int64) string { return time.UnixMicro(event).UTC().Format(time.RFC3339Nano) }

// reading is how much of a file is read after its header.
type reading func(context.Context, *Reader) error

// read reads a file. It is that of the store of the identity.
func read(ctx context.Context, from Notes, name, identity string, how reading) (h Header, file File, err error) {
	file = File{Name: name, Open: func() (io.ReadCloser, error) { return from.Note(ctx, name) }}
	var note tapped
	defer func() {
		if err != nil && note.failed != nil {
			err = unread{err}
		}
	}()
	r, err := open(File{Name: name, Open: func() (io.ReadCloser, error) {
		inner, err := from.Note(ctx, name)
		note = tapped{ReadCloser: inner, failed: failure(err)}
		return &note, err
	}})
	if err != nil {
		return h, file, err
	}
	defer r.close()
	if h = r.Header(); h.Identity != identity {
		return h, file, otherStore(name, h.Identity, identity)
	}
	return h, file, how(ctx, r.Reader)
}

// unread is an error of a store that does not answer. It says nothing of what is in the store.
type unread struct{ error }

func (e unread) Unwrap() error { return e.error }

func isUnread(err error) bool {
	_, is := errors.AsType[unread](err)
	return is
}

// failure is an error of reading a note, if it says nothing of the note: nil for its end, if
// it is missing, and if it is there and cannot be read.
func failure(err error) error {
	if err == io.EOF || errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrUnreadable) {
		return nil
	}
	return err
}

// tapped is a note that remembers the failure of its store.
type tapped struct {
	io.ReadCloser
	failed error
}

func (t *tapped) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if t.failed == nil {
		t.failed = failure(err)
	}
	return n, err
}
