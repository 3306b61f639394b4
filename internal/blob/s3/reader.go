package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"granary/internal/blob"
)

// reader reads one blob from a request that it makes at the first Read and
// after every Seek elsewhere. A request that breaks off is made again from
// where it broke; what is read is of the size and the version that head saw, or
// an error.
type reader struct {
	ctx    context.Context
	client *client
	key    string
	object object

	at     int64         // of the next byte
	body   io.ReadCloser // from at; nil: none is open
	closed bool
}

const resumes = 3 // in a row, without a byte between them

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
			return n, nil // an error beside it comes again, or is mended
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
	if r.body == nil {
		if r.body, err = r.client.get(r.ctx, r.object, r.at); err != nil {
			r.body = nil
			return 0, err
		}
	}
	for n == 0 && err == nil {
		n, err = r.body.Read(p)
	}
	if n > 0 && err != nil {
		r.drop()
	}
	return n, err
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
	if offset != r.at {
		r.drop()
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
