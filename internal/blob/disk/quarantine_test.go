package disk

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"granary/internal/blob/blobtest"
)

// TestQuarantineKeepsTheBytes: the wrong bytes are in damaged/, for who wants to look.
func TestQuarantineKeepsTheBytes(t *testing.T) {
	s := open(t, t.TempDir())
	data := blobtest.Bytes(1, 1000)
	d := blobtest.Digest(data)
	blobtest.Put(t, s, data)
	data[500] ^= 1
	if err := os.WriteFile(s.path(d), data, 0o600); err != nil {
		t.Fatal(err)
	}
	blobtest.SetAside(t, s, d)
	if got, err := os.ReadFile(filepath.Join(s.dir, damaged, d.String())); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v, want those that were set aside", len(got), err)
	}
}
