package httpd

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"granary/internal/trace"
)

// exchange is one request and its answer: what the log and the metrics want to
// know, and the ResponseWriter that handlers see.
type exchange struct {
	http.ResponseWriter
	start  time.Time
	id     string
	trace  trace.Context // a span of ours; the zero value if the client sent no trace
	client netip.Addr
	body   *guardedBody // nil if the request has none
	conn   *conn        // nil outside of a Server, and for HTTP/2
	stream *stream      // nil but for HTTP/2

	doubtful bool // its length: the connection ends with this answer

	status int   // 0 until a header is written
	sent   int64 // bytes of the answer's body

	panicked any
	stack    []byte

	mu  sync.Mutex
	err error
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// RequestID is the id of the request that ctx belongs to, "" outside of one.
func RequestID(ctx context.Context) string {
	if x := exchangeOf(ctx); x != nil {
		return x.id
	}
	return ""
}

// ClientIP is the address of the client behind ctx's request: the peer's, or
// what trusted proxies say of it. Outside of a request it is not valid.
func ClientIP(ctx context.Context) netip.Addr {
	if x := exchangeOf(ctx); x != nil {
		return x.client
	}
	return netip.Addr{}
}

// Note gives the request's log line the error that explains its status; the
// last one stays. It never reaches the client. Outside of a request it does
// nothing.
func Note(ctx context.Context, err error) {
	if x := exchangeOf(ctx); x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.err = err
	}
}

func (x *exchange) noted() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// WriteHeader remembers the first final status. 1xx may precede it.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		x.status = status
		x.settle()
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	x.implicitOK()
	to := io.Writer(x.ResponseWriter)
	if x.stream != nil {
		to = x.stream
	}
	n, err := to.Write(p)
	x.sent += int64(n)
	return n, err
}

// ReadFrom hands src on as it is, so that a file reaches the connection as a
// file and the kernel sends it (sendfile). Without it a download costs twice
// the CPU.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	x.implicitOK()
	var n int64
	var err error
	if rf, ok := x.ResponseWriter.(io.ReaderFrom); ok {
		n, err = x.readFrom(rf, src)
	} else if x.stream != nil {
		n, err = io.Copy(x.stream, src)
	} else {
		n, err = io.Copy(struct{ io.Writer }{x.ResponseWriter}, src)
	}
	x.sent += n
	return n, err
}

// smallAnswer has so many bytes at most, and leaves in one write with its header.
const smallAnswer = 16 << 10

func (x *exchange) readFrom(to io.ReaderFrom, src io.Reader) (int64, error) {
	limited, ok := src.(*io.LimitedReader)
	if !ok || x.conn == nil || limited.N > smallAnswer {
		return to.ReadFrom(src)
	}
	x.conn.hold(limited.N)
	n, err := to.ReadFrom(src)
	if sendErr := x.conn.release(); err == nil {
		err = sendErr
	}
	return n, err
}

// FlushError is http.Flusher for http.ResponseController: flushing sends the
// header, so the status is settled.
func (x *exchange) FlushError() error {
	x.implicitOK()
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// Flush is http.Flusher, for code that asks for it by type.
func (x *exchange) Flush() { _ = x.FlushError() }

// SetWriteDeadline is http.ResponseController's. Over HTTP/2 it holds for the next write.
func (x *exchange) SetWriteDeadline(at time.Time) error {
	if x.stream != nil {
		x.stream.deadline(at)
		return nil
	}
	return http.NewResponseController(x.ResponseWriter).SetWriteDeadline(at)
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *exchange) implicitOK() {
	if x.status == 0 {
		x.status = http.StatusOK
		x.settle()
	}
}
