package deliver

import (
	"context"
	"log/slog"
	"time"

	"granary/internal/fault"
	"granary/internal/trouble"
	"granary/internal/webhooks"
)

// Outbox is what waits to be sent.
type Outbox interface {
	// Waiting carries a token after something was put in.
	Waiting() <-chan struct{}
	// NextDelivery is when the next delivery is due, the zero time for none.
	// busy names hooks to pass over.
	NextDelivery(ctx context.Context, busy [4]int64) (time.Time, error)
	// ClaimDelivery claims the delivery that has been due for the longest, with a span of its
	// own if the context of the write that put it in had a trace (trace.Of); without
	// FinishDelivery it is due again after webhooks.Lease. It returns NotFound if none
	// is due.
	ClaimDelivery(ctx context.Context, busy [4]int64, now time.Time) (webhooks.Delivery, error)
	// FinishDelivery logs the attempt, and removes the delivery or puts it off.
	FinishDelivery(ctx context.Context, d webhooks.Delivery, a webhooks.Attempt, now time.Time) error
}

const (
	inHand  = 16                    // deliveries that are being sent
	perHook = 4                     // of them for one hook: a slow receiver holds up itself alone
	poll    = 5 * time.Second       // another server may have put something in, and died
	rest    = 5 * time.Second       // after the records failed
	grace   = 5 * time.Second       // at the end, for what is being sent
	soonest = 20 * time.Millisecond // between two looks
)

// Worker sends what the outbox holds. There may be several, on several servers:
// each delivery is in the hands of one at a time. It is made at least once, in no
// certain order.
type Worker struct {
	Outbox  Outbox
	Sender  *Sender
	Log     *slog.Logger
	Metrics *Metrics // nil counts nothing
	Now     func() time.Time

	hands  map[int64]int // deliveries being sent, by hook
	count  int
	done   chan int64 // the hook of each that is over
	outbox *trouble.Trouble
}

// Run sends until ctx is done, and then lets what is being sent come to its
// end for a few seconds. What does not is sent again when its lease is over.
func (w *Worker) Run(ctx context.Context) {
	w.hands, w.done = map[int64]int{}, make(chan int64, inHand)
	w.outbox = trouble.New(w.Log, "webhooks wait: cannot read due deliveries from the database", "webhooks are sent again")
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	for ctx.Err() == nil {
		pause := time.NewTimer(w.fill(ctx, sending))
		select {
		case <-ctx.Done():
		case <-w.Outbox.Waiting():
		case <-pause.C:
		case hook := <-w.done:
			w.drop(hook)
		}
		pause.Stop()
	}
	late := time.AfterFunc(grace, cut)
	defer late.Stop()
	for w.count > 0 {
		w.drop(<-w.done)
	}
	w.Sender.Close()
}

// fill takes in hand what is due, as far as there is room, and returns how long
// it will be until more is.
func (w *Worker) fill(ctx, sending context.Context) time.Duration {
	for w.count < inHand {
		busy := w.busy()
		next, err := w.Outbox.NextDelivery(ctx, busy)
		switch {
		case err != nil:
			return w.failed(ctx, err)
		case next.IsZero():
			w.outbox.Saw(nil)
			w.Metrics.late(0)
			return poll
		}
		now := w.Now()
		w.Metrics.late(max(0, now.Sub(next)))
		if until := next.Sub(now); until > 0 {
			return min(max(until, soonest), poll)
		}
		d, err := w.Outbox.ClaimDelivery(ctx, busy, now)
		if fault.Is(err, fault.NotFound) {
			return soonest // another server has taken it
		}
		if err != nil {
			return w.failed(ctx, err)
		}
		w.outbox.Saw(nil)
		w.hands[d.Hook.ID]++
		w.count++
		go func() {
			w.deliver(sending, d, now.Add(webhooks.Lease))
			w.done <- d.Hook.ID
		}()
	}
	return poll
}

func (w *Worker) failed(ctx context.Context, err error) time.Duration {
	if ctx.Err() == nil {
		w.outbox.Saw(err)
	}
	return rest
}

func (w *Worker) drop(hook int64) {
	w.count--
	if w.hands[hook]--; w.hands[hook] == 0 {
		delete(w.hands, hook)
	}
}

// busy is the hooks that have enough in hand.
func (w *Worker) busy() (hooks [inHand / perHook]int64) {
	i := 0
	for hook, n := range w.hands {
		if n >= perHook {
			hooks[i] = hook
			i++
		}
	}
	return hooks
}

// deliver makes an attempt that ends with its lease: then another server may
// begin the next.
func (w *Worker) deliver(ctx context.Context, d webhooks.Delivery, leased time.Time) {
	ours, cancel := context.WithTimeout(ctx, leased.Sub(w.Now()))
	defer cancel()
	a := w.Sender.attempt(ours, d)
	if ours.Err() != nil && !a.OK() {
		return // we went away, not the receiver
	}
	outcome := "delivered"
	if !a.OK() {
		outcome = "failed"
		if _, again := d.Retry(w.Now()); !again {
			outcome = "abandoned"
		}
	}
	w.tell(ctx, d, a, outcome)
	w.Metrics.observe(outcome, a.Took)
	if err := w.Outbox.FinishDelivery(ctx, d, a, w.Now()); err != nil {
		w.Log.Error("cannot record the outcome of a webhook delivery; it will be sent again", "hook", d.Hook.ID, "error", err)
	}
}

// tell logs an attempt that failed, and each that is part of a trace: whoever follows the trace
// looks for it.
func (w *Worker) tell(ctx context.Context, d webhooks.Delivery, a webhooks.Attempt, outcome string) {
	message, result := "a webhook was delivered", "status"
	switch {
	case !a.OK():
		message, result = "a webhook delivery failed", "cause"
	case !d.Trace.Valid():
		return
	}
	attrs := []slog.Attr{slog.Int64("hook", d.Hook.ID), slog.Int64("project", d.Hook.ProjectID), slog.Int("attempt", d.Attempts),
		slog.String("outcome", outcome), slog.String(result, a.Outcome())}
	w.Log.LogAttrs(ctx, slog.LevelInfo, message, append(attrs, d.Trace.LogAttrs()...)...)
}
