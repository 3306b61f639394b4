package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A body on its way to a store passes from goroutine to goroutine in buffers:
//
//	caller reads -> write -> hash -> back to the caller
//
// so that the slowest of the three sets the pace, and the number of buffers
// bounds the memory. A chain was measured at 870-900 MB/s into a disk on two
// cores; handing each buffer to both at once, with a count of its holders, at
// 770-840. Writing comes first so that the disk starts sooner.
//
// The buffers belong to the upload and are freed with it. Pooling them was measured,
// too: 1,500 MB/s instead of 1,250 for many bodies of 100 KiB that are discarded,
// no measurable difference on a disk; not worth a pool that outlives its uploads. A Copy
// is one caller with many bodies, and keeps them between these.
const (
	chunkSize = 512 << 10 // bytes in a buffer; with 256 KiB CPU time was a sixth higher, with 1 MiB a quarter
	chunks    = 4         // one with each goroutine and one to spare
)

// stream copies head and what is left in src to up and returns the digest of
// all of it; sums get all of it, too. The first to fail (the body, a write, the
// context) stops the others; its error is returned when they have ended.
func stream(ctx context.Context, up Upload, src *source, head []byte, sums *checksums) (Digest, error) {
	hash := sha256.New()
	hash.Write(head)
	sums.write(head)
	if err := write(ctx, up, head); err != nil {
		return Digest{}, err
	}

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	// Every channel has room for all buffers, so only a receive ever waits.
	free := make(chan []byte, chunks)
	writing := make(chan []byte, chunks)
	hashing := make(chan []byte, chunks)
	for range chunks {
		free <- nil // made when first needed
	}

	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(hashing)
		for b := range writing {
			if err := write(ctx, up, b); err != nil {
				stop(err)
			}
			hashing <- b
		}
	})
	wg.Go(func() {
		for b := range hashing {
			hash.Write(b)
			sums.write(b)
			free <- b
		}
	})

	err := feed(ctx, src, free, writing)
	if err != io.EOF {
		stop(err)
	}
	close(writing)
	wg.Wait()
	close(free)
	for b := range free {
		src.giveBack(b)
	}
	cause := context.Cause(ctx)
	if errors.Is(err, ErrBody) && errors.Is(cause, context.Canceled) {
		cause = err // net/http ends the context of a request whose body fails, before it says why
	}
	return Digest(hash.Sum(nil)), cause
}

// feed passes what is left of the body on, buffer by buffer, until it ends (io.EOF) or
// fails.
func feed(ctx context.Context, src *source, free <-chan []byte, writing chan<- []byte) (err error) {
	for err == nil {
		b := <-free
		if b == nil {
			b = src.buffer()
		}
		var n int
		n, err = src.fill(ctx, b[:cap(b)])
		writing <- b[:n]
	}
	return err
}

// write passes b to the store, unless the upload has failed already.
func write(ctx context.Context, up Upload, b []byte) error {
	select {
	case <-ctx.Done():
		return nil
	default:
	}
	if len(b) == 0 {
		return nil
	}
	n, err := up.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("blob: writing to the store: %w", err)
	}
	return nil
}

// buffer is one of an earlier body that is large enough, or a new one.
func (s *source) buffer() []byte {
	select {
	case b := <-s.l.spare:
		if int64(cap(b)) >= s.chunk() {
			return b
		}
	default:
	}
	return make([]byte, s.chunk())
}

// giveBack keeps a buffer for later bodies, if there is room for it.
func (s *source) giveBack(b []byte) {
	if b == nil {
		return
	}
	select {
	case s.l.spare <- b:
	default:
	}
}

// chunk is the size of a buffer for this body in bytes. One that is known to
// be short gets what it needs, and a byte more to see its end.
func (s *source) chunk() int64 {
	if s.l.Length >= 0 {
		return min(chunkSize, s.l.Length+1)
	}
	return chunkSize
}
