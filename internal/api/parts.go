package api

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"granary/internal/registry"
)

// partsBuffer collects small parts, so that a packet holds many. Larger parts bypass it;
// the kernel sends those of a file (sendfile).
const partsBuffer = 32 << 10 // bytes

// sendParts answers 206 with several ranges as multipart/byteranges (RFC 9110
// 15.3.7.2). The body begins with an empty line, as in nginx and Apache: without it
// Debian's zsync does not find the end.
func sendParts(w http.ResponseWriter, changed time.Time, size int64, content io.ReadSeeker, ranges []registry.Range) {
	h := w.Header()
	boundary := rand.Text()
	between := "\r\n--" + boundary + "\r\nContent-Type: " + h.Get("Content-Type") + "\r\nContent-Range: bytes "
	end := "\r\n--" + boundary + "--\r\n"
	head := func(p registry.Range) string {
		return fmt.Sprintf("%s%d-%d/%d\r\n\r\n", between, p.Start, p.End-1, size)
	}
	length := int64(len(end))
	for _, p := range ranges {
		length += int64(len(head(p))) + p.End - p.Start
	}
	h.Set("Content-Type", "multipart/byteranges; boundary="+boundary)
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	h.Set("Accept-Ranges", "bytes")
	if !changed.IsZero() {
		h.Set("Last-Modified", changed.UTC().Format(http.TimeFormat))
	}
	w.WriteHeader(http.StatusPartialContent)
	b := bufio.NewWriterSize(w, partsBuffer)
	for _, p := range ranges {
		_, err := b.WriteString(head(p))
		if err == nil {
			_, err = content.Seek(p.Start, io.SeekStart)
		}
		if err == nil {
			_, err = io.CopyN(b, content, p.End-p.Start)
		}
		if err != nil {
			return // the answer is shorter than its Content-Length, so net/http cuts the connection
		}
	}
	_, _ = b.WriteString(end)
	_ = b.Flush() // a client that is gone needs no answer
}

// rangesCount reports whether a request's conditions let its ranges count, as
// ServeContent judges them. It sends nothing.
func rangesCount(w http.ResponseWriter, r *http.Request, changed time.Time, content io.ReadSeeker) bool {
	trial := &trial{header: maps.Clone(w.Header())}
	r = withRange(r, malformed)
	r.Method = http.MethodHead
	http.ServeContent(trial, r, "", changed, content)
	return trial.status == http.StatusRequestedRangeNotSatisfiable // and not 200, 304 or 412
}

// trial is a ResponseWriter that keeps only the headers and the status.
type trial struct {
	header http.Header
	status int
}

func (t *trial) Header() http.Header { return t.header }

func (t *trial) WriteHeader(status int) { t.status = status }

func (t *trial) Write(p []byte) (int, error) { return len(p), nil }
