package cli

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// parallel calls work for the numbers below n, jobs at once. The first error cancels
// the calls that run, prevents the others, and is returned. If ctx ends, its own error
// is returned.
func parallel(ctx context.Context, jobs, n int, work func(ctx context.Context, i int) error) error {
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(max(jobs, 1))
	for i := 0; i < n && running.Err() == nil; i++ {
		group.Go(func() error {
			if err := running.Err(); err != nil {
				return err // it waited for its turn meanwhile
			}
			return work(running, i)
		})
	}
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return ctx.Err()
}
