package registry

import (
	"context"
	"time"

	"granary/internal/blob"
)

// Grace is how long a blob that nothing refers to is left alone: longer than
// any publish takes between its pin and its record.
const Grace = 24 * time.Hour

const purgeStep = 500 // packages removed in one transaction

// Sweep removes the records of deleted projects, and then the bytes that
// nothing refers to any more, and what uploads that were cut short left in the
// store. It returns how many of both it removed; what is left when ctx ends waits
// for the next time.
func (r *Registry) Sweep(ctx context.Context) (int, error) {
	for {
		n, err := r.Ledger.PurgeDeleted(ctx, purgeStep)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
	}
	remove := func(d blob.Digest) error { return r.Blobs.Delete(ctx, d) }
	for swept := 0; ; swept++ {
		found, err := r.Ledger.SweepBlob(ctx, r.Now().Add(-Grace), remove)
		if err != nil {
			return swept, err
		}
		if !found {
			tidied, err := r.tidy(ctx)
			return swept + tidied, err
		}
	}
}

func (r *Registry) tidy(ctx context.Context) (int, error) {
	if store, ok := r.Blobs.(blob.Tidier); ok {
		return store.Tidy(ctx, r.Now().Add(-Grace))
	}
	return 0, nil
}
