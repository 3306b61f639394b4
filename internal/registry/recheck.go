package registry

import (
	"context"
	"fmt"

	"granary/internal/fault"
)

// Recheck verifies blobs now that a download found to be lost or damaged, and marks those that
// are, as Scrub does when their turn comes. Of the options Period does not count. A blob that no
// file has, or whose bytes cannot be read, is passed by; the first of the latter is the error.
func (r *Registry) Recheck(ctx context.Context, digests []Digest, o ScrubOptions) error {
	c := &scrubbing{r: r, by: r.mender(o.Rate), o: o}
	for _, d := range digests {
		k, err := r.Records.KeptBlob(ctx, d)
		if fault.Is(err, fault.NotFound) || err == nil && k.Uses == 0 {
			continue
		}
		if err == nil {
			err = c.verify(ctx, StoredBlob{Digest: d, Size: k.Size, Small: k.inline(), Summed: true})
		}
		if err != nil {
			return fmt.Errorf("the blob %s: %w", d, err)
		}
	}
	return c.passed
}
