package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"

	"granary/internal/blob"
	"granary/internal/fault"
)

const (
	checkReaders = 2         // blobs that a round reads at once
	checkBuffer  = 256 << 10 // bytes of each
)

// readBack reads the bytes of these blobs, and looks again at those that are not right.
func (c *checkRun) readBack(ctx context.Context, chosen []BlobRow) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan BlobRow)
	var readers sync.WaitGroup
	for range min(checkReaders, len(chosen)) {
		readers.Go(func() {
			for k := range queue {
				if err := c.readOne(ctx, k); err != nil {
					stop(err)
				}
			}
		})
	}
	for _, k := range chosen {
		if ctx.Err() != nil {
			break
		}
		queue <- k
	}
	close(queue)
	readers.Wait()
	return context.Cause(ctx)
}

func (c *checkRun) readOne(ctx context.Context, k BlobRow) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // another reader failed, and tells
	}
	f, err := c.look(ctx, k, true)
	if err != nil {
		return err
	}
	if f.Kind == "" {
		c.add(func(done *Checked) { done.Read++; done.ReadBytes += k.Size })
		if k.inline() {
			return nil // it says nothing of the store
		}
		return c.answered(ctx, k.Digest, true)
	}
	damaged, err := c.doubt(ctx, k.Digest, true)
	if damaged && f.Kind != Unread {
		c.add(func(done *Checked) { done.Read++; done.ReadBytes += k.Size })
	}
	return err
}

// look finds what is wrong with the bytes of a blob, where a reader would look for them;
// Kind "" is nothing. It reads them if their number is wrong, or with reading. Its error
// is the database's, or the end of ctx; what the store does not answer is Unread.
func (c *checkRun) look(ctx context.Context, k BlobRow, reading bool) (Finding, error) {
	f := Finding{Digest: k.Digest, Size: k.Size, InDatabase: k.inline()}
	if k.inline() {
		err := c.lookInside(ctx, k, reading, &f)
		return f, err
	}
	var err error
	if !reading {
		f.FoundSize, err = c.Store.Stat(ctx, k.Digest)
		if err == nil && f.FoundSize == k.Size {
			return f, nil
		}
	}
	if err == nil {
		var d blob.Digest
		if d, f.FoundSize, err = c.hash(ctx, k.Digest); err == nil {
			f.compare(d)
		}
	}
	switch {
	case ctx.Err() != nil:
		return f, context.Cause(ctx)
	case errors.Is(err, blob.ErrNotFound):
		f.Kind = MissingBytes
	case err != nil:
		f.Kind, f.Reason = Unread, err.Error()
	}
	return f, nil
}

// lookInside is look for bytes that the database keeps.
func (c *checkRun) lookInside(ctx context.Context, k BlobRow, reading bool, f *Finding) error {
	if f.FoundSize = k.Inline; k.Inline == k.Size && !reading {
		return nil
	}
	content, err := c.Records.FindContent(ctx, k.Digest)
	if fault.Is(err, fault.NotFound) {
		return nil // swept since; doubt reads the row again
	}
	if damageOf(err) == "" && err != nil {
		return err
	}
	f.FoundSize = int64(len(content))
	f.compare(sha256.Sum256(content))
	return nil
}

// compare sets what is wrong with bytes of this digest, of which FoundSize is the number.
func (f *Finding) compare(d blob.Digest) {
	switch {
	case d == f.Digest && f.FoundSize == f.Size:
	case d == f.Digest:
		f.Kind = WrongRecord
	case f.FoundSize != f.Size:
		f.Kind, f.FoundDigest = OtherSize, &d
	default:
		f.Kind, f.FoundDigest = WrongBytes, &d
	}
}

// hash reads a blob of the store.
func (c *checkRun) hash(ctx context.Context, d blob.Digest) (found blob.Digest, size int64, err error) {
	var buffer []byte
	select {
	case buffer = <-c.buffers:
	default:
		buffer = make([]byte, checkBuffer)
	}
	defer func() {
		select {
		case c.buffers <- buffer:
		default:
		}
	}()
	return blob.Hash(ctx, c.Store, d, buffer)
}
