package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/throttle"
)

// The memory of answers (design note 015). A row from the database has at most
// page.Large bytes, except for a release, whose parts are written separately. It is up
// to six times as long in JSON. page.Step bytes are read at a time. Together with what
// waits to be written this is at most stepMemory.
const (
	stepMemory   = 1 << 20   // what an answer in steps takes from the budget
	smallAnswer  = 64 << 10  // an answer up to this size takes nothing from the budget
	flushAt      = 192 << 10 // bytes of JSON that are collected before they are written
	flushTextAt  = 16 << 10  // the same, next to a part of a long text
	textPiece    = 4 << 10   // bytes of such a text that are encoded at a time
	writtenPiece = 64 << 10  // bytes that a client must take within its patience
	unwatched    = 4 << 10   // bytes of an answer without a write deadline: net/http buffers it until the handler ends
)

// How long a request waits for memory, and a write for its client.
const (
	defaultWait     = 10 * time.Second
	defaultPatience = 10 * time.Second
)

// Limits of Server.Answers.
const (
	AnswersMemory = 32 << 20 // of all answers that are larger than 64 KiB
	AnswersEach   = 4 << 20  // of the answers to one user, deploy token or anonymous address
)

// answerWriter writes one answer, at once if it is short, otherwise in steps. It is JSON
// unless headers says otherwise. It holds no database connection while it waits for the
// client.
type answerWriter struct {
	c       *call
	status  int
	head    func()            // sets more headers, just before the first write; nil for none
	headers func(http.Header) // sets the headers of the type
	buf     bytes.Buffer
	enc     *json.Encoder // into buf
	begun   bool          // the header is written
	done    bool          // the deed is done: reserve no more memory, since that could be refused
	held    int64
}

// begin starts an answer whose rows take about size bytes. It waits for the memory of
// one step. The caller must call free at the end.
func (c *call) begin(status int, size int64) (*answerWriter, error) {
	a := &answerWriter{c: c, status: status, headers: jsonHeaders}
	a.enc = newEncoder(&a.buf)
	if size <= smallAnswer {
		return a, nil
	}
	return a, a.take(stepMemory)
}

// take reserves memory. It waits at most AnswerWait, and then fails with Unavailable.
func (a *answerWriter) take(n int64) error {
	err := a.c.reserve(a.c.s.Answers, a.c.key(), n, "too many large answers are being sent; try again later, or ask for fewer rows with per_page")
	if err == nil {
		a.held = n
	}
	return err
}

// reserve takes n bytes of a budget, or waits for them, at most AnswerWait. If there are
// none by then it is Unavailable, for the reason given.
func (c *call) reserve(b *throttle.Budget, who throttle.Key, n int64, why string) error {
	ctx, cancel := context.WithTimeout(c.r.Context(), cmp.Or(c.s.AnswerWait, defaultWait))
	defer cancel()
	if err := b.Take(ctx, who, n); err != nil {
		return fault.Wrap(fault.Unavailable, why, err)
	}
	return nil
}

// cover reserves memory for an answer that turned out larger than begin was told.
func (a *answerWriter) cover(n int64) error {
	if a.held > 0 || a.done {
		return nil
	}
	return a.take(n)
}

// free gives back all memory.
func (a *answerWriter) free() { a.keep(0) }

// keep gives back all but n bytes.
func (a *answerWriter) keep(n int64) {
	if n < a.held {
		a.c.s.Answers.Give(a.c.key(), a.held-n)
		a.held = n
	}
}

// empty reports whether nothing was added yet.
func (a *answerWriter) empty() bool { return !a.begun && a.buf.Len() == 0 }

// raw adds JSON as it is.
func (a *answerWriter) raw(text string) { a.buf.WriteString(text) }

// value adds a value as JSON, and writes if enough is collected.
func (a *answerWriter) value(v any) error {
	if err := a.enc.Encode(v); err != nil {
		return err
	}
	a.buf.Truncate(a.buf.Len() - 1) // the line break
	return a.flush(flushAt)
}

// errHeadDone ends an answer to HEAD that is too long to be made just for its length.
var errHeadDone = errors.New("the header is all of the answer")

// flush writes what was collected if it has at least so many bytes.
func (a *answerWriter) flush(atLeast int) error {
	if a.buf.Len() < atLeast {
		return nil
	}
	if a.c.r.Method == http.MethodHead {
		a.buf.Reset()
		return errors.Join(a.write(), errHeadDone)
	}
	if err := a.cover(stepMemory); err != nil {
		return err
	}
	return a.write()
}

// write writes what was collected.
func (a *answerWriter) write() error {
	if !a.begun {
		a.begun = true
		if a.head != nil {
			a.head()
		}
		a.headers(a.c.w.Header())
		a.c.w.WriteHeader(a.status)
	}
	if a.c.s.stepped != nil {
		a.c.s.stepped(a.buf.Len())
	}
	err := a.c.s.deliver(a.c.w, a.buf.Bytes())
	a.buf.Reset()
	return err
}

// end writes the rest. If nothing was written before, it sets Content-Length.
func (a *answerWriter) end() error {
	n := a.buf.Len()
	if a.begun {
		return a.write()
	}
	if n <= smallAnswer {
		a.free()
	} else if err := a.cover(int64(min(n, stepMemory))); err != nil {
		return err
	}
	a.keep(int64(n))
	a.c.w.Header()["Content-Length"] = []string{strconv.Itoa(n)}
	return a.write()
}

// run lets f write the answer, and ends it. An error after the header was written cuts
// the connection: the client must not take a part for the whole.
func (a *answerWriter) run(f func() error) error {
	defer a.free()
	err := f()
	switch {
	case errors.Is(err, errHeadDone):
		return nil
	case err == nil:
		err = a.end()
	}
	if err != nil && a.begun {
		a.c.s.Note(a.c.r.Context(), err)
		panic(http.ErrAbortHandler)
	}
	return err
}

// key says whose share of the memory an answer takes. Requests are counted by the same key.
func (c *call) key() throttle.Key { return auth.KeyOf(c.actor, c.s.from(c.r)) }

// newEncoder writes values as GitLab does, without escapes for HTML. A line break
// follows each value.
func newEncoder(to *bytes.Buffer) *json.Encoder {
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	return enc
}

// encodeJSON adds a value, without a line break.
func encodeJSON(to *bytes.Buffer, v any) error {
	if err := newEncoder(to).Encode(v); err != nil {
		return err
	}
	to.Truncate(to.Len() - 1) // the line break
	return nil
}

// deliver writes a body piece by piece. If the client reads nothing of a piece within
// AnswerPatience, the connection is cut with os.ErrDeadlineExceeded. net/http resets the
// deadline before the connection's next request.
func (s *Server) deliver(w http.ResponseWriter, body []byte) error {
	watched := len(body) > unwatched
	for len(body) > 0 {
		if watched {
			// Only the command line of the server's machine, which has no connection, refuses it.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(cmp.Or(s.AnswerPatience, defaultPatience)))
		}
		n := min(len(body), writtenPiece)
		if _, err := w.Write(body[:n]); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = fault.Wrap(fault.Timeout, "the client stopped reading its answer", err)
			}
			return err
		}
		body = body[n:]
	}
	return nil
}

func jsonHeaders(h http.Header) {
	safeHeaders(h)
	h["Content-Type"] = []string{"application/json"}
	h["Cache-Control"] = []string{"max-age=0, private, must-revalidate"}
}
