package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"granary/internal/blob"
)

const (
	checksAtOnce = 8         // blobs are read: most of them wait for the disk or the line
	checkBuffer  = 128 << 10 // bytes of each
)

// lookAtBlobs lists the blobs, and reads those of the subset.
func (c *check) lookAtBlobs(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	chosen := make(chan blob.Info)
	var reading sync.WaitGroup
	for range checksAtOnce {
		reading.Go(func() {
			buffer := make([]byte, checkBuffer)
			for info := range chosen {
				if err := c.readBlob(ctx, info, buffer); err != nil {
					stop(err)
				}
			}
		})
	}
	err := c.list(ctx, chosen)
	close(chosen)
	reading.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (c *check) list(ctx context.Context, chosen chan<- blob.Info) error {
	for info, err := range c.from.List(ctx, "") {
		if errors.Is(err, blob.ErrUnreadable) {
			c.problem(unlistedCure, "folder %x: %v", info.Digest[:1], err)
			continue
		}
		if err != nil {
			return err
		}
		c.stored.Add(info.Digest, info.Size, 1)
		if !c.read.Has(info.Digest) {
			if err := c.openBlob(ctx, info); err != nil {
				return err
			}
			continue
		}
		select {
		case chosen <- info:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	c.report.Blobs = int64(c.stored.Len())
	return nil
}

// openBlob looks whether a blob that is not read could be.
func (c *check) openBlob(ctx context.Context, info blob.Info) error {
	if !c.opens {
		return nil
	}
	r, err := c.from.Open(ctx, info.Digest)
	if err == nil {
		return r.Close()
	}
	return c.unread(info, err)
}

// unread names a blob that cannot be read, and returns any other error. One that was removed
// since is none: if a snapshot needs it, that will show.
func (c *check) unread(info blob.Info, err error) error {
	u, is := errors.AsType[*blob.UnreadableError](err)
	switch {
	case is:
		c.wrongBlob(info, whyUnreadable(u))
		return nil
	case errors.Is(err, blob.ErrNotFound):
		return nil
	}
	return fmt.Errorf("reading the file %s: %w", info.Digest, err)
}

func (c *check) readBlob(ctx context.Context, info blob.Info, buffer []byte) error {
	found, size, err := blob.Hash(ctx, c.from, info.Digest, buffer)
	if err != nil {
		return c.unread(info, err)
	}
	if found != info.Digest {
		c.wrongBlob(info, "its bytes have the SHA-256 "+found.String())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Read++
	c.report.ReadBytes += size
	return nil
}
