package httpd

import (
	"bytes"
	"net/http"
)

// headerRoom is the size of the buffer in which net/http reads a header. A read
// with less room continues a line that lies there already. One with all of it
// may follow whole lines, which are no longer there.
const headerRoom = 4096

// doubtful says whether the request's length can be read in two ways, so that
// the connection must end after the answer (RFC 9112, 6.1): a Transfer-Encoding
// beside a Content-Length, or in HTTP/1.0. net/http obeys the one, drops the
// other and does not tell.
//
// So the bytes of the header are searched. They are all there if they came in one
// read, which begins with the request line and still lies in its buffer. If they
// are not, the request is taken for doubtful. Only requests in chunks and kept
// connections of HTTP/1.0 pay for this. It must be asked before anything is read
// of the body.
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
