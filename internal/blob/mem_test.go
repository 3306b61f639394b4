package blob_test

import (
	"bytes"
	"context"

	"granary/internal/blob"
)

// memStore takes one upload and keeps its bytes in sight.
type memStore struct {
	blob.Store // nil: nothing else is asked for
	up         *memUpload
}

func (s *memStore) Create(context.Context, blob.Declared) (blob.Upload, error) {
	s.up = &memUpload{}
	return s.up, nil
}

type memUpload struct {
	bytes.Buffer
	aborted bool
}

func (u *memUpload) Commit(blob.Digest) error { return nil }

func (u *memUpload) Abort() error {
	u.aborted = true
	return nil
}
