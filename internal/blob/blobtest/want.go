package blobtest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"granary/internal/blob"
)

// upload begins one and writes data; it is aborted at the end of the test.
func upload(t *testing.T, s blob.Store, data []byte) blob.Upload {
	t.Helper()
	up, err := s.Create(t.Context(), blob.Declared{Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = up.Abort() })
	write(t, up, data)
	return up
}

func write(t *testing.T, up blob.Upload, data []byte) {
	t.Helper()
	if n, err := up.Write(data); err != nil || n != len(data) {
		t.Fatalf("Write = %d, %v, want %d", n, err, len(data))
	}
}

func wantBlob(t *testing.T, s blob.Store, data []byte) {
	t.Helper()
	if n, err := s.Stat(t.Context(), Digest(data)); err != nil || n != int64(len(data)) {
		t.Errorf("Stat = %d, %v, want %d", n, err, len(data))
	}
	got, err := Read(t.Context(), s, Digest(data))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes, %v, want those %d that were written", len(got), err, len(data))
	}
}

func wantAbsent(t *testing.T, s blob.Store, d blob.Digest) {
	t.Helper()
	if n, err := s.Stat(t.Context(), d); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Stat = %d, %v, want %v", n, err, blob.ErrNotFound)
	}
	r, err := s.Open(t.Context(), d)
	if err == nil {
		_ = r.Close()
	}
	if !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Open: %v, want %v", err, blob.ErrNotFound)
	}
}

// wantList checks that exactly these blobs are listed, each of them once.
func wantList(t *testing.T, s blob.Store, blobs ...[]byte) {
	t.Helper()
	want, got := map[string]int64{}, map[string]int64{}
	for _, b := range blobs {
		want[Digest(b).String()] = int64(len(b))
	}
	for info, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if _, twice := got[info.Digest.String()]; twice {
			t.Errorf("%s is listed twice", info.Digest)
		}
		got[info.Digest.String()] = info.Size
		if age := time.Since(info.Changed); age < -5*time.Second || age > 5*time.Minute { // their clock may not be ours
			t.Errorf("%s was written %v ago", info.Digest, age)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}
