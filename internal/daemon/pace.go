package daemon

import (
	"context"
	"io"
	"sync"
	"time"
)

// pace holds readers together to a number of bytes a second.
type pace struct {
	rate int64 // bytes a second, 0 for no limit

	mu   sync.Mutex
	next time.Time // when what was read so far is paid for
}

// pacedAtOnce is how many bytes are read before the next wait.
const pacedAtOnce = 64 << 10

// wait returns when n more bytes may follow.
func (p *pace) wait(ctx context.Context, n int) error {
	p.mu.Lock()
	if now := time.Now(); p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(n) / float64(p.rate) * float64(time.Second)))
	pause := time.Until(p.next)
	p.mu.Unlock()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(pause):
		return nil
	}
}

// reader is r at the pace.
func (p *pace) reader(ctx context.Context, r io.Reader) io.Reader {
	if p.rate == 0 {
		return r
	}
	return pacedReader{ctx, p, r}
}

type pacedReader struct {
	ctx  context.Context //nolint:containedctx // of one transfer
	pace *pace
	r    io.Reader
}

func (r pacedReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b[:min(len(b), pacedAtOnce)])
	if waited := r.pace.wait(r.ctx, n); waited != nil {
		return n, waited
	}
	return n, err
}
