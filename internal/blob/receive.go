package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Limits are the limits of a body, and what its sender declared. The zero value
// expects an empty body; Length is -1 if none was declared.
type Limits struct {
	// MaxSize is the largest body in bytes, 0 for no limit. One byte more is
	// ErrTooLarge.
	MaxSize int64

	// Inline is the largest body in bytes that is handed back in memory and
	// never reaches the store. 0 sends every body to the store, an empty one
	// too. It is memory held per upload, so keep it well below a MiB.
	Inline int64

	// Length is the declared length in bytes, negative for unknown. Fewer are
	// ErrShort, more are ErrBody.
	Length int64

	// Digest is the declared digest, nil for none. Another one is a
	// *DigestError.
	Digest *Digest

	// Overwrite is Declared's: the store has other bytes under the digest.
	Overwrite bool

	// Checksums are the other declared digests, at most one of each Algorithm. If
	// one of them differs, the error is a *DigestError, too.
	Checksums []Checksum

	// spare has buffers of bodies before, and gets those of this one. nil: it has its own.
	spare chan []byte
}

// Received is a body that came whole and is what its sender declared. Nothing
// is visible in a store yet.
type Received struct {
	Digest Digest
	Size   int64  // bytes
	CRC32  uint32 // of zip and Ethernet

	// Small is the whole body if it was kept in memory, and not nil then
	// even if empty; nil if the bytes are in the store.
	Small []byte

	upload Upload // nil with Small
}

// Receive reads a body to its end, hashing and counting it, and hands it back
// either in memory or in an upload to the store that waits for Commit or Abort.
// ctx is the upload's too (see Store.Create) and must outlive its Commit.
//
// An error that is ErrBody is the sender's fault; ctx's own error means that
// the caller gave up; all others are the store's, ErrNoSpace among them. On
// every error the upload has been aborted and no goroutine is left.
//
// A failing store or an ended context is noticed between two reads of the body.
// The owner of the body must end a read that hangs, as net/http does when the
// connection dies or a read deadline passes.
//
// Memory is bounded by Inline and about 2 MiB, whatever the size.
func Receive(ctx context.Context, store Store, body io.Reader, l Limits) (*Received, error) {
	return receive(ctx, body, l, func(d Declared) (Upload, error) { return store.Create(ctx, d) })
}

func receive(ctx context.Context, body io.Reader, l Limits, create func(Declared) (Upload, error)) (*Received, error) {
	if l.MaxSize > 0 && l.Length > l.MaxSize {
		return nil, fmt.Errorf("%w: %d bytes were declared, the limit is %d", ErrTooLarge, l.Length, l.MaxSize)
	}
	src := &source{body: body, l: l}
	head, err := src.head(ctx)
	switch {
	case err == io.EOF:
		return receiveSmall(head, l)
	case err != nil:
		return nil, err
	}
	return receiveLarge(ctx, create, src, head)
}

// Sum is Receive for bytes that are only compared: it keeps none of them.
func Sum(ctx context.Context, body io.Reader, l Limits) (*Received, error) {
	l.Inline = 0
	return receive(ctx, body, l, func(Declared) (Upload, error) { return nowhere{}, nil })
}

// nowhere is an upload whose bytes are not kept.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) Commit(Digest) error         { return errors.New("blob: the bytes were only compared") }
func (nowhere) Abort() error                { return nil }

// Commit makes the bytes durable in the store under their digest, as
// Upload.Commit promises. It does nothing for a body in memory.
func (r *Received) Commit() error {
	if r.upload == nil {
		return nil
	}
	return r.upload.Commit(r.Digest)
}

// Abort forgets the bytes. After Commit it does nothing, so it can be deferred.
func (r *Received) Abort() error {
	if r.upload == nil {
		return nil
	}
	return r.upload.Abort()
}

// head reads the start of a body that may turn out small. io.EOF says that the
// bytes are all of it and may stay in memory; nil, that there is more and that
// the bytes are only its beginning, perhaps none of it.
func (s *source) head(ctx context.Context) ([]byte, error) {
	switch {
	case s.l.Inline <= 0 || s.l.Length > s.l.Inline:
		return nil, nil
	case s.l.Length < 0:
		buf := make([]byte, s.l.Inline+1)
		n, err := s.fill(ctx, buf)
		if err == io.EOF && int64(n) <= s.l.Inline {
			return bytes.Clone(buf[:n]), io.EOF // of the right size: it may live in a queue
		}
		if err == io.EOF {
			err = nil // the end, but of one byte too many; the source will say so again
		}
		return buf[:n], err
	default:
		buf := make([]byte, s.l.Length)
		_, err := s.fill(ctx, buf)
		for err == nil { // full; only the end may follow
			_, err = s.read(ctx, make([]byte, 1))
		}
		return buf, err
	}
}

func receiveSmall(body []byte, l Limits) (*Received, error) {
	r := &Received{Digest: sha256.Sum256(body), Size: int64(len(body)), Small: body}
	sums := newChecksums(l.Checksums)
	sums.write(body)
	r.CRC32 = sums.crc32
	if err := r.check(l, sums); err != nil {
		return nil, err
	}
	return r, nil
}

func receiveLarge(ctx context.Context, create func(Declared) (Upload, error), src *source, head []byte) (*Received, error) {
	up, err := create(Declared{Size: src.l.Length, Digest: src.l.Digest, Overwrite: src.l.Overwrite})
	if err != nil {
		return nil, fmt.Errorf("blob: beginning an upload: %w", err)
	}
	r := &Received{upload: up}
	sums := newChecksums(src.l.Checksums)
	r.Digest, err = stream(ctx, up, src, head, sums)
	if err == nil {
		r.Size, r.CRC32 = src.size, sums.crc32
		err = r.check(src.l, sums)
	}
	if err == nil {
		return r, nil
	}
	if aerr := up.Abort(); aerr != nil {
		err = &abortError{err, aerr}
	}
	return nil, err
}

// check compares with the digests that the sender declared. The length has been
// judged by the source.
func (r *Received) check(l Limits, sums *checksums) error {
	if l.Digest != nil && !r.Digest.Equal(*l.Digest) {
		return &DigestError{Algorithm: SHA256, Declared: l.Digest[:], Computed: r.Digest[:]}
	}
	return sums.check(l.Checksums)
}
