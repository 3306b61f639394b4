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
	quiet  = iota // nothing: a close may be abrupt
	begun         // a request has come and no handler has ended: net/http may refuse it by itself
	unread        // an answer is out, and its request's body has not been read to its end
)

// conn is a connection that knows what net/http does not tell: whether its
// client may still be sending when it is closed (linger.go), and how the header
// of the running request was framed.
type conn struct {
	net.Conn
	limits lingering
	state  atomic.Int32

	// Of the running request, for the goroutine that reads it.
	reads int    // since the request before; the body's among them
	last  []byte // what the last one read, in the memory of net/http, with all the room that it had
}

type connKey struct{}

// connOf is nil outside of a Server.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// conns is a listener of conns.
type conns struct {
	net.Listener
	limits lingering
}

func (l conns) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, limits: l.limits}, nil
}

func inContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// follow is told by net/http what becomes of a connection.
func follow(nc net.Conn, state http.ConnState) {
	c := nc.(*conn)
	switch state {
	case http.StateActive: // after the header has been read
		c.state.Store(begun)
	case http.StateIdle:
		c.state.Store(quiet)
		c.reads = 0
	}
}

// Read takes note of what it reads; see doubtful. Reads of one byte are those
// by which net/http watches, in another goroutine, for the client's leaving. A
// client that has left or stalled is not waited for, unless its request is
// answered all the same.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if len(p) > 1 {
		c.reads++
		c.last = p[:n:len(p)]
	}
	if err != nil {
		c.state.Store(quiet)
	}
	return n, err
}

// ReadFrom hands src on as it is, for sendfile.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, src)
}

// headerRoom is the size of the buffer in which net/http reads a header. A read
// with less room continues a line that lies there already. One with all of it
// may follow whole lines, which are no longer there.
const headerRoom = 4096

// doubtful says whether the request's length can be read in two ways, so that
// the connection must end after the answer (RFC 9112, 6.1): a Transfer-Encoding
// beside a Content-Length, or in HTTP/1.0. net/http obeys the one, drops the
// other and does not tell. So the bytes of the header are searched, where they
// came in one read, the request line first, and still lie in its buffer; where
// they did not, the request is taken for doubtful. Only requests in chunks and kept connections of
// HTTP/1.0 pay for this. It must be asked before anything is read of the body.
func (c *conn) doubtful(r *http.Request) bool {
	var beside []byte
	switch {
	case c == nil || r.Close:
		return false
	case len(r.TransferEncoding) > 0:
		beside = []byte("content-length")
	case !r.ProtoAtLeast(1, 1):
		beside = []byte("transfer-encoding")
	default:
		return false
	}
	whole := c.reads == 1 && cap(c.last) == headerRoom &&
		bytes.HasPrefix(c.last, []byte(r.Method+" "+r.RequestURI+" "))
	return !whole || bytes.Contains(bytes.ToLower(c.last), beside)
}
