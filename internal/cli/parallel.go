package cli

import (
	"context"
	"errors"
	"sync"
)

// parallel calls work for the numbers below n, jobs at once. The first error cancels
// the calls that run, prevents the others, and is returned.
func parallel(ctx context.Context, jobs, n int, work func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var all sync.WaitGroup
	for range min(jobs, n) {
		all.Go(func() {
			for i := range next {
				if err := work(ctx, i); err != nil {
					cancel(failed{err})
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	if f, ok := errors.AsType[failed](context.Cause(ctx)); ok {
		return f.error
	}
	return ctx.Err()
}

// failed marks an error of the work, to tell it from the end of the outer context.
type failed struct{ error }

func (f failed) Unwrap() error { return f.error }
