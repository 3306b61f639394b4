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
	renewed time.Time
}

// streamPart is how much the client must take in within the limit, in bytes.
const streamPart = 32 << 10

// Write implements io.Writer.
func (s *stream) Write(p []byte) (n int, err error) {
	for {
		s.renew(time.Now())
		part, err := s.to.Write(p[n:min(len(p), n+streamPart)])
		n += part
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// renew sets a deadline once in a while, and not at each write.
func (s *stream) renew(now time.Time) {
	if slack := min(s.limit/8, 5*time.Second); now.Sub(s.renewed) > slack {
		s.renewed = now
		_ = http.NewResponseController(s.to).SetWriteDeadline(now.Add(s.limit + slack)) // HTTP/2 has them
	}
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
