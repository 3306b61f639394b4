package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, t.TempDir()) })
}

func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	data := blobtest.Bytes(1, 1000)
	blobtest.Put(t, open(t, dir), data)
	got, err := blobtest.Read(t.Context(), open(t, dir), blobtest.Digest(data))
	if err != nil || string(got) != string(data) {
		t.Errorf("read %d bytes, %v, want all %d", len(got), err, len(data))
	}
}

func TestOpenIsAFile(t *testing.T) {
	s := open(t, t.TempDir())
	data := blobtest.Bytes(1, 1000)
	blobtest.Put(t, s, data)
	r, err := s.Open(t.Context(), blobtest.Digest(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, ok := r.(*os.File); !ok {
		t.Errorf("Open hands back a %T, which sendfile cannot send", r)
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := open(t, dir)
	blobtest.Put(t, s, []byte("secret"))
	blobtest.PutNoteOf(t, s, "records/packs/1", []byte("secret"))
	if _, err := s.Create(t.Context(), blob.Declared{Size: -1}); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if err == nil && fi.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, fi.Mode().Perm(), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStrangersAreNotListed(t *testing.T) {
	s := open(t, t.TempDir())
	data := []byte("one of ours")
	blobtest.Put(t, s, data)
	name := blobtest.Digest(data).String()
	ab := filepath.Join(s.dir, name[:2])
	other := "00"
	if name[:2] == other {
		other = "11"
	}
	for _, path := range []string{
		filepath.Join(ab, "README"),
		filepath.Join(ab, name+".bak"),
		filepath.Join(ab, strings.ToUpper(name)),
		filepath.Join(s.dir, other, name), // not in its folder
	} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []blob.Info
	for info, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(info.Changed); age < 0 || age > time.Minute {
			t.Errorf("it was written %v ago", age)
		}
		info.Changed = time.Time{}
		got = append(got, info)
	}
	want := []blob.Info{{Digest: blobtest.Digest(data), Size: int64(len(data))}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHookPoints(t *testing.T) {
	s := open(t, t.TempDir())
	var got []Point
	s.CrashPoint = func(p Point) { got = append(got, p) }
	blobtest.Put(t, s, []byte("x"))
	want := []Point{BeforeSync, BeforeRename, BeforeDirSync, AfterDirSync}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A full disk, for which /dev/full stands in, behind a link that may be removed.
func TestNoSpace(t *testing.T) {
	s := open(t, t.TempDir())
	link := filepath.Join(s.dir, tmp, "full")
	if err := os.Symlink("/dev/full", link); err != nil {
		t.Skip(err)
	}
	f, err := os.OpenFile(link, os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	up := &upload{s: s, f: f}
	if _, err := up.Write([]byte("x")); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("Write: %v, want %v", err, blob.ErrNoSpace)
	}
	if err := up.Commit(blobtest.Digest(nil)); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("Commit after a failed Write: %v, want %v", err, blob.ErrNoSpace)
	}
	if left := files(t, filepath.Join(s.dir, tmp)); len(left) > 0 {
		t.Errorf("left in %s: %v", tmp, left)
	}
}

// Commit may fail at either end of its rename. What is left is nothing, or the
// blob whole; never a temporary file.
func TestCommitFails(t *testing.T) {
	data := []byte("some bytes")
	d := blobtest.Digest(data)
	t.Run("not kept", func(t *testing.T) {
		s := open(t, t.TempDir())
		if err := os.Remove(s.folder(d)); err != nil {
			t.Fatal(err)
		}
		up, err := s.Create(t.Context(), blob.Declared{Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		if err := up.Commit(d); err == nil || errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Commit without a folder: %v, want an error that is not %v", err, blob.ErrNotFound)
		}
		if err := up.Abort(); err != nil {
			t.Errorf("Abort after a failed Commit: %v", err)
		}
		if left := files(t, filepath.Join(s.dir, tmp)); len(left) > 0 {
			t.Errorf("left in %s: %v", tmp, left)
		}
	})
	t.Run("kept", func(t *testing.T) {
		s := open(t, t.TempDir())
		away := s.folder(d) + "-away"
		s.CrashPoint = func(p Point) {
			if p == BeforeDirSync {
				if err := os.Rename(s.folder(d), away); err != nil {
					t.Error(err)
				}
			}
		}
		up, err := s.Create(t.Context(), blob.Declared{Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := up.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := up.Commit(d); err == nil {
			t.Error("Commit without a folder to sync succeeded")
		}
		if err := up.Abort(); err != nil {
			t.Errorf("Abort after a failed Commit: %v", err)
		}
		if err := os.Rename(away, s.folder(d)); err != nil {
			t.Fatal(err)
		}
		if got, err := blobtest.Read(t.Context(), s, d); err != nil || string(got) != string(data) {
			t.Errorf("read %q, %v, want %q", got, err, data)
		}
	})
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := Open(dir); err == nil {
			t.Errorf("Open(%q) succeeded", dir)
		}
	}
}
