package cli

import (
	"context"
	"fmt"
	"io"
	"os"
)

// orInterrupted does what may wait for ever, such as to open a FIFO or to read from a
// terminal, and comes back when ctx ends. What waits then ends with the program.
func orInterrupted[T any](ctx context.Context, wait func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := wait()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// readSmall reads a file of settings. It may stream: a shell makes a FIFO of <(...).
func readSmall(ctx context.Context, path string) ([]byte, error) {
	const most = 16 << 20 // bytes; all authorities of the web come to less than one MiB
	return orInterrupted(ctx, func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAtMost(f, path, most)
	})
}

// readAtMost reads all of a file, which must not have more than most bytes.
func readAtMost(f io.Reader, path string, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return text, err
}

// openInput opens a list, which may stream. - is standard input.
func openInput(env Env, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(env.Stdin), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, usageError{err}
	}
	return f, nil
}

// openRegular opens a regular file, and never waits as for a pipe.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, usagef("%s is not a regular file", path)
	}
	return os.Open(path)
}
