package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

const crashNote = "records/packs/note"

// TestCrashNote kills a process at each point of a PutNote, over an old note and over
// none. The next one finds the old note or the new one whole, and no remains, and can put
// it again.
func TestCrashNote(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		s := crashingAt(t, dir, Point(os.Getenv(crashAt)))
		blobtest.PutNoteOf(t, s, crashNote, blobtest.Bytes(2, 300_000))
		t.Fatalf("PutNote did not come to %q", os.Getenv(crashAt))
	}
	for _, c := range []struct {
		at   Point
		kept bool
	}{{BeforeNoteSync, false}, {BeforeNoteRename, false}, {BeforeNoteDirSync, true}, {AfterNoteDirSync, true}} {
		for _, replaces := range []bool{false, true} {
			t.Run(string(c.at), func(t *testing.T) { testCrashNote(t, c.at, c.kept, replaces) })
		}
	}
}

func testCrashNote(t *testing.T, at Point, kept, replaces bool) {
	dir := t.TempDir()
	s, data := open(t, dir), blobtest.Bytes(2, 300_000)
	want := map[string][]byte{"records/other": []byte("other")}
	blobtest.PutNoteOf(t, s, "records/other", []byte("other"))
	if replaces {
		want[crashNote] = []byte("old")
		blobtest.PutNoteOf(t, s, crashNote, []byte("old"))
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashNote$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashAt+"="+string(at))
	if out, err := cmd.CombinedOutput(); !killed(err) {
		t.Fatalf("the process was not killed: %v\n%s", err, out)
	}
	if kept {
		want[crashNote] = data
	}
	s = open(t, dir)
	wantOnlyNotes(t, s, want)
	blobtest.PutNoteOf(t, s, crashNote, data)
	want[crashNote] = data
	wantOnlyNotes(t, s, want)
}

// wantOnlyNotes checks that these notes are whole, and that nothing else is in the store.
func wantOnlyNotes(t *testing.T, s *Store, want map[string][]byte) {
	t.Helper()
	got := map[string][]byte{}
	for info, err := range s.Notes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Note(t.Context(), info.Name)
		if err != nil {
			t.Fatal(err)
		}
		got[info.Name], err = io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || int64(len(got[info.Name])) != info.Size {
			t.Errorf("%s: %d bytes, %v, want %d", info.Name, len(got[info.Name]), err, info.Size)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notes (-want +got):\n%.1000s", diff)
	}
	if left := files(t, filepath.Join(s.dir, tmp)); len(left) > 0 {
		t.Errorf("left in %s: %v", tmp, left)
	}
}

// TestPutNoteFails: whichever step fails, the old note stays, or the new one is there
// whole; nothing is left in tmp, and a retry succeeds.
func TestPutNoteFails(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(t *testing.T, s *Store, p Point) (mend func())
		kept  bool
	}{
		{"a folder is a file", func(t *testing.T, s *Store, p Point) func() {
			if p != BeforeNoteRename {
				return nil
			}
			away := moveAway(t, s.notePath("records/packs"))
			if err := os.WriteFile(s.notePath("records/packs"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return func() { _ = os.Remove(s.notePath("records/packs")); away() }
		}, false},
		{"the note is a folder", func(t *testing.T, s *Store, p Point) func() {
			if p != BeforeNoteRename {
				return nil
			}
			away := moveAway(t, s.notePath(crashNote))
			if err := os.MkdirAll(filepath.Join(s.notePath(crashNote), "x"), 0o700); err != nil {
				t.Fatal(err)
			}
			return func() { _ = os.RemoveAll(s.notePath(crashNote)); away() }
		}, false},
		{"the store is gone before the rename", func(t *testing.T, s *Store, p Point) func() {
			if p != BeforeNoteRename {
				return nil
			}
			return moveAway(t, s.dir)
		}, false},
		{"the store is gone before the sync", func(t *testing.T, s *Store, p Point) func() {
			if p != BeforeNoteDirSync {
				return nil
			}
			return moveAway(t, s.dir)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "store"))
			blobtest.PutNoteOf(t, s, crashNote, []byte("old"))
			mend := func() { t.Error("the fault did not come") }
			s.CrashPoint = func(p Point) {
				if m := c.fault(t, s, p); m != nil {
					mend = m
				}
			}
			err := s.PutNote(t.Context(), crashNote, strings.NewReader("new"), 3)
			mend()
			if err == nil || errors.Is(err, blob.ErrBody) {
				t.Errorf("PutNote: %v, want an error of the disk", err)
			}
			want := map[string][]byte{crashNote: []byte("old")}
			if c.kept {
				want[crashNote] = []byte("new")
			}
			s.CrashPoint = nil
			if c.name == "the store is gone before the rename" { // the file in tmp went with it
				s = open(t, s.dir)
			}
			wantOnlyNotes(t, s, want)
			blobtest.PutNoteOf(t, s, crashNote, []byte("new"))
			wantOnlyNotes(t, s, map[string][]byte{crashNote: []byte("new")})
		})
	}
}

