package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
)

// stored is a disk store with blobs of these sizes, and their bytes.
func stored(t *testing.T, sizes ...int) (dir string, s *disk.Store, bodies [][]byte) {
	t.Helper()
	dir = t.TempDir()
	s, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range sizes {
		bodies = append(bodies, blobtest.Bytes(uint64(i+1), size))
		blobtest.Put(t, s, bodies[i])
	}
	return dir, s, bodies
}

func wantBlobs(t *testing.T, s blob.Store, bodies [][]byte) {
	t.Helper()
	for _, body := range bodies {
		got, err := blobtest.Read(t.Context(), s, blobtest.Digest(body))
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("read %d bytes, %v, want all %d", len(got), err, len(body))
		}
	}
}

func TestCopy(t *testing.T) {
	_, from, bodies := stored(t, 0, 1, 70_000, 3<<20)
	to := openDisk(t)
	blobtest.Put(t, to, bodies[2])

	var last blob.Copied
	got, err := blob.Copy(t.Context(), to, from, blob.CopyOptions{Report: func(c blob.Copied) { last = c }})
	want := blob.Copied{Blobs: 3, Bytes: 3<<20 + 1, Present: 1}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, got + want -:\n%s", err, diff)
	}
	if diff := cmp.Diff(got, last); diff != "" {
		t.Errorf("the last report is another:\n%s", diff)
	}
	wantBlobs(t, to, bodies)

	got, err = blob.Copy(t.Context(), to, from, blob.CopyOptions{})
	if diff := cmp.Diff(blob.Copied{Present: 4}, got); err != nil || diff != "" {
		t.Errorf("again: %v\n%s", err, diff)
	}
}

// A Copy that fails at any step leaves nothing half, and the next one ends it.
func TestCopyUnderFaults(t *testing.T) {
	_, from, bodies := stored(t, 2<<20)
	for n := 1; ; n++ {
		inner := openDisk(t)
		to := blobtest.NewFaulty(inner)
		to.Fail(blobtest.Fault{Nth: n})
		_, err := blob.Copy(t.Context(), to, from, blob.CopyOptions{})
		if to.Failed() != errors.Is(err, blobtest.ErrFault) {
			t.Errorf("step %d: failed is %v, the error %v", n, to.Failed(), err)
		}
		if !to.Failed() {
			if n < 7 { // stat, create, four writes, commit
				t.Errorf("there were only %d steps", n-1)
			}
			break
		}
		wantWholeOrNothing(t, inner, bodies[0])
		if _, err := blob.Copy(t.Context(), inner, from, blob.CopyOptions{}); err != nil {
			t.Errorf("step %d, again: %v", n, err)
		}
		wantBlobs(t, inner, bodies)
	}
}

// What is damaged in the source is told and not copied; what is damaged in the
// target is found where asked for.
func TestCopyFindsDamage(t *testing.T) {
	dir, from, bodies := stored(t, 1000, 2000, 3000)
	damage := func(dir string, body []byte, size int) {
		t.Helper()
		d := blobtest.Digest(body).String()
		if err := os.WriteFile(filepath.Join(dir, d[:2], d), blobtest.Bytes(99, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damage(dir, bodies[0], 1000)
	toDir, to, _ := stored(t)
	got, err := blob.Copy(t.Context(), to, from, blob.CopyOptions{})
	want := blob.Copied{Blobs: 2, Bytes: 5000, Damaged: []blob.Digest{blobtest.Digest(bodies[0])}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, got + want -:\n%s", err, diff)
	}
	if _, err := to.Stat(t.Context(), blobtest.Digest(bodies[0])); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the damaged blob was copied: %v", err)
	}

	damage(toDir, bodies[1], 2000) // only its bytes tell
	damage(toDir, bodies[2], 2999)
	for _, c := range []struct {
		verify  bool
		blobs   int64
		present int64
	}{{false, 1, 1}, {true, 1, 1}, {true, 0, 2}} {
		got, err := blob.Copy(t.Context(), to, from, blob.CopyOptions{Verify: c.verify})
		if err != nil || got.Blobs != c.blobs || got.Present != c.present {
			t.Errorf("verify %v: %+v, %v, want %+v", c.verify, got, err, c)
		}
	}
	wantBlobs(t, to, bodies[1:])
}

// failingReads is a store in which one blob can be opened or read no more until it is written again.
type failingReads struct {
	blob.Store
	d       blob.Digest
	opening bool // it cannot even be opened
	failed  atomic.Bool
}

type failingBody struct{ io.ReadSeekCloser }

func (failingBody) Read([]byte) (int, error) { return 0, syscall.EIO }

func (s *failingReads) Open(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, error) {
	body, err := s.Store.Open(ctx, d)
	if err != nil || d != s.d || s.failed.Swap(true) {
		return body, err
	}
	if s.opening {
		return nil, errors.Join(syscall.EIO, body.Close())
	}
	return failingBody{body}, nil
}

// What the target cannot read is copied again, and stays if the source's is wrong.
func TestCopyOfWhatTheTargetCannotRead(t *testing.T) {
	for _, opening := range []bool{false, true} {
		dir, from, bodies := stored(t, 1000, 2000)
		_, to, _ := stored(t, 1000, 2000)
		d := blobtest.Digest(bodies[1])
		reading := func() blob.Store { return &failingReads{Store: to, d: d, opening: opening} }
		got, err := blob.Copy(t.Context(), reading(), from, blob.CopyOptions{Verify: true})
		if diff := cmp.Diff(blob.Copied{Blobs: 1, Bytes: 2000, Replaced: 1, Present: 1}, got); err != nil || diff != "" {
			t.Errorf("%v, got + want -:\n%s", err, diff)
		}
		if err := os.WriteFile(filepath.Join(dir, d.String()[:2], d.String()), blobtest.Bytes(99, 2000), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err = blob.Copy(t.Context(), reading(), from, blob.CopyOptions{Verify: true})
		if diff := cmp.Diff(blob.Copied{Present: 1, Damaged: []blob.Digest{d}}, got); err != nil || diff != "" {
			t.Errorf("from a wrong one: %v, got + want -:\n%s", err, diff)
		}
		wantBlobs(t, to, bodies)
	}
}

func TestCopyIsBrokenOff(t *testing.T) {
	_, from, _ := stored(t, 1000, 2000, 3000, 4000, 5000, 6000)
	ctx, stop := context.WithCancel(t.Context())
	_, err := blob.Copy(ctx, openDisk(t), from, blob.CopyOptions{Report: func(blob.Copied) { stop() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}
