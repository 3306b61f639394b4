package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
)

// The memory of bodies with parameters. A body is read whole and copied once or twice
// on its way into records. Its sender decides how long that takes.
const (
	smallBody  = 16 << 10 // bytes: up to this size a body takes nothing from the budget and needs no login
	bodyCopies = 3        // of a body in memory until the request is answered
	bodyTime   = time.Minute

	maxTokens = 10 * maxParts // of a JSON body: an empty value has 1 byte there, and takes 40 here
)

// Limits of Server.Bodies.
const (
	BodiesMemory = 24 << 20 // of all requests with bodies above 16 KiB
	BodiesEach   = 8 << 20  // of the requests of one user
)

// hasBody reports whether the body may hold parameters.
func hasBody(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Body != nil && r.Body != http.NoBody
}

// takeBody limits a body before it is read: its length, its time, and the memory of
// all such bodies together. The caller calls free after the answer.
func (c *call) takeBody(most int64) (free func(), err error) {
	free = func() {}
	if !hasBody(c.r) {
		return free, nil
	}
	length := c.r.ContentLength
	if length < 0 || length > most {
		length = most // MaxBytesReader refuses more
	}
	if length > smallBody {
		if c.actor.Kind == access.Anonymous {
			return free, fault.Wrap(fault.Unauthenticated, "", fmt.Errorf("a body of more than %d bytes without a login", smallBody))
		}
		n, who := bodyCopies*length, c.key() // read now: Sudo may change the actor before free
		if err := c.reserve(c.s.Bodies, who, n, "too many large bodies are being sent; try again later"); err != nil {
			return free, err
		}
		free = func() { c.s.Bodies.Give(who, n) }
	}
	c.r.Body = &timedBody{http.MaxBytesReader(c.w, c.r.Body, most), time.Now().Add(bodyTime)}
	return free, nil
}

// timedBody ends a body that arrives too slowly, even if bytes keep coming.
type timedBody struct {
	io.ReadCloser
	until time.Time
}

// Read fails with os.ErrDeadlineExceeded after the deadline.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil && time.Now().After(b.until) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// decodeBody reads one JSON object. It returns nil for an empty body.
func decodeBody(body io.Reader) (map[string]any, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, bodyFault(err, "JSON")
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	if len(text) > smallBody {
		if err := checkTokens(text); err != nil {
			return nil, err
		}
	}
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil {
		return nil, bodyFault(err, "JSON object")
	}
	if rest := text[dec.InputOffset():]; len(bytes.TrimSpace(rest)) > 0 {
		return nil, fault.New(fault.Invalid, "the body is not one valid JSON object: there is text after it")
	}
	return object, nil
}

// checkTokens refuses a body with too many values, which take more memory than bytes.
func checkTokens(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	for range maxTokens {
		if _, err := dec.Token(); err != nil {
			return nil //nolint:nilerr // Decode reports what is wrong; the end of the body is not an error
		}
	}
	return fault.New(fault.Invalid, "the body has too many values (maximum is "+strconv.Itoa(maxTokens)+" with names and brackets)")
}
