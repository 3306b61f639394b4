// Package blob holds immutable bytes named by their SHA-256.
//
// A Store keeps them; Receive takes them in from outside, hashing and counting
// once for every kind of store. What a Store owes is written on its methods and
// executed by the suite in blobtest.
package blob

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// ErrNotFound says that a store holds no blob of the digest asked for.
var ErrNotFound = errors.New("blob: not found")

// ErrNoSpace says that the store is full. What was being written is gone; what
// was committed before is safe.
var ErrNoSpace = errors.New("blob: no space left in the store")

// Store keeps blobs. All methods are safe for concurrent use, on the same
// digest too.
type Store interface {
	// Create begins an upload. Nothing is visible under any digest until its
	// Commit returns. The caller must end it with Commit or Abort. What the
	// sender declared lets a store choose a shorter way; it is not believed.
	Create(ctx context.Context, d Declared) (Upload, error)

	// Open reads a blob from its start; Seek is cheap, so that ranges cost
	// what they return. It returns ErrNotFound if the store has none. A store on a
	// local disk returns the *os.File itself, so that the kernel can send it
	// without a copy (sendfile). A store that needs a request for each new offset
	// returns a Planner.
	Open(ctx context.Context, d Digest) (io.ReadSeekCloser, error)

	// Stat is the size of a blob in bytes, or ErrNotFound.
	Stat(ctx context.Context, d Digest) (int64, error)

	// Delete removes a blob; a missing one is not an error. Readers that have it
	// open may continue or fail, but never see other bytes.
	Delete(ctx context.Context, d Digest) error

	// List walks the committed blobs whose digests begin with the prefix, up to 64
	// lower-case hexadecimal digits, in no particular order; "" is all of them. A blob
	// that is committed or deleted meanwhile may or may not appear. An ErrUnreadable is of
	// the blobs whose first byte is that of the Info's digest, and the walk goes on after
	// it if it is let; any other error ends it.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
}

// Declared is what a sender says of a body before sending it.
type Declared struct {
	Size   int64   // bytes, negative for unknown
	Digest *Digest // nil for unknown

	// Overwrite says that the store has other bytes under the digest: Commit puts these in
	// their place.
	Overwrite bool
}

// Range is some of a blob's bytes: those from Start up to End, without End.
type Range struct{ Start, End int64 }

// Planner is an opened blob that reads better if it knows what will be read of it.
type Planner interface {
	// Plan announces, before the first Read, which ranges will be read and in which
	// order; no two overlap. Near ones are then read in one request to the store,
	// which asks for no bytes after them. Plan returns false, and changes nothing, if
	// they would take more requests than one download may cost. A plan never
	// changes what Read returns: other offsets can be read, too.
	Plan(ranges []Range) bool
}

// Batcher is a Store that can make many uploads durable at once, for copies of whole stores.
type Batcher interface {
	// Batch begins a batch. The caller must end it with Flush.
	Batch() Batch
}

// Batch is a Store with uploads whose Commit may return before the blob is visible.
type Batch interface {
	Store

	// Flush ends the batch. When it returns nil, all that was committed is visible and
	// survives a crash of the machine; so does all that was visible before, also of a batch
	// that was killed. After an error any part of it may be, and no rests of uploads are left.
	Flush() error
}

// Linker is a Store whose blobs can be fetched from it directly.
type Linker interface {
	// Link returns a URL that answers GET, ranges too, with the blob for a
	// while, to every client: the URL is a secret. The store answers with the
	// given headers. Link sends no request to the store: the blob may be missing.
	Link(ctx context.Context, d Digest, contentType, disposition string) (string, error)
}

// Tidier is a Store in which an upload that was cut short can leave something
// behind that List does not show.
type Tidier interface {
	// Tidy removes the rests of uploads without progress since before, and returns
	// their number. It is safe during running uploads and other Tidies.
	Tidy(ctx context.Context, before time.Time) (int, error)

	// Left counts what Tidy would remove.
	Left(ctx context.Context, before time.Time) (int, error)
}

// Notes is a Store that keeps named objects, called notes, beside its blobs. They are in no
// List. A name is made of parts with slashes between: see CheckNoteName. No name may be the
// folder of another, as a is of a/b: some stores refuse that.
type Notes interface {
	// PutNote keeps the size bytes of r under the name, in place of a note that is there.
	// When it returns nil the note survives a crash of the machine. A reader finds the old
	// note or the new one, never a part; after an error, too. A body of another size is an
	// error.
	PutNote(ctx context.Context, name string, r io.Reader, size int64) error

	// Note opens a note at its start; Seek is as cheap as in a blob. ErrNotFound if there
	// is none.
	Note(ctx context.Context, name string) (io.ReadSeekCloser, error)

	// Notes walks the notes whose names begin with the prefix, in the order of their
	// names' bytes. A note that is put or deleted meanwhile may or may not appear. An
	// ErrUnreadable is of the notes whose names begin with that of the NoteInfo, and the
	// walk goes on after it if it is let; any other error ends it. What is no file in the
	// place of a note, such as a symbolic link, is walked like one: Note says what it is.
	Notes(ctx context.Context, prefix string) iter.Seq2[NoteInfo, error]

	// DeleteNote removes a note; a missing one is not an error. When it returns nil, a
	// crash of the machine does not bring the note back.
	DeleteNote(ctx context.Context, name string) error
}

// NoteInfo is what a store knows of one note.
type NoteInfo struct {
	Name string
	Size int64 // bytes

	// Empty says that it is a directory without files: a note that is damaged, if there
	// should be one of this name, or else nothing.
	Empty bool
}

// Quarantiner is a Store that can set a blob aside whose bytes are wrong.
type Quarantiner interface {
	// Quarantine keeps what is under the digest in damaged/, next to the blobs, in place of
	// what was set aside there before. remove ends it, and is quick, whatever the size: when
	// it returns nil, the store has no blob of the digest, even after a crash of the machine.
	// A missing blob is not an error. The caller sees to it that nobody commits the digest
	// until remove has returned.
	Quarantine(ctx context.Context, d Digest) (remove func() error, err error)
}

// Info is what a store knows of one blob.
type Info struct {
	Digest  Digest
	Size    int64     // bytes
	Changed time.Time // when the last of its bytes was written, by the store's clock, to the second
}

// Upload receives the bytes of one blob, from one goroutine.
type Upload interface {
	io.Writer

	// Commit makes all bytes written durable under their digest, which the
	// caller has computed. When it returns nil they survive a crash of the
	// process and of the machine. A blob that is there already is fine and
	// stays whole throughout. After an error nothing new is visible, or the
	// whole blob is.
	Commit(d Digest) error

	// Abort forgets the bytes. After Commit it does nothing, so it can be
	// deferred.
	Abort() error
}

// OnceOpener is a Store that can open a blob that will be read once.
type OnceOpener interface {
	// OpenOnce is Open for bytes that are only verified: they do not push those of other
	// blobs out of memory.
	OpenOnce(ctx context.Context, d Digest) (io.ReadSeekCloser, error)
}

// OpenOnce opens a blob that will be read once, as well as its store can.
func OpenOnce(ctx context.Context, s interface {
	Open(ctx context.Context, d Digest) (io.ReadSeekCloser, error)
}, d Digest) (io.ReadSeekCloser, error) {
	if once, ok := s.(OnceOpener); ok {
		return once.OpenOnce(ctx, d)
	}
	return s.Open(ctx, d)
}
