package daemon

import (
	"context"
	"sync"
	"time"
)

// lookLimit is how long readiness waits for what may not answer at all.
const lookLimit = 5 * time.Second

// look is a check of a disk, a database or a store that may hang and ignore its
// deadline. One check runs at a time: callers that come meanwhile wait for its
// result, so that probes do not pile up. The zero value is ready.
type look struct {
	mu   sync.Mutex
	open *pending // what is not answered yet; nil for nothing
}

// pending is a question, and what came of it: err, once done is closed.
type pending struct {
	done chan struct{}
	err  error
}

// ask asks, and waits for the answer until ctx is done; then the error is that of
// ctx. The question is given up after lookLimit, if it hears of that.
func (l *look) ask(ctx context.Context, question func(context.Context) error) error {
	q := l.join(ctx, question)
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join is the question that is open already, or else this one.
func (l *look) join(ctx context.Context, question func(context.Context) error) *pending {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != nil {
		return l.open
	}
	q := &pending{done: make(chan struct{})}
	l.open = q
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookLimit) // others wait, too
		defer cancel()
		q.err = question(ctx)
		l.mu.Lock()
		l.open = nil
		l.mu.Unlock()
		close(q.done)
	}()
	return q
}
