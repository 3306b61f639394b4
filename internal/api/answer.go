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

	"granary/internal/fault"
	"granary/internal/throttle"
)

// The memory of answers (design note 015). A row that is read is at most
// page.Large, but for a release, whose parts are written by themselves, and is
// up to six times as long in JSON; page.Step is read at a time. Together with
// what waits to be written this is at most stepMemory.
const (
	stepMemory   = 1 << 20   // what an answer in steps takes from the budget
	smallAnswer  = 64 << 10  // up to here an answer takes nothing from it
	flushAt      = 192 << 10 // bytes of JSON that are gathered before they are written
	flushTextAt  = 16 << 10  // the same beside a part of a long text
	textPiece    = 4 << 10   // bytes of such a text that are encoded at a time
	writtenPiece = 64 << 10  // bytes that a client must take within its patience
	unwatched    = 4 << 10   // an answer so short is left to net/http, which keeps it until the handler ends
)

// How long a request waits for memory, and a write for its client.
const (
	defaultWait     = 10 * time.Second
	defaultPatience = 10 * time.Second
)

// Limits of Server.Answers.
const (
	AnswersMemory = 32 << 20 // of all answers that are larger than 64 KiB
	AnswersEach   = 4 << 20  // of those to one user, deploy token or anonymous address
)

// answerWriter writes one answer, JSON where headers do not say otherwise, at once
// where it is short and else in steps. While it waits for the client it holds no connection of the database.
type answerWriter struct {
	c       *call
	status  int
	head    func()            // sets headers of its own; nil for none
	headers func(http.Header) // of such an answer
	buf     bytes.Buffer
	enc     *json.Encoder // into buf
	begun   bool          // the header is out
	done    bool          // the deed is: the answer takes no more memory, which might be refused
	held    int64
}

// begin begins an answer whose rows take about size bytes. It waits until there
// is memory for a step of them. The caller must call free at the end.
func (c *call) begin(status int, size int64) (*answerWriter, error) {
	a := &answerWriter{c: c, status: status, headers: jsonHeaders}
	a.enc = newEncoder(&a.buf)
	if size <= smallAnswer {
		return a, nil
	}
	return a, a.take(stepMemory)
}

// take reserves memory, waiting for it no longer than a client would.
func (a *answerWriter) take(n int64) error {
	s := a.c.s
	ctx, cancel := context.WithTimeout(a.c.r.Context(), cmp.Or(s.AnswerWait, defaultWait))
	defer cancel()
	if err := s.Answers.Take(ctx, a.c.key(), n); err != nil {
		return fault.Wrap(fault.Unavailable, "too many large answers are being read; try again later, or ask for fewer rows with per_page", err)
	}
	a.held = n
	return nil
}

// cover takes memory that was not thought to be needed.
func (a *answerWriter) cover(n int64) error {
	if a.held > 0 || a.done {
		return nil
	}
	return a.take(n)
}

// free gives back what is held.
func (a *answerWriter) free() { a.keep(0) }

// keep gives back all but n bytes.
func (a *answerWriter) keep(n int64) {
	if n < a.held {
		a.c.s.Answers.Give(a.c.key(), a.held-n)
		a.held = n
	}
}

// empty reports whether nothing was added.
func (a *answerWriter) empty() bool { return !a.begun && a.buf.Len() == 0 }

// raw adds JSON as it is.
func (a *answerWriter) raw(text string) { a.buf.WriteString(text) }

// value adds a value, and writes what was gathered where that is enough.
func (a *answerWriter) value(v any) error {
	if err := a.enc.Encode(v); err != nil {
		return err
	}
	a.buf.Truncate(a.buf.Len() - 1) // the line break
	return a.flush(flushAt)
}

// errHeadDone ends an answer to HEAD that is too long to be made only for its
// length.
var errHeadDone = errors.New("the header is all of the answer")

// flush writes what was gathered, if it is at least so much.
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

// write writes what was gathered.
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

// end writes the rest. An answer that is whole by now has its length told.
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

// run has f write the answer and ends it. An error that comes once the header is
// out cuts the connection: what there is must not pass for the whole.
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

// key is whose part of the memory an answer takes: as requests are counted.
func (c *call) key() throttle.Key { return key(c.actor, c.s.from(c.r)) }

// newEncoder writes values as GitLab does, without HTML's escapes, and a line break
// behind each.
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

// deliver writes a body piece by piece. A client that takes none of one within
// its patience is cut off, with the error os.ErrDeadlineExceeded. net/http takes
// the deadline away before the connection's next request.
func (s *Server) deliver(w http.ResponseWriter, body []byte) error {
	watched := len(body) > unwatched
	for len(body) > 0 {
		if watched {
			// Only what is no connection refuses: the command line of the server's machine.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(cmp.Or(s.AnswerPatience, defaultPatience)))
		}
		n := min(len(body), writtenPiece)
		if _, err := w.Write(body[:n]); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = fault.Wrap(fault.Timeout, "the client took nothing of its answer", err)
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
