package httpd

import (
	"cmp"
	"time"
)

// lingering bounds how long a connection is read on after its last answer.
//
// A system answers unread bytes with a reset, and the reset overtakes the answer: a
// client that is still sending its 60 MB, or the proxy in front, would see a broken
// connection in place of our 401. So the server closes its side first, and drops what
// the client sends until the client closes its own (RFC 9112, 9.6). The numbers are
// those of nginx.
type lingering struct {
	idle   time.Duration   // without a byte
	time   time.Duration   // in all
	bytes  int64           // in all
	ending <-chan struct{} // the server ends, and with it all waiting
}

func lingeringOf(o Options, ending <-chan struct{}) lingering {
	return lingering{
		idle:   cmp.Or(o.LingerIdle, lingerIdle),
		time:   cmp.Or(o.LingerTime, lingerTime),
		bytes:  cmp.Or(o.LingerBytes, lingerBytes),
		ending: ending,
	}
}

const (
	lingerIdle  = 5 * time.Second
	lingerTime  = 30 * time.Second
	lingerBytes = 1 << 30
)

// halfCloser is a connection that can close its writing side and still be read.
type halfCloser interface{ CloseWrite() error }

// Close lingers if the client may still be sending.
func (c *conn) Close() error {
	c.spoke()
	if c.on(closed) {
		c.linger()
	}
	return c.Conn.Close()
}

// CloseWrite is called by net/http, half a second before Close, if it knows of an
// unread body.
func (c *conn) CloseWrite() error {
	if c.on(closed) {
		c.linger()
		return nil
	}
	if h, ok := c.Conn.(halfCloser); ok {
		return h.CloseWrite()
	}
	return nil
}

// linger sends the written bytes and closes the writing side, then reads and drops.
// Its buffer is no larger than those that net/http has freed by now.
func (c *conn) linger() {
	h, ok := c.Conn.(halfCloser)
	if !ok || h.CloseWrite() != nil {
		return
	}
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-c.limits.ending:
			_ = c.SetReadDeadline(time.Unix(1, 0))
		case <-over:
		}
	}()
	buffer := make([]byte, 4<<10)
	end := time.Now().Add(c.limits.time)
	for left := c.limits.bytes; left > 0; {
		next := time.Now().Add(c.limits.idle)
		if next.After(end) {
			next = end
		}
		if c.SetReadDeadline(next) != nil || isDone(c.limits.ending) {
			return
		}
		n, err := c.Conn.Read(buffer)
		if err != nil {
			return
		}
		left -= int64(n)
	}
}

func isDone(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// settle is called before the header of the answer leaves.
//
// On a connection that stays open, net/http reads the rest of the body first, up to
// 256 KiB, and answers then. A refusal must not wait for that: settle drops what is
// about to arrive, and if that was not all, the connection ends with this answer.
// Other answers give the rest little time.
func (x *exchange) settle() {
	ends := x.doubtful
	switch {
	case x.conn == nil || x.body == nil:
	case x.status >= 400:
		ends = !x.body.drop() || ends
	case !x.body.ended:
		x.body.hurry(x.conn.limits.idle)
	}
	if ends {
		x.Header()["Connection"] = []string{"close"}
	}
}

// leave records on the connection whether the client may still be sending.
func (x *exchange) leave(aborted bool) {
	switch {
	case x.conn == nil:
	case aborted || x.body == nil || x.body.whole:
		x.conn.on(answered)
	default:
		x.conn.on(refused)
	}
}
