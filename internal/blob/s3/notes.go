package s3

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"granary/internal/blob"
)

var _ blob.Notes = (*Store)(nil)

// mostNote is the largest note in bytes: what a store copies at once.
const mostNote = 5 << 30

// PutNote sends a note of one part in one request. Those of more parts are put together
// in tmp/ and then copied to their name by the store: what a crash leaves of them is
// where Tidy finds it. At most 5 GiB.
func (s *Store) PutNote(ctx context.Context, name string, r io.Reader, size int64) error {
	if err := blob.CheckNoteName(name); err != nil {
		return err
	}
	if size > mostNote {
		return fmt.Errorf("%w: the note %s has %d bytes, at most %d are possible", blob.ErrTooLarge, name, size, int64(mostNote))
	}
	u, err := s.newUpload(ctx, blob.Declared{Size: size})
	if err != nil {
		return err
	}
	defer func() { _ = u.Abort() }() // what it cannot remove from tmp/, Tidy will
	err = blob.WriteNote(ctx, u, r, size)
	if err == nil {
		err = u.commitNote(s.prefix + name)
	}
	if err != nil {
		return doing("putting the note "+name, err)
	}
	return nil
}

// commitNote replaces the object at the key.
func (u *upload) commitNote(key string) (err error) {
	if u.id != "" {
		if err := u.sendLast(); err != nil {
			return err
		}
		if err := u.finish(); err != nil {
			return err
		}
	}
	for range noteTries {
		if err = u.putNote(key); !conflicts(err) {
			break
		}
	}
	return err
}

// putNote puts what was received at the key: the only part, or the object of all parts.
func (u *upload) putNote(key string) error {
	if u.id != "" {
		return u.s.client.copyAll(u.ctx, u.to.key, aim{key: key})
	}
	body := u.only()
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return u.s.client.put(u.ctx, aim{key: key}, body, body.size, body.sum())
}

// noteTries is how often a note is put, or asked for, that others put and remove all the time.
const noteTries = 10

// Note requests the bytes at once, so that a note that is replaced meanwhile can still
// be read. If the line breaks and the note was replaced before that, reading fails.
func (s *Store) Note(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	if err := blob.CheckNoteName(name); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		o, err := s.client.head(ctx, s.prefix+name)
		if err != nil {
			return nil, doing("opening the note "+name, err)
		}
		r := &reader{ctx: ctx, client: s.client, key: o.key, object: o}
		if err = r.reach(); err == nil {
			return r, nil
		}
		// It was replaced since: the condition is refused, or the bytes are those of another size.
		if try == noteTries || ctx.Err() != nil {
			return nil, doing("reading the note "+name, err)
		}
	}
}

// Notes lists what is beside the folders of blobs, and then each folder of notes by
// itself: so it does not pass the blobs.
func (s *Store) Notes(ctx context.Context, prefix string) iter.Seq2[blob.NoteInfo, error] {
	return func(yield func(blob.NoteInfo, error) bool) {
		if blob.CheckNoteName(prefix) != nil && blob.CheckNoteName(prefix+"x") != nil {
			return // no note is named so, and some stores refuse such a prefix
		}
		if strings.Contains(prefix, "/") {
			s.notesBelow(ctx, prefix, yield)
			return
		}
		top, err := s.topNotes(ctx, prefix)
		if err != nil {
			yield(blob.NoteInfo{}, err)
			return
		}
		for _, info := range top {
			if strings.HasSuffix(info.Name, "/") {
				if !s.notesBelow(ctx, info.Name, yield) {
					return
				}
			} else if !yield(info, nil) {
				return
			}
		}
	}
}

// topNotes are the notes whose names have no slash, and the folders of the others, which
// end in one, in order.
func (s *Store) topNotes(ctx context.Context, prefix string) (top []blob.NoteInfo, err error) {
	for o, err := range s.client.folder(ctx, s.prefix+undotted(prefix)) {
		if err != nil {
			return nil, doing("listing notes", err)
		}
		name := strings.TrimPrefix(o.key, s.prefix)
		if blob.CheckNoteName(strings.TrimSuffix(name, "/")) == nil && strings.HasPrefix(name, prefix) {
			top = append(top, blob.NoteInfo{Name: name, Size: o.size})
		}
	}
	slices.SortFunc(top, func(a, b blob.NoteInfo) int { return strings.Compare(a.Name, b.Name) })
	return top, nil
}

// notesBelow reports whether to continue.
func (s *Store) notesBelow(ctx context.Context, prefix string, yield func(blob.NoteInfo, error) bool) bool {
	for o, err := range s.client.objects(ctx, s.prefix+undotted(prefix)) {
		if err != nil {
			yield(blob.NoteInfo{}, doing("listing the notes of "+prefix, err))
			return false
		}
		name := strings.TrimPrefix(o.key, s.prefix)
		if blob.CheckNoteName(name) == nil && strings.HasPrefix(name, prefix) && !yield(blob.NoteInfo{Name: name, Size: o.size}, nil) {
			return false
		}
	}
	return true
}

// undotted is a prefix to list, which has all that a prefix has: some stores refuse one that ends
// in a folder named "." or "..".
func undotted(prefix string) string { return strings.TrimRight(prefix, ".") }

// DeleteNote removes the note's object.
func (s *Store) DeleteNote(ctx context.Context, name string) error {
	if err := blob.CheckNoteName(name); err != nil {
		return err
	}
	if err := s.client.remove(ctx, s.prefix+name); err != nil {
		return doing("deleting the note "+name, err)
	}
	return nil
}