func moveAway(t *testing.T, path string) (back func()) {
	t.Helper()
	if err := os.Rename(path, path+"-away"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Rename(path+"-away", path); err != nil {
			t.Error(err)
		}
	}
}

// TestPutNoteLosesItsFolder: a folder that is removed just before the rename is made
// again.
func TestPutNoteLosesItsFolder(t *testing.T) {
	s := open(t, t.TempDir())
	blobtest.PutNoteOf(t, s, crashNote, []byte("old"))
	s.CrashPoint = func(p Point) {
		if p == BeforeNoteRename {
			if err := s.DeleteNote(t.Context(), crashNote); err != nil {
				t.Error(err)
			}
		}
	}
	blobtest.PutNoteOf(t, s, crashNote, []byte("new"))
	wantOnlyNotes(t, s, map[string][]byte{crashNote: []byte("new")})
}

// TestStrangersAreNoNotes: what is not named as a note would be is not walked. What is no file,
// and has the name of one, is walked, and cannot be read.
func TestStrangersAreNoNotes(t *testing.T) {
	s := open(t, t.TempDir())
	for _, path := range []string{"README", "granary.lock", "granary.db", "encryption_key", "data/encryption_key", "data/granary.db", "tmp/note", "ab/note", "records/HEAD", "Records/head", "records/a b", "lost+found/x"} {
		if err := os.MkdirAll(filepath.Dir(s.notePath(path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.notePath(path), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", s.notePath("records/link")); err != nil {
		t.Fatal(err)
	}
	blobtest.PutNoteOf(t, s, "records/note", []byte("one"))
	if err := os.MkdirAll(s.notePath("records/empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	var got []string
	for info, err := range s.Notes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
		if info.Empty != (info.Name == "records/empty") {
			t.Errorf("%+v", info)
		}
		if r, err := s.Note(t.Context(), info.Name); info.Name != "records/note" && !errors.Is(err, blob.ErrUnreadable) {
			t.Errorf("%s: %v, %v, want %v", info.Name, r, err, blob.ErrUnreadable)
		}
	}
	if want := []string{"records/empty", "records/link", "records/note"}; !slices.Equal(got, want) {
		t.Errorf("notes %q, want %q", got, want)
	}
}

// TestDeleteNoteTidiesUp: emptied folders go, and only those below the store.
func TestDeleteNoteTidiesUp(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store"))
	for _, name := range []string{"a/b/c/1", "a/b/c/2", "a/3", "4"} {
		blobtest.PutNoteOf(t, s, name, nil)
	}
	for _, step := range []struct {
		name       string
		gone, kept string
	}{{"a/b/c/1", "a/b/c/1", "a/b/c"}, {"a/b/c/2", "a/b", "a/3"}, {"a/3", "a", "4"}, {"4", "4", "tmp"}} {
		if err := s.DeleteNote(t.Context(), step.name); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(s.notePath(step.gone)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s, %s: %v", step.name, step.gone, err)
		}
		if _, err := os.Stat(s.notePath(step.kept)); err != nil {
			t.Errorf("without %s, %s: %v", step.name, step.kept, err)
		}
	}
}

// TestNoteIn: it looks into what may be no store, and leaves it as it was.
func TestNoteIn(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, store := range []string{filepath.Join(dir, "none"), file, filepath.Join(file, "below"), dir} {
		if r, err := NoteIn(store, "identity"); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("in %s: %v, %v, want %v", store, r, err, blob.ErrNotFound)
		}
	}
	r, err := NoteIn(dir, "file")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, []byte("text")) {
		t.Errorf("read %q, %v", got, err)
	}
	if left := files(t, dir); !slices.Equal(left, []string{"file"}) {
		t.Errorf("the folder has %q now", left)
	}
}
