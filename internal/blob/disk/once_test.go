package disk

import (
	"errors"
	"io"
	"testing"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

func TestOpenOnce(t *testing.T) {
	s := open(t, t.TempDir())
	data := blobtest.Bytes(1, 300_000)
	if r, err := blob.OpenOnce(t.Context(), s, blobtest.Digest(data)); r != nil || !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("%v, %v, want %v", r, err, blob.ErrNotFound)
	}
	blobtest.Put(t, s, data)
	r, err := blob.OpenOnce(t.Context(), s, blobtest.Digest(data))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil || string(got) != string(data) {
		t.Errorf("read %d bytes, %v, want all %d", len(got), err, len(data))
	}
	if err := r.Close(); err == nil {
		t.Error("closed twice")
	}
}
