package registry

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"

	"granary/internal/blob"
)

// A check goes in 256 rounds, by the first byte of the digest. The rows of the next round
// are read while the store is listed for this one.

// rowsStep is how many rows one query reads.
const rowsStep = 1000

// rows are those of one round, in the order of digests.
type rows struct {
	first byte
	kept  []BlobRow
	err   error // instead of the rows
}

// readRows sends the rows of all rounds, and closes the channel after the last, after an
// error, or when ctx is done.
func (c *checkRun) readRows(ctx context.Context) <-chan rows {
	sent := make(chan rows)
	go func() {
		defer close(sent)
		for first := range 256 {
			r := c.rowsOf(ctx, byte(first))
			select {
			case sent <- r:
			case <-ctx.Done():
				return
			}
			if r.err != nil {
				return
			}
		}
	}()
	return sent
}

func (c *checkRun) rowsOf(ctx context.Context, first byte) rows {
	r := rows{first: first}
	from, to := blob.Digest{first}, blob.Digest(bytes.Repeat([]byte{0xff}, len(blob.Digest{})))
	to[0] = first
	for {
		step, err := c.Records.BlobRows(ctx, from, to, rowsStep)
		if err != nil {
			return rows{err: err}
		}
		r.kept = append(r.kept, step...)
		if len(step) < rowsStep {
			return r
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
func (c *checkRun) round(ctx context.Context, r rows) error {
	listed := make([]bool, len(r.kept))
	var doubtful []BlobRow
	var strange []blob.Info
	for info, err := range c.Store.List(ctx, hex.EncodeToString([]byte{r.first})) {
		if err != nil {
			return err
		}
		i, known := slices.BinarySearchFunc(r.kept, info.Digest, func(b BlobRow, d blob.Digest) int { return bytes.Compare(b.Digest[:], d[:]) })
		if !known {
			strange = append(strange, info)
			continue
		}
		listed[i] = true
		if k := r.kept[i]; k.Used && !k.inline() && k.Size != info.Size {
			doubtful = append(doubtful, k)
		}
	}
	var seen Checked
	var chosen []BlobRow
	for i, k := range r.kept {
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
		done.Seen += int64(len(r.kept))
		done.InDatabase += seen.InDatabase
	})
	return c.judge(ctx, r.kept, doubtful, chosen, strange)
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
