package registry

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"granary/internal/blob"
)

// ScrubState is how far the stored bytes are verified.
type ScrubState struct {
	After []byte    // the digest up to which they are in this cycle; empty at its begin
	Began time.Time // this cycle
	Since time.Time // when the last whole cycle began: all that is older was verified since; the first one, if none is whole
}

// StoredBlob is a blob on record.
type StoredBlob struct {
	Digest blob.Digest
	Size   int64
	Small  bool // the database keeps the bytes
	Summed bool // the CRC-32 is on record
}

// FileAt is where a file is.
type FileAt struct {
	Project          string // full path
	Package, Version string
	File             FileName
}

// ScrubOptions say how fast to verify.
type ScrubOptions struct {
	Period time.Duration // in which all bytes are verified once; more than 0
	Rate   int64         // bytes a second at most; more than 0

	// Found is called for each blob that is newly marked, with some of its files.
	// None, if the database did not answer for them.
	Found func(m DamageMark, damage error, files []FileAt)
}

const (
	scrubStep  = 256      // blobs of one look at the records
	scrubBytes = 64 << 20 // verified bytes after which the state is kept, so that little is read again
	filesTold  = 10       // of a damaged blob

	longestScrub = time.Minute // after which it ends between two steps, so that its caller can look at marks
)

// Scrub verifies stored bytes against their digests, in the order of digests, from where
// the last Scrub ended. It returns when it is as far as the time since the cycle began:
// digests are spread evenly, so that half of them are due after half of the period. It also
// returns after a minute; the next Scrub goes on there.
//
// A blob with wrong bytes is marked, and they are set aside. A blob is passed by if its bytes
// cannot be read, though the store and the database answer, or if they cannot be set aside:
// the first of these is the error at the end. Any other error ends the Scrub at once, and
// the next one begins with the same blob.
func (r *Registry) Scrub(ctx context.Context, o ScrubOptions) error {
	s, err := r.Records.FindScrub(ctx)
	if err != nil {
		return err
	}
	if s.Began.IsZero() {
		now := r.Now()
		s = ScrubState{Began: now, Since: now}
		if err := r.Records.KeepScrub(ctx, s); err != nil {
			return err
		}
	}
	c := &scrubbing{r: r, by: r.mender(o.Rate), o: o, state: s}
	return errors.Join(c.run(ctx), c.passed)
}

// scrubbing is a running Scrub.
type scrubbing struct {
	r      *Registry
	by     mender
	o      ScrubOptions
	state  ScrubState
	passed error // why the first blob was passed by, of those that were
}

func (c *scrubbing) run(ctx context.Context) error {
	for began := time.Now(); ctx.Err() == nil && time.Since(began) < longestScrub; {
		blobs, err := c.r.Records.BlobsAfter(ctx, c.state.After, scrubStep)
		if err != nil {
			return err
		}
		if len(blobs) == 0 {
			return c.endCycle(ctx)
		}
		if due, err := c.step(ctx, blobs); err != nil || !due {
			return err
		}
	}
	return context.Cause(ctx) // nil after a minute
}

// endCycle begins the next cycle, if the period of this one is over.
func (c *scrubbing) endCycle(ctx context.Context) error {
	if now := c.r.Now(); now.Sub(c.state.Began) >= c.o.Period {
		c.state = ScrubState{Began: now, Since: c.state.Began}
		return c.r.Records.KeepScrub(ctx, c.state)
	}
	return nil
}

// step verifies some blobs, and keeps how far it came. due is false if the rest is not
// due yet.
func (c *scrubbing) step(ctx context.Context, blobs []StoredBlob) (due bool, err error) {
	from, read := c.state.After, int64(0)
	due = true
	for _, b := range blobs {
		if due = c.due(b.Digest); !due {
			break
		}
		if err = c.verify(ctx, b); err != nil {
			break
		}
		c.state.After = b.Digest[:]
		if read += b.Size; read >= scrubBytes {
			break
		}
	}
	if !bytes.Equal(from, c.state.After) {
		err = errors.Join(err, c.r.Records.KeepScrub(context.WithoutCancel(ctx), c.state))
	}
	return due, err
}

// due reports whether so much of the period has passed as of all digests is below d.
func (c *scrubbing) due(d blob.Digest) bool {
	share := float64(binary.BigEndian.Uint64(d[:8])) / (1 << 64)
	return c.r.Now().Sub(c.state.Began).Seconds() >= share*c.o.Period.Seconds()
}

// verify verifies a blob. It counts as damaged when its bytes were wrong twice: the line or
// the memory may have been at fault. It is passed by if it cannot be read, and others can.
func (c *scrubbing) verify(ctx context.Context, b StoredBlob) error {
	var damage *blob.DamageError
	var err error
	for range 3 {
		seen, failed := c.by.look(ctx, b)
		switch {
		case failed != nil:
			err = failed
		case seen.damage != nil && damage != nil:
			return c.condemn(ctx, b, seen.damage)
		case seen.damage != nil:
			damage = seen.damage
		case b.Summed:
			return nil
		default:
			return c.r.Records.KeepCRC32(ctx, b.Digest, seen.crc32)
		}
	}
	if ctx.Err() != nil || c.answers(ctx, b) != nil {
		return err // the next Scrub begins with this blob
	}
	c.pass(fmt.Errorf("cannot read the blob %s: %w", b.Digest, err))
	return nil
}

// answers returns nil if what keeps the bytes of a blob answers: the database or the store.
func (c *scrubbing) answers(ctx context.Context, b StoredBlob) error {
	if b.Small {
		_, err := c.r.Records.FindScrub(ctx)
		return err
	}
	return blob.Answers(ctx, c.r.Blobs, b.Digest)
}

// condemn is that of a mender, and tells of a new mark. If the wrong bytes cannot be set
// aside, the blob is passed by: it is marked, and CheckMarks tries again.
func (c *scrubbing) condemn(ctx context.Context, b StoredBlob, damage *blob.DamageError) error {
	mark := markOf(b, damage.Damage)
	newly, err := c.by.mark(ctx, mark)
	if err != nil {
		return err // the next Scrub begins with this blob
	}
	right, err := c.by.clear(ctx, b, mark)
	if err != nil && ctx.Err() == nil {
		c.pass(fmt.Errorf("cannot set the damaged bytes of %s aside: %w", b.Digest, err))
		err = nil
	}
	if newly && !right {
		err = errors.Join(err, c.tell(ctx, mark, damage))
	}
	return err
}

// tell is called once for each mark, and tells of it even if its files are not found.
func (c *scrubbing) tell(ctx context.Context, mark DamageMark, damage error) error {
	files, err := c.r.Records.FilesWith(context.WithoutCancel(ctx), mark.Digest, filesTold)
	if c.o.Found != nil {
		c.o.Found(mark, damage, files)
	}
	return err
}

// pass notes why a blob is passed by.
func (c *scrubbing) pass(err error) {
	if c.passed == nil {
		c.passed = err
	}
}
