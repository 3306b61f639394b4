package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"granary/internal/blob"
)

// reader reads one blob from a request that it makes at the first Read, after every
// Seek to an offset that the running request does not reach soon, and at the end of
// the request's bytes. It resumes a request that breaks off. All bytes are of the size
// and the version that head saw; else the result is an error.
type reader struct {
	ctx    context.Context
	client *client
	key    string
	object object

	at     int64         // of the next byte
	plan   []blob.Range  // what the requests to come will ask for, one each
	span   blob.Range    // what the last request was to ask for
	body   io.ReadCloser // up to the end of span; nil: none is open
	pos    int64         // of the body's next byte
	closed bool
}

const (
	resumes = 3 // in a row, without a byte between them

	// smallGap is what is rather asked of the store with the bytes before it than
	// left out by another request: in its time a store sends more than this.
	smallGap = 64 << 10

	// mostSpans is how many requests to read one download may cost.
	mostSpans = 16
)

// Plan implements blob.Planner.
func (r *reader) Plan(ranges []blob.Range) bool {
	var spans []blob.Range
	for _, next := range ranges {
		if last := len(spans) - 1; last >= 0 && near(spans[last].End, next.Start) {
			spans[last].End = next.End
			continue
		}
		if len(spans) == mostSpans {
			return false
		}
		spans = append(spans, next)
	}
	r.plan = spans
	return true
}

// near reports whether reading on from one place is the way to another.
func near(from, to int64) bool { return 0 <= to-from && to-from < smallGap }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, errors.New("s3: reading a closed blob")
	}
	left := r.object.size - r.at
	if left <= 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	p = p[:min(int64(len(p)), left)]
	for try := 0; ; try++ {
		n, err := r.read(p)
		if n > 0 {
			r.at += int64(n)
			return n, nil // an error with it comes again at the next Read, or is mended
		}
		r.drop()
		if err == io.EOF {
			err = fmt.Errorf("it ends after %d bytes of %d", r.at, r.object.size)
		}
		if try == resumes || r.ctx.Err() != nil || errors.Is(err, blob.ErrNotFound) || refusesCondition(err) {
			return 0, doing("reading "+r.key, err)
		}
		select {
		case <-time.After(100 * time.Millisecond << try):
		case <-r.ctx.Done():
		}
	}
}

func (r *reader) read(p []byte) (n int, err error) {
	if err := r.reach(); err != nil {
		return 0, err
	}
	p = p[:min(int64(len(p)), r.span.End-r.at)]
	for n == 0 && err == nil {
		n, err = r.body.Read(p)
	}
	r.pos += int64(n)
	if n > 0 && err != nil {
		r.drop()
	}
	return n, err
}

// reach moves the body to the offset of Seek: it reads the bytes between, or makes a
// new request.
func (r *reader) reach() (err error) {
	if r.body != nil && (r.at >= r.span.End || !near(r.pos, r.at)) {
		r.drop()
	}
	if r.body == nil {
		r.aim()
		if r.body, err = r.client.get(r.ctx, r.object, r.at, r.span.End); err != nil {
			r.body = nil
			return err
		}
		r.pos = r.at
	}
	if r.pos < r.at {
		var skipped int64
		skipped, err = io.CopyN(io.Discard, r.body, r.at-r.pos)
		r.pos += skipped
	}
	return err
}

// aim sets what is to be asked for: the next part of the plan if that begins
// here, else the rest of the part before, else all that is left of the blob.
func (r *reader) aim() {
	switch {
	case len(r.plan) > 0 && r.plan[0].Start == r.at:
		r.span, r.plan = r.plan[0], r.plan[1:]
	case r.at < r.span.Start || r.at >= r.span.End:
		r.span = blob.Range{Start: r.at, End: r.object.size}
	}
}

// Seek costs nothing; the next Read asks the store.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.object.size
	}
	if offset < 0 {
		return 0, errors.New("s3: seeking before the start of a blob")
	}
	r.at = offset
	return offset, nil
}

// Close ends the request.
func (r *reader) Close() error {
	r.drop()
	r.closed = true
	return nil
}

func (r *reader) drop() {
	if r.body != nil {
		_ = r.body.Close() // what was read is read
		r.body = nil
	}
}
