package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"strings"
)

// ErrUnreadable is to errors.Is what a store has and cannot give, though the store itself
// answers: nobody may read it, its disk cannot, or something else lies in its place. That is
// damage of this one thing. Without it, an error of a store says nothing of what is in it.
var ErrUnreadable = errors.New("cannot be read")

// UnreadableError is an ErrUnreadable of a blob or a note.
type UnreadableError struct {
	Reason string // in words, such as "permission denied"
	err    error
}

func (e *UnreadableError) Error() string { return ErrUnreadable.Error() + ": " + e.Reason }

// Is reports that it is an ErrUnreadable.
func (e *UnreadableError) Is(target error) bool { return target == ErrUnreadable }

// Unwrap is the error of the store.
func (e *UnreadableError) Unwrap() error { return e.err }

// Answers returns nil if a store answers. A blob or a folder may be unreadable for ever, so
// that it asks for a blob in another folder than d's, one that nobody has.
func Answers(ctx context.Context, s interface {
	Stat(ctx context.Context, d Digest) (int64, error)
}, d Digest) error {
	_, err := s.Stat(ctx, Digest{^d[0]})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Readable is a source whose errors tell one thing that cannot be read from a store that is
// away: the first is an *UnreadableError, after it failed twice and the store answered, and
// says why. The errors of List and Notes are those of the source.
func Readable(s Source) Source {
	if r, is := s.(readable); is {
		return r
	}
	return readable{s}
}

type readable struct{ Source }

// ReadableNotes is the notes of a store, read as Readable reads them.
func ReadableNotes(s interface {
	Store
	Notes
}) Notes {
	return readableNotes{s, Readable(s)}
}

type readableNotes struct {
	storedNotes
	read Source
}

// storedNotes is Notes by another name, for it has a method of that one.
type storedNotes interface{ Notes }

// Note implements Notes.
func (n readableNotes) Note(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	return n.read.Note(ctx, name)
}

// Open implements Source.
func (s readable) Open(ctx context.Context, d Digest) (io.ReadSeekCloser, error) {
	return s.open(ctx, d, d.String(), func() (io.ReadSeekCloser, error) { return s.Source.Open(ctx, d) })
}

// OpenOnce implements OnceOpener.
func (s readable) OpenOnce(ctx context.Context, d Digest) (io.ReadSeekCloser, error) {
	return s.open(ctx, d, d.String(), func() (io.ReadSeekCloser, error) { return OpenOnce(ctx, s.Source, d) })
}

// Note implements Source.
func (s readable) Note(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	return s.open(ctx, Digest{}, name, func() (io.ReadSeekCloser, error) { return s.Source.Note(ctx, name) })
}

// Stat implements Source.
func (s readable) Stat(ctx context.Context, d Digest) (int64, error) {
	size, err := s.Source.Stat(ctx, d)
	if failed(err) {
		size, err = s.Source.Stat(ctx, d)
	}
	return size, s.judge(ctx, d, d.String(), err)
}

// Close closes the source, if it can be closed.
func (s readable) Close() error {
	if c, ok := s.Source.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Notes implements Source: a folder that cannot be read is one only if the store answers.
func (s readable) Notes(ctx context.Context, prefix string) iter.Seq2[NoteInfo, error] {
	return listed(s.Source.Notes(ctx, prefix), func() error { return Answers(ctx, s.Source, Digest{}) })
}

// List implements Source, likewise.
func (s readable) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return listed(s.Source.List(ctx, prefix), func() error { return Answers(ctx, s.Source, Digest{}) })
}

// listed is a list that ends if the store is away.
func listed[T any](list iter.Seq2[T, error], answers func() error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for info, err := range list {
			if errors.Is(err, ErrUnreadable) {
				if away := answers(); away != nil {
					yield(info, away)
					return
				}
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// open opens a blob or a note of a name.
func (s readable) open(ctx context.Context, d Digest, name string, open func() (io.ReadSeekCloser, error)) (io.ReadSeekCloser, error) {
	r, err := open()
	if failed(err) {
		r, err = open() // the line may have been at fault
	}
	if err != nil {
		return nil, s.judge(ctx, d, name, err)
	}
	return judgedReader{r, func(err error) error { return s.judge(ctx, d, name, err) }}, nil
}

// failed reports an error that says nothing, or may be over.
func failed(err error) bool {
	return err != nil && err != io.EOF && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnreadable)
}

// judge makes an *UnreadableError of one that lasts though the store answers.
func (s readable) judge(ctx context.Context, d Digest, name string, err error) error {
	switch _, judged := errors.AsType[*UnreadableError](err); {
	case judged:
		return err
	case errors.Is(err, ErrUnreadable): // the store says so itself
	case !failed(err), ctx.Err() != nil, Answers(ctx, s.Source, d) != nil:
		return err
	}
	return &UnreadableError{reasonOf(name, err), err}
}

// reasonOf is what a store says of a thing of a name, without what it was doing.
func reasonOf(name string, err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	if _, reason, has := strings.Cut(err.Error(), name+": "); has {
		return reason
	}
	return err.Error()
}

// judgedReader is a blob or a note that is read.
type judgedReader struct {
	io.ReadSeekCloser
	judge func(error) error
}

// Read implements io.Reader.
func (r judgedReader) Read(p []byte) (int, error) {
	n, err := r.ReadSeekCloser.Read(p)
	return n, r.judge(err)
}

// Seek implements io.Seeker.
func (r judgedReader) Seek(offset int64, whence int) (int64, error) {
	at, err := r.ReadSeekCloser.Seek(offset, whence)
	return at, r.judge(err)
}
