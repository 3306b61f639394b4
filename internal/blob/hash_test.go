package blob_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

// pieces is a store of one blob, which is read in pieces of its sizes, with the last error.
type pieces struct {
	text  string
	sizes int
	err   error
}

func (p *pieces) Open(context.Context, blob.Digest) (io.ReadSeekCloser, error) {
	return struct {
		io.Reader
		io.Seeker
		io.Closer
	}{p, nil, io.NopCloser(nil)}, nil
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b[:min(len(b), p.sizes)], p.text)
	if p.text = p.text[n:]; p.text == "" {
		return n, p.err
	}
	return n, nil
}

// Hash takes every byte, also those that come with the end, and tells an error and the end of ctx.
func TestHash(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("granary", 1000)
	for _, n := range []int{1, 7, 4096, 10_000} {
		found, size, err := blob.Hash(t.Context(), &pieces{text, n, io.EOF}, blob.Digest{}, make([]byte, 5000))
		if err != nil || size != int64(len(text)) || found != blobtest.Digest([]byte(text)) {
			t.Errorf("in pieces of %d: %s, %d, %v", n, found, size, err)
		}
	}
	broken := errors.New("the disk is broken")
	if _, _, err := blob.Hash(t.Context(), &pieces{text, 100, broken}, blob.Digest{}, make([]byte, 5000)); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if _, _, err := blob.Hash(ctx, &pieces{text, 100, io.EOF}, blob.Digest{}, make([]byte, 5000)); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}
