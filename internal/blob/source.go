package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// source reads a body and is the only judge of it. Whatever error it returns
// is the last word: io.EOF for a body that is whole and within its limits, an
// ErrBody for any other end, the context's cause once the context has ended.
type source struct {
	body io.Reader
	l    Limits
	size int64 // bytes read so far
	end  error // set once the body has ended, well or badly; it stays so
}

// read reads once. The context is asked before every read, not only before
// every buffer, because a slow sender may take minutes to fill one.
func (s *source) read(ctx context.Context, p []byte) (int, error) {
	if s.end == nil && ctx.Err() != nil {
		s.end = context.Cause(ctx)
	}
	if s.end != nil {
		return 0, s.end
	}
	n, err := s.body.Read(p)
	s.size += int64(n)
	s.end = s.judge(err)
	return n, s.end
}

// fill reads until p is full or the body has ended. A full p with io.EOF is
// possible, and so is a full p without.
func (s *source) fill(ctx context.Context, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = s.read(ctx, p[n:])
		n += m
	}
	return n, err
}

// judge turns what the body's Read returned into what is true of the body.
func (s *source) judge(err error) error {
	switch {
	case s.l.MaxSize > 0 && s.size > s.l.MaxSize:
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, s.l.MaxSize)
	case s.l.Length >= 0 && s.size > s.l.Length:
		return fmt.Errorf("%w: more than the %d bytes declared", ErrBody, s.l.Length)
	case err == nil:
		return nil
	case err == io.EOF && (s.l.Length < 0 || s.size == s.l.Length):
		return io.EOF
	case (err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)) && s.l.Length >= 0:
		return fmt.Errorf("%w: %d bytes of the %d declared", ErrShort, s.size, s.l.Length)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: after %d bytes", ErrShort, s.size)
	default:
		return fmt.Errorf("%w: after %d bytes: %w", ErrBody, s.size, err)
	}
}
