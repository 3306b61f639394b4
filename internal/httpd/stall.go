package httpd

import (
	"io"
	"net/http"
	"time"
)

// guardedBody cuts off an upload that makes no progress: its Read fails with an
// error that is os.ErrDeadlineExceeded. A whole body may be large and slow and has
// no time limit, so net/http's ReadTimeout cannot be used.
type guardedBody struct {
	io.ReadCloser
	control  *http.ResponseController
	stall    time.Duration
	renewed  time.Time
	length   int64 // bytes; -1 for unknown
	received int64 // bytes
	ended    bool  // by EOF or error
	whole    bool  // by EOF
	waiting  bool  // the client waits for a 100-continue, which the first read sends
}

// guard puts a guardedBody into r, which must be a copy of the server's own
// request, and returns it; nil if there is no body. A stall of 0 is no limit. guard
// reads nothing, and so sends no 100-continue. The deadline starts here: if the
// handler does not read the body, net/http may.
func guard(w http.ResponseWriter, r *http.Request, stall time.Duration) *guardedBody {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	g := &guardedBody{ReadCloser: r.Body, length: r.ContentLength, control: http.NewResponseController(w), stall: stall, waiting: r.Header["Expect"] != nil}
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

// How much of an unwanted body is dropped to keep its connection. The bytes are as
// many as net/http drops.
const (
	dropTime  = 100 * time.Millisecond
	dropBytes = 256 << 10
)

// drop reads the rest of the body if it is short and has come, or comes at once,
// and reports whether that was all. A deadline that passes ends the request's
// context. It asks for no 100-continue.
func (g *guardedBody) drop() bool {
	if g.ended {
		return g.whole
	}
	_ = g.control.SetReadDeadline(time.Now().Add(dropTime)) // for net/http, too
	if g.waiting || g.length-g.received > dropBytes {
		return false
	}
	buffer := make([]byte, 4<<10)
	for end := g.received + dropBytes; !g.ended && g.received <= end; {
		n, err := g.ReadCloser.Read(buffer)
		g.note(n, err)
	}
	return g.whole
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
	g.note(n, err)
	return n, err
}

func (g *guardedBody) note(n int, err error) {
	g.waiting = false
	g.received += int64(n)
	g.ended = g.ended || err != nil
	g.whole = g.whole || err == io.EOF
}
