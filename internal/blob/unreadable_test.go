package blob_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

// closedTo is a store of which nobody may read one blob, so many times.
type closedTo struct {
	blob.Source
	d     blob.Digest
	times int
	away  bool // neither does the store answer
}

func (s *closedTo) Open(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, error) {
	if d == s.d && s.times > 0 {
		s.times--
		return nil, &fs.PathError{Op: "open", Path: "/the/blob", Err: syscall.EACCES}
	}
	return s.Source.Open(ctx, d)
}

func (s *closedTo) Stat(ctx context.Context, d blob.Digest) (int64, error) {
	if s.away {
		return 0, syscall.ECONNREFUSED
	}
	return s.Source.Stat(ctx, d)
}

// What cannot be read is told from a store that is away, and from a line that fails once.
func TestReadable(t *testing.T) {
	_, from, bodies := stored(t, 1000, 2000)
	d := blobtest.Digest(bodies[0])
	source := &closedTo{Source: from, d: d}
	open := func(ctx context.Context) error {
		r, err := blob.Readable(source).Open(ctx, d)
		if err == nil {
			err = r.Close()
		}
		return err
	}
	source.times = 1
	if err := open(t.Context()); err != nil {
		t.Errorf("after a failure: %v", err)
	}
	source.times = 10
	err := open(t.Context())
	u, is := errors.AsType[*blob.UnreadableError](err)
	if !is || u.Reason != "permission denied" || !errors.Is(err, blob.ErrUnreadable) || !errors.Is(err, syscall.EACCES) {
		t.Errorf("of a blob that nobody may read: %v", err)
	}
	if got, err := readOf(t, blob.Readable(source), blobtest.Digest(bodies[1])); err != nil || len(got) != 2000 {
		t.Errorf("of another one: %d bytes, %v", len(got), err)
	}
	if _, err := blob.Readable(source).Open(t.Context(), blob.Digest{1}); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("of a blob that is not there: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := open(ended); err == nil || errors.Is(err, blob.ErrUnreadable) {
		t.Errorf("when the context has ended: %v", err)
	}
	source.away = true
	if err := open(t.Context()); !errors.Is(err, syscall.EACCES) || errors.Is(err, blob.ErrUnreadable) {
		t.Errorf("of a store that is away: %v", err)
	}
}

func readOf(t *testing.T, from blob.Source, d blob.Digest) ([]byte, error) {
	t.Helper()
	r, err := from.Open(t.Context(), d)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// A body that breaks off is judged likewise.
func TestReadableBody(t *testing.T) {
	_, from, bodies := stored(t, 1000)
	d := blobtest.Digest(bodies[0])
	r, err := blob.Readable(breakingOff{from}).Open(t.Context(), d)
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if u, is := errors.AsType[*blob.UnreadableError](err); !is || u.Reason != syscall.EIO.Error() {
		t.Errorf("%v", err)
	}
}

// breakingOff is a store of which no body can be read.
type breakingOff struct{ blob.Source }

func (s breakingOff) Open(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, error) {
	body, err := s.Source.Open(ctx, d)
	return failingBody{body}, err
}

// What is no file, in the place of a blob of the target, is set aside for the right bytes, and
// only then.
func TestCopyOverWhatIsNoBlob(t *testing.T) {
	_, from, bodies := stored(t, 1000, 2000)
	d := blobtest.Digest(bodies[0])
	dir, to, _ := stored(t)
	path := filepath.Join(dir, d.String()[:2], d.String())
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if done, err := blob.Copy(t.Context(), to, &closedTo{Source: from, d: d, times: 1}, blob.CopyOptions{}); err == nil {
		t.Errorf("from a source that does not give it: %+v", done)
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		t.Errorf("what was in its place is gone: %v", err)
	}
	if done, err := blob.Copy(t.Context(), to, from, blob.CopyOptions{}); err != nil || done.Blobs+done.Present != 2 {
		t.Errorf("%+v, %v", done, err)
	}
	wantBlobs(t, to, bodies)
	if info, err := os.Stat(filepath.Join(dir, "damaged", d.String())); err != nil || !info.IsDir() {
		t.Errorf("it was not set aside: %v", err)
	}
}

// Notes that cannot be read are told, and the others copied.
func TestCopyNotesThatCannotBeRead(t *testing.T) {
	_, from, _ := stored(t)
	for _, name := range []string{"a", "b", "c"} {
		blobtest.PutNoteOf(t, from, name, []byte(name))
	}
	to := openDisk(t)
	var unread []string
	source := &closedNote{Source: from, name: "b"}
	if err := blob.CopyNotes(t.Context(), to, blob.Readable(source), every, func(name string, err error) {
		unread = append(unread, name+": "+err.Error())
	}); err != nil || len(unread) != 1 || unread[0] != "b: cannot be read: permission denied" {
		t.Errorf("%v, %q", err, unread)
	}
	if diff := cmp.Diff(map[string]string{"a": "a", "c": "c"}, notesIn(t, to)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// closedNote is a store of which nobody may read one note.
type closedNote struct {
	blob.Source
	name string
}

func (s *closedNote) Note(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	if name == s.name {
		return nil, &fs.PathError{Op: "open", Path: "/the/note", Err: syscall.EACCES}
	}
	return s.Source.Note(ctx, name)
}
