package httpd

import (
	"bytes"
	"net/http"
)

// headerRoom is the size of the buffer in which net/http reads a header. A read into
// less room continues a line that is in the buffer already. A read into all of it may
// follow whole lines that are no longer in the buffer.
const headerRoom = 4096

// doubtful says whether the request's length can be read in two ways, so that
// the connection must end after the answer (RFC 9112, 6.1): a Transfer-Encoding
// with a Content-Length, or in HTTP/1.0. net/http obeys the first, drops the
// second and does not report it.
//
// So doubtful searches the bytes of the header. They are complete if they came in one
// read that begins with the request line and is still in the buffer; if not, the
// request counts as doubtful. Only chunked requests and kept connections of HTTP/1.0
// pay for this. Call it before the body is read.
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
