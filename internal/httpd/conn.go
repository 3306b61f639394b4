package httpd

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// What a connection is in the middle of.
const (
	quiet  int32 = iota // nothing
	begun               // a request: net/http may refuse it before any handler sees it
	unread              // its last request was answered, and the body was not read to its end
	lost                // a header that will not be whole, which net/http does not answer
)

// An event is what happens to a connection.
type event int

const (
	came     event = iota // a header, or what there is of it
	answered              // a request, and it had no body, or one read to its end; or the answer must not be sent
	refused               // a request, and its client may still be sending
	rested                // the connection, which waits for the next request
	failed                // a read: the client has left, or a deadline has passed
	closed                // our side
)

// conn is a connection that knows two things that net/http does not expose: whether
// its client may still be sending when it is closed (linger.go), and how the header
// of the running request was framed (framing.go).
type conn struct {
	net.Conn
	limits lingering
	state  atomic.Int32  // changed by on alone
	silent *atomic.Int64 // see Server
	spoken atomic.Bool   // it counts there no more

	// Of the running request, for the goroutine that reads it.
	reads int    // since the request before; the body's among them
	last  []byte // what the last one read, in the memory of net/http, with all the room that it had

	held *bytes.Buffer // what was written since hold; nil for nothing
}

type connKey struct{}

// connOf is nil outside of a Server, and for HTTP/2.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// conns is a listener of conns.
type conns struct {
	net.Listener
	limits lingering
	silent *atomic.Int64 // those whose first request has not come
}

func (l conns) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.take(c), nil
}

// take makes a connection ours, whose first request has not come.
func (l conns) take(c net.Conn) *conn {
	l.silent.Add(1)
	return &conn{Conn: c, limits: l.limits, silent: l.silent}
}

// spoke records that the first request has come, or that none will. c may be nil.
func (c *conn) spoke() {
	if c != nil && !c.spoken.Swap(true) {
		c.silent.Add(-1)
	}
}

// itself is promoted to a secureConn. A connection of HTTP/2 is none of ours.
func (c *conn) itself() *conn { return c }

func ours(nc net.Conn) *conn {
	if c, ok := nc.(interface{ itself() *conn }); ok {
		return c.itself()
	}
	return nil
}

func inContext(ctx context.Context, nc net.Conn) context.Context {
	if c := ours(nc); c != nil {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// on takes an event and reports whether a close must linger, so that the client
// gets the answer.
//
//	         came    answered  refused  rested  failed  closed
//	quiet    begun   quiet     unread   quiet   lost    quiet
//	begun    begun   quiet     unread   quiet   begun   quiet, lingers
//	unread   begun   quiet     unread   quiet   unread  quiet, lingers
//	lost     lost    quiet     unread   quiet   lost    quiet
//
// A failed read of a body changes nothing: the client still gets an answer. A second
// close is abrupt, so that it can end the first.
func (c *conn) on(e event) (lingers bool) {
	next := c.state.Load()
	switch e {
	case came:
		if next != lost {
			next = begun
		}
	case refused:
		next = unread
	case failed:
		if next == quiet {
			next = lost
		}
	case answered, rested, closed:
		next = quiet
	}
	was := c.state.Swap(next)
	return e == closed && (was == begun || was == unread)
}

// follow is the hook by which net/http reports the states of a connection.
func follow(nc net.Conn, state http.ConnState) {
	c := ours(nc)
	if c == nil {
		return
	}
	switch state {
	case http.StateActive: // after the header has been read, or a read of it failed
		c.on(came)
	case http.StateIdle:
		c.on(rested)
		c.reads = 0
	}
}

// Read records the bytes it reads; see doubtful. With reads of one byte net/http
// watches, in another goroutine, whether the client closes; it ends them with a
// deadline.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if len(p) > 1 {
		c.reads++
		c.last = p[:n:len(p)]
		if err != nil {
			c.on(failed)
		}
	}
	return n, err
}

// hold keeps what is written, about so many bytes, until release. net/http writes header and
// body of an answer one after the other: each would be a call of the system, and a record of
// TLS.
func (c *conn) hold(size int64) { c.held = bytes.NewBuffer(make([]byte, 0, size+2<<10)) }

// release writes all that was held.
func (c *conn) release() error {
	held := c.held
	c.held = nil
	_, err := c.Conn.Write(held.Bytes())
	return err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if c.held != nil {
		return c.held.Write(p)
	}
	return c.Conn.Write(p)
}

// ReadFrom hands src on as it is, for sendfile. TLS has none; there, larger buffers than
// those of io.Copy gain nothing that can be measured, since each record has 16 KiB anyway.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	if c.held != nil {
		return c.held.ReadFrom(src)
	}
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, src)
}
