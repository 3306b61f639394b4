package registry

import (
	"context"
	"time"

	"granary/internal/blob"
)

// Grace is how long a blob that nothing refers to any more is left alone, and
// what an upload that was cut short left behind. A copy of the database and,
// begun after it and ended within this time, one of the blobs are whole together.
const Grace = 24 * time.Hour

// GraceNow is the same where an operator wants the space at once: longer than
// any publish takes between its pin and its record.
const GraceNow = time.Hour

const purgeStep = 500 // packages removed in one transaction

// Swept is what a sweep removed.
type Swept struct {
	Blobs   int
	Bytes   int64 // of these blobs
	Uploads int   // that were cut short, and had left something in the store
}

// Sweep removes the records of deleted projects, packages and files, and then
// the bytes that nothing has referred to for the time of grace, and what uploads
// that were cut short left in the store. What was removed is returned with an
// error, too; what is left when ctx ends waits for the next time.
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
	remove := func(d blob.Digest) error { return r.Blobs.Delete(ctx, d) }
	for {
		size, found, err := r.Records.SweepBlob(ctx, r.Now().Add(-grace), remove)
		if err != nil {
			return swept, err
		}
		if !found {
			swept.Uploads, err = r.tidy(ctx)
			return swept, err
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
