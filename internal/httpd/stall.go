package httpd

import (
	"io"
	"net/http"
	"time"
)

// guardedBody cuts off an upload that makes no progress: its Read fails with an
// error that is os.ErrDeadlineExceeded. There is no bound on a whole body,
// which may be large and slow, so net/http's own ReadTimeout cannot be used.
type guardedBody struct {
	io.ReadCloser
	control  *http.ResponseController
	stall    time.Duration
	renewed  time.Time
	received int64 // bytes
	ended    bool  // by EOF or error
	whole    bool  // by EOF
}

// guard puts a guardedBody into r, which must be a copy of the server's own
// request, and returns it; nil where there is no body. A stall of 0 is none. It reads nothing, and
// so asks for no 100-continue.
//
// The deadline starts here: where the handler refuses without reading, net/http
// reads up to 256 KiB of the body by itself before it answers.
func guard(w http.ResponseWriter, r *http.Request, stall time.Duration) *guardedBody {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	g := &guardedBody{ReadCloser: r.Body, control: http.NewResponseController(w), stall: stall}
	g.renew(time.Now())
	r.Body = g
	return g
}

// slack is how much progress one deadline covers, so that a fast upload sets
// one every few seconds and not at each read.
func (g *guardedBody) slack() time.Duration { return min(g.stall/8, 5*time.Second) }

func (g *guardedBody) renew(now time.Time) {
	g.renewed = now
	if g.stall <= 0 {
		return
	}
	// Only a connection that cannot have deadlines refuses: a test's recorder.
	_ = g.control.SetReadDeadline(now.Add(g.stall + g.slack()))
}

// hurry leaves the rest of the body so much time in all.
func (g *guardedBody) hurry(rest time.Duration) {
	if g.stall <= 0 || rest < g.stall {
		_ = g.control.SetReadDeadline(time.Now().Add(rest))
	}
}

// Read allows the next bytes between stall and stall plus slack to arrive.
//
// At EOF net/http takes our deadline away and begins to watch the connection
// for the client's leaving. A deadline set after that, by one more Read, would
// be taken for it and cancel a handler that is still at work.
func (g *guardedBody) Read(p []byte) (int, error) {
	if now := time.Now(); !g.ended && now.Sub(g.renewed) > g.slack() {
		g.renew(now)
	}
	n, err := g.ReadCloser.Read(p)
	g.received += int64(n)
	g.ended = g.ended || err != nil
	g.whole = g.whole || err == io.EOF
	return n, err
}
