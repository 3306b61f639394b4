package s3

import (
	"bytes"
	"io"
	"testing"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/s3/s3test"
)

// TestQuarantineKeepsTheBytes: the wrong bytes are in damaged/, also of a blob that is
// copied in parts.
func TestQuarantineKeepsTheBytes(t *testing.T) {
	s := open(t, config(s3test.Start(t), "aside"))
	s.copyStep = 6 << 20
	for _, size := range []int{6 << 20, 13 << 20} {
		d, wrong := blobtest.Digest(blobtest.Bytes(1, size)), blobtest.Bytes(2, size)
		up, err := s.Create(t.Context(), blob.Declared{Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := up.Write(wrong); err != nil {
			t.Fatal(err)
		}
		if err := up.Commit(d); err != nil {
			t.Fatal(err)
		}
		blobtest.SetAside(t, s, d)
		o, err := s.client.head(t.Context(), s.prefix+aside+d.String())
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{ctx: t.Context(), client: s.client, key: o.key, object: o}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, wrong) {
			t.Errorf("%d bytes, %v, want those that were set aside", len(got), err)
		}
		_ = r.Close()
	}
}
