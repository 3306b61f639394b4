package disk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

func openShared(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := OpenShared(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSharedStore(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return openShared(t, t.TempDir()) })
}

// Servers that share a directory commit the same bytes at once, while others
// read them and start: every commit succeeds, and nobody sees other bytes.
func TestSharedCommits(t *testing.T) {
	dir := t.TempDir()
	data := blobtest.Bytes(1, 300_000)
	blobtest.Put(t, openShared(t, dir), data)
	var all sync.WaitGroup
	for range 4 {
		s := openShared(t, dir)
		all.Go(func() {
			for range 5 {
				blobtest.Put(t, s, data)
			}
		})
		all.Go(func() {
			for range 10 {
				got, err := blobtest.Read(t.Context(), openShared(t, dir), blobtest.Digest(data))
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("read %d bytes, %v, want all %d", len(got), err, len(data))
				}
			}
		})
	}
	all.Wait()
	if left := files(t, filepath.Join(dir, tmp)); len(left) > 0 {
		t.Errorf("left in %s: %v", tmp, left)
	}
}

// A server dies with an upload in hand while another has one of the same bytes.
// A third that starts leaves both files alone, the living one commits, and what
// the dead one left goes once it is old.
func TestSharedCrash(t *testing.T) {
	dir := t.TempDir()
	living := openShared(t, dir)
	data := blobtest.Bytes(2, 300_000)
	up, err := living.Create(t.Context(), blob.Declared{Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := up.Write(data); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command(os.Args[0], "-test.run=^TestCrash$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashAt+"="+string(BeforeRename), crashShared+"=1")
	if out, err := cmd.CombinedOutput(); !killed(err) {
		t.Fatalf("the process was not killed: %v\n%s", err, out)
	}

	third := openShared(t, dir)
	tidied := func(before time.Time, want int) {
		t.Helper()
		if n, err := third.Left(t.Context(), before); err != nil || n != want {
			t.Errorf("Left = %d, %v, want %d", n, err, want)
		}
		if n, err := third.Tidy(t.Context(), before); err != nil || n != want {
			t.Errorf("Tidy removed %d, %v, want %d", n, err, want)
		}
	}
	tidied(time.Now().Add(-time.Minute), 0)
	if err := up.Commit(blobtest.Digest(data)); err != nil {
		t.Errorf("beside a crash and a start: %v", err)
	}
	if got, err := blobtest.Read(t.Context(), third, blobtest.Digest(data)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes, %v, want all %d", len(got), err, len(data))
	}
	tidied(time.Now().Add(time.Minute), 2) // one was begun, one was about to be renamed
	if left := files(t, filepath.Join(dir, tmp)); len(left) > 0 {
		t.Errorf("left in %s: %v", tmp, left)
	}
}
