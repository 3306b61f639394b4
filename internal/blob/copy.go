package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Source is what only reads of a Store and of its Notes: it changes nothing.
type Source interface {
	Open(ctx context.Context, d Digest) (io.ReadSeekCloser, error)
	Stat(ctx context.Context, d Digest) (int64, error)
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	Note(ctx context.Context, name string) (io.ReadSeekCloser, error)
	Notes(ctx context.Context, prefix string) iter.Seq2[NoteInfo, error]
}

// Copied is how far a Copy has come.
type Copied struct {
	Blobs, Bytes int64    // copied, or with Verify read back
	Replaced     int64    // of Blobs: those for which the target had something else, such as a part of the bytes
	Present      int64    // blobs that were there already
	Damaged      []Digest // whose bytes in the source are not what their digest says; not copied
}

// CopyOptions say how to copy.
type CopyOptions struct {
	Verify bool         // read blobs that are there already, and copy them again if their bytes are wrong
	Report func(Copied) // called after each blob, never twice at once; may be nil
	There  func(Digest) // called for each blob that is there already; may be nil
}

// copies is how many blobs are on their way at once: most of them wait for a disk or a line.
const copies = 8

// verifyBuffer is how many bytes of a blob are read at once to verify it.
const verifyBuffer = 128 << 10

// Copy puts every blob of a source into a store that does not have it yet,
// through Receive: only bytes that match their digest get there. It may be
// interrupted at any time; the next Copy continues. A blob that is deleted from
// the source meanwhile is skipped.
//
// A damaged blob does not stop the others. Any other error does.
func Copy(ctx context.Context, to Store, from Source, o CopyOptions) (Copied, error) {
	flush := func() error { return nil }
	if many, ok := to.(Batcher); ok {
		batch := many.Batch()
		to, flush = batch, batch.Flush
	}
	c := &copying{to: to, from: from, o: o, buffers: make(chan []byte, copies), spare: make(chan []byte, copies*chunks)}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(copies)
	for info, err := range from.List(running, "") {
		if err != nil {
			group.Go(func() error { return fmt.Errorf("blob: listing the source: %w", err) })
			break
		}
		group.Go(func() error { return c.one(running, info) })
	}
	err := group.Wait()
	if flushed := flush(); err == nil {
		err = flushed
	}
	return c.done, err
}

type copying struct {
	to   Store
	from Source
	o    CopyOptions

	buffers chan []byte // of verify, that nobody uses now
	spare   chan []byte // of Receive

	mu   sync.Mutex
	done Copied
}

func (c *copying) one(ctx context.Context, info Info) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	there, wrong, err := c.there(ctx, info)
	if err != nil {
		return fmt.Errorf("blob: asking the target for %s: %w", info.Digest, err)
	}
	if there {
		if c.o.There != nil {
			c.o.There(info.Digest)
		}
		c.add(Copied{Present: 1})
		return nil
	}
	switch err := c.copy(ctx, info, wrong); {
	case errors.Is(err, ErrNotFound): // deleted since it was listed
		return nil
	case errors.Is(err, ErrDigestMismatch):
		c.add(Copied{Damaged: []Digest{info.Digest}})
		return nil
	case err != nil:
		return fmt.Errorf("blob: copying %s: %w", info.Digest, err)
	}
	step := Copied{Blobs: 1, Bytes: info.Size}
	if wrong != nothing {
		step.Replaced = 1
	}
	c.add(step)
	return nil
}

// wrong is what a target has in the place of a blob.
type wrong int

const (
	nothing     wrong = iota
	overwritten       // other bytes, or what cannot be read: they stay until right ones are written over them
	inTheWay          // what nothing can be written over
)

// there reports whether the target has the blob. A store shows a blob only once it is whole, so
// that its size suffices unless all is to be verified. What is wrong stays until the right bytes
// have been received: the source may have none, and of what cannot be read the disk or the line
// may be at fault.
func (c *copying) there(ctx context.Context, info Info) (there bool, w wrong, err error) {
	size, err := c.to.Stat(ctx, info.Digest)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nothing, nil
	case errors.Is(err, ErrUnreadable):
		return false, inTheWay, nil
	case err != nil:
		return false, nothing, err
	case size != info.Size:
		return false, overwritten, nil
	case !c.o.Verify:
		return true, nothing, nil
	}
	right, err := c.verify(ctx, info.Digest)
	if err != nil {
		return false, overwritten, context.Cause(ctx)
	}
	if !right {
		return false, overwritten, nil
	}
	return true, nothing, nil
}

// verify reads a blob of the target, and compares it with its digest.
func (c *copying) verify(ctx context.Context, d Digest) (bool, error) {
	var buffer []byte
	select {
	case buffer = <-c.buffers:
	default:
		buffer = make([]byte, verifyBuffer)
	}
	defer func() { c.buffers <- buffer }()
	found, _, err := Hash(ctx, c.to, d, buffer)
	return err == nil && found == d, err
}

func (c *copying) copy(ctx context.Context, info Info, w wrong) error {
	r, err := c.from.Open(ctx, info.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	received, err := Receive(ctx, c.to, r, Limits{Length: info.Size, Digest: &info.Digest, Overwrite: w == overwritten, spare: c.spare})
	if err != nil {
		return err
	}
	if w == inTheWay {
		err = setAside(ctx, c.to, info.Digest)
	}
	if err == nil {
		err = received.Commit()
	}
	return errors.Join(err, received.Abort())
}

// setAside makes room for a blob in a store that can do so.
func setAside(ctx context.Context, s Store, d Digest) error {
	q, can := s.(Quarantiner)
	if !can {
		return nil // the Commit tells
	}
	remove, err := q.Quarantine(ctx, d)
	if err != nil {
		return err
	}
	return remove()
}

func (c *copying) add(step Copied) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done.Blobs += step.Blobs
	c.done.Bytes += step.Bytes
	c.done.Replaced += step.Replaced
	c.done.Present += step.Present
	c.done.Damaged = append(c.done.Damaged, step.Damaged...)
	if c.o.Report != nil {
		c.o.Report(c.done)
	}
}
