package disk

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

// A batch of one upload keeps all that a store promises.
func TestBatchOfOneIsAStore(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return atOnce{open(t, t.TempDir())} })
}

// atOnce is a store that flushes after each commit.
type atOnce struct{ *Store }

func (s atOnce) Create(ctx context.Context, d blob.Declared) (blob.Upload, error) {
	b := s.Batch()
	u, err := b.Create(ctx, d)
	if err != nil {
		return nil, err
	}
	return flushed{u, b}, nil
}

type flushed struct {
	blob.Upload
	batch blob.Batch
}

func (u flushed) Commit(d blob.Digest) error {
	if err := u.Upload.Commit(d); err != nil {
		return err
	}
	return u.batch.Flush()
}

// A batch that was flushed has everything; one that is too large is synced on the way.
func TestBatch(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	b := s.Batch()
	const many = 2*batchFiles + 10
	for i := range uint64(many) {
		put(t, b, blobtest.Bytes(i, 100))
	}
	if got := len(files(t, filepath.Join(dir, tmp))); got != 10 {
		t.Errorf("%d files wait, want 10", got)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(many) {
		data := blobtest.Bytes(i, 100)
		got, err := blobtest.Read(t.Context(), s, blobtest.Digest(data))
		if err != nil || string(got) != string(data) {
			t.Fatalf("read %d bytes, %v, want all %d", len(got), err, len(data))
		}
	}
	if left := files(t, filepath.Join(dir, tmp)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func put(t *testing.T, s blob.Store, data []byte) {
	t.Helper()
	u, err := s.Create(t.Context(), blob.Declared{Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(blobtest.Digest(data)); err != nil {
		t.Fatal(err)
	}
}

// A name that cannot be had ends the batch, and what waits leaves no rests.
func TestBatchFails(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	b := s.Batch()
	first, second := blobtest.Bytes(1, 100), blobtest.Bytes(2, 100)
	if err := os.MkdirAll(filepath.Join(s.path(blobtest.Digest(first)), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, b, first)
	put(t, b, second)
	failed := b.Flush()
	if failed == nil {
		t.Fatal("no error")
	}
	if err := b.Flush(); err == nil || err.Error() != failed.Error() {
		t.Errorf("the next error is %v, want %v", err, failed)
	}
	if left := files(t, filepath.Join(dir, tmp)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := s.Stat(t.Context(), blobtest.Digest(second)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("%v, want %v", err, blob.ErrNotFound)
	}
}

// A batch without files of its own syncs the names that a killed one has left, and says if it
// cannot.
func TestBatchSyncsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var reached []Point
	s.CrashPoint = func(p Point) { reached = append(reached, p) }
	if err := s.Batch().Flush(); err != nil || !slices.Equal(reached, []Point{AfterDirSync}) {
		t.Errorf("%v, it came to %q", err, reached)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Batch().Flush(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a store that is gone: %v", err)
	}
}

// TestBatchCrash kills a process at each point of a batch of two. The next one finds each
// blob whole or not at all, and no remains.
func TestBatchCrash(t *testing.T) {
	data := [][]byte{blobtest.Bytes(1, 300_000), blobtest.Bytes(2, 300_000)}
	if dir := os.Getenv(crashDir); dir != "" {
		b := crashingAt(t, dir, Point(os.Getenv(crashAt))).Batch()
		put(t, b, data[0])
		put(t, b, data[1])
		t.Fatalf("%v; the batch did not come to %q", b.Flush(), os.Getenv(crashAt))
	}
	for at, kept := range map[Point]int{BeforeSync: 0, BeforeRename: 0, BeforeDirSync: 1, AfterDirSync: 2} {
		t.Run(string(at), func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command(os.Args[0], "-test.run=^TestBatchCrash$")
			cmd.Env = append(os.Environ(), crashDir+"="+dir, crashAt+"="+string(at))
			if out, err := cmd.CombinedOutput(); !killed(err) {
				t.Fatalf("the process was not killed: %v\n%s", err, out)
			}
			s := open(t, dir)
			if left := files(t, filepath.Join(dir, tmp)); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			there := 0
			for _, d := range data {
				got, err := blobtest.Read(t.Context(), s, blobtest.Digest(d))
				if err == nil && string(got) == string(d) {
					there++
				} else if !errors.Is(err, blob.ErrNotFound) {
					t.Errorf("read %d bytes, %v", len(got), err)
				}
			}
			if there != kept {
				t.Errorf("%d blobs are there, want %d", there, kept)
			}
		})
	}
}
