package httpd

import (
	"context"
	"net/http"
	"time"
)

// stream writes an answer over HTTP/2, and ends it if the client takes nothing in. What
// ends such a connection of HTTP/1.1 (TCP_USER_TIMEOUT, see Listen) does not see it: the
// client may well read the connection, and allow this one stream nothing.
type stream struct {
	to      http.ResponseWriter
	limit   time.Duration
	small   time.Duration // the limit of an answer that net/http buffers until the handler ends
	written int64
	renewed time.Time

	asked     bool // the handler has set a deadline for its next write
	impatient bool // it has set any
}

const (
	streamPart   = 32 << 10 // bytes that the client must take in within the limit
	streamBuffer = 4 << 10  // bytes that net/http buffers
)

// Write implements io.Writer.
func (s *stream) Write(p []byte) (n int, err error) {
	for {
		part := p[n:min(len(p), n+streamPart)]
		if s.written += int64(len(part)); s.written > streamBuffer && !s.asked {
			s.renew(time.Now())
		}
		var done int
		done, err = s.to.Write(part)
		if n += done; err != nil || n == len(p) {
			break
		}
	}
	if s.asked { // the handler may be long about what it writes next
		s.asked, s.renewed = false, time.Time{}
		s.renew(time.Now())
	}
	return n, err
}

// deadline is the handler's own, for its next write.
func (s *stream) deadline(at time.Time) {
	s.asked = !at.IsZero()
	s.impatient = s.impatient || s.asked
	s.setDeadline(at)
}

// renew sets a deadline once in a while, and not at each write.
func (s *stream) renew(now time.Time) {
	if slack := min(s.limit/8, 5*time.Second); now.Sub(s.renewed) > slack {
		s.renewed = now
		s.setDeadline(now.Add(s.limit + slack))
	}
}

// end is called when the handler has ended. A small answer, or the rest of another, is sent only
// then.
func (s *stream) end() {
	if s.written <= streamBuffer || s.impatient {
		s.setDeadline(time.Now().Add(s.small))
	}
}

func (s *stream) setDeadline(at time.Time) {
	_ = http.NewResponseController(s.to).SetWriteDeadline(at) // HTTP/2 has them
}

// linger waits until the client has seen the answer and ended the stream, or a moment. A
// client that still sends gets the answer and, from net/http, the end of its stream; curl
// 7.88 reports both at once as a broken transfer, and drops the answer's body.
func (s *stream) linger(ctx context.Context) {
	moment := time.NewTimer(dropTime)
	defer moment.Stop()
	select {
	case <-ctx.Done():
	case <-moment.C:
	}
}
