package registry

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"sync"

	"granary/internal/blob"
)

// A check goes in 256 rounds, by the first byte of the digest. Each reads the rows and then
// lists the store.

const (
	rowsStep     = 1000 // how many rows one query reads
	roundsAtOnce = 2    // one waits for the database or the disk while the other works
)

// rounds compares all rows with the store.
func (c *checkRun) rounds(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	firsts := make(chan byte)
	var workers sync.WaitGroup
	for range roundsAtOnce {
		workers.Go(func() {
			for first := range firsts {
				if err := c.round(ctx, first); err != nil {
					stop(err)
				}
			}
		})
	}
	for first := 0; first < 256 && ctx.Err() == nil; first++ {
		firsts <- byte(first)
	}
	close(firsts)
	workers.Wait()
	return context.Cause(ctx)
}

// rowsOf returns the rows of a round, in the order of digests.
func (c *checkRun) rowsOf(ctx context.Context, first byte) (kept []BlobRow, err error) {
	from, to := blob.Digest{first}, blob.Digest(bytes.Repeat([]byte{0xff}, len(blob.Digest{})))
	to[0] = first
	for {
		step, err := c.Records.BlobRows(ctx, from, to, rowsStep)
		if err != nil {
			return nil, err
		}
		kept = append(kept, step...)
		if len(step) < rowsStep {
			return kept, nil
		}
		from = after(step[len(step)-1].Digest)
	}
}

// after is the next digest; after the last of all it is the first.
func after(d blob.Digest) blob.Digest {
	for i := len(d) - 1; i >= 0; i-- {
		if d[i]++; d[i] != 0 {
			break
		}
	}
	return d
}

// round compares the rows with the store's list, and then looks at what is doubtful.
func (c *checkRun) round(ctx context.Context, first byte) error {
	kept, err := c.rowsOf(ctx, first)
	if err != nil {
		return err
	}
	listed := make([]bool, len(kept))
	var doubtful []BlobRow
	var strange []blob.Info
	for info, err := range c.Store.List(ctx, hex.EncodeToString([]byte{first})) {
		if errors.Is(err, blob.ErrUnreadable) {
			continue // its blobs are doubtful, and looked at one by one
		}
		if err != nil {
			return err
		}
		i, known := slices.BinarySearchFunc(kept, info.Digest, func(b BlobRow, d blob.Digest) int { return bytes.Compare(b.Digest[:], d[:]) })
		if !known {
			strange = append(strange, info)
			continue
		}
		listed[i] = true
		if k := kept[i]; k.Used && !k.inline() && k.Size != info.Size {
			doubtful = append(doubtful, k)
		}
	}
	var seen Checked
	var chosen []BlobRow
	for i, k := range kept {
		switch {
		case !k.Used: // it was pinned for a file on its way, or waits for the sweep
			continue
		case k.inline():
			seen.InDatabase++
			if k.Inline != k.Size {
				doubtful = append(doubtful, k)
			}
		case !listed[i]:
			doubtful = append(doubtful, k)
		}
		if c.Read.Has(k.Digest) {
			chosen = append(chosen, k)
		}
	}
	c.add(func(done *Checked) {
		done.Seen += int64(len(kept))
		done.InDatabase += seen.InDatabase
	})
	return c.judge(ctx, kept, doubtful, chosen, strange)
}

// judge looks at the rows of a round one by one, as far as that is needed.
func (c *checkRun) judge(ctx context.Context, all, doubtful, chosen []BlobRow, strange []blob.Info) error {
	absent := map[blob.Digest]bool{} // whose bytes are not there, or of another size
	for _, k := range doubtful {
		found, err := c.doubt(ctx, k.Digest, false)
		if err != nil {
			return err
		}
		absent[k.Digest] = found
	}
	used := int64(0)
	for _, k := range all {
		if k.Used && !absent[k.Digest] {
			used++
		}
	}
	c.add(func(done *Checked) { done.There += used })
	for _, info := range strange {
		if err := c.doubtStray(ctx, info); err != nil {
			return err
		}
	}
	chosen = slices.DeleteFunc(chosen, func(k BlobRow) bool { return absent[k.Digest] })
	return c.readBack(ctx, chosen)
}
