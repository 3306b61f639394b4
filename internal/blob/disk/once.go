package disk

import (
	"context"
	"io"
	"os"

	"granary/internal/blob"
)

// OpenOnce is Open of a file whose pages the kernel forgets when it is closed.
func (s *Store) OpenOnce(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, error) {
	r, err := s.Open(ctx, d)
	if f, ok := r.(*os.File); ok {
		return readOnce{f}, nil
	}
	return r, err
}

type readOnce struct{ *os.File }

func (f readOnce) Close() error {
	dropCached(f.File)
	return f.File.Close()
}
