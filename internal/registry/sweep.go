package registry

import (
	"context"
	"time"

	"granary/internal/blob"
)

// Grace is how long the sweep leaves alone a blob that nothing refers to, and the rest
// of an upload that was cut short. So a copy of the database, and one of the blobs
// that is begun after it and ends within this time, are consistent.
const Grace = 24 * time.Hour

// GraceNow is the grace period if an operator wants the space at once: longer than any
// publish takes from PinBlob to its record.
const GraceNow = time.Hour

const purgeStep = 500 // packages removed in one transaction

// Swept is what a sweep removed.
type Swept struct {
	Blobs   int
	Bytes   int64  // of these blobs
	Uploads int    // that were cut short and left bytes in the store
	Held    *Lease // because of which no more blobs were removed; nil for none
}

// Sweep removes the records of deleted projects, packages and files, then bytes that
// nothing has referred to for the grace period, and then the rest of uploads that were
// cut short. While a lease lives, it removes no blobs. It returns what it removed even with
// an error; the next sweep does the rest.
func (r *Registry) Sweep(ctx context.Context, grace time.Duration) (swept Swept, err error) {
	for {
		n, err := r.Records.PurgeDeleted(ctx, purgeStep, r.Now())
		if err != nil {
			return swept, err
		}
		if n == 0 {
			break
		}
	}
	if err := r.sweepBlobs(ctx, grace, &swept); err != nil {
		return swept, err
	}
	swept.Uploads, err = r.tidy(ctx)
	return swept, err
}

// sweepBlobs removes bytes that nothing has referred to for the grace period. A lease may be
// taken while it runs: it asks before each blob.
func (r *Registry) sweepBlobs(ctx context.Context, grace time.Duration, swept *Swept) (err error) {
	remove := func(d blob.Digest) error { return r.Blobs.Delete(ctx, d) }
	for {
		if swept.Held, err = r.Records.HeldLease(ctx); err != nil || swept.Held != nil {
			return err
		}
		size, found, err := r.Records.SweepBlob(ctx, r.Now().Add(-grace), remove)
		if err != nil || !found {
			return err
		}
		swept.Blobs++
		swept.Bytes += size
	}
}

func (r *Registry) tidy(ctx context.Context) (int, error) {
	if store, ok := r.Blobs.(blob.Tidier); ok {
		return store.Tidy(ctx, r.Now().Add(-Grace))
	}
	return 0, nil
}
