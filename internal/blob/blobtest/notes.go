package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"granary/internal/blob"
)

// notesOf skips the test of a store that keeps no notes.
func notesOf(t *testing.T, s blob.Store) blob.Notes {
	t.Helper()
	n, ok := s.(blob.Notes)
	if !ok {
		t.Skip("it keeps no notes")
	}
	return n
}

// noteSizes are those of notes of no part, one and many.
func noteSizes() []int { return []int{0, 1, 4096, 5 << 20, 5<<20 + 1, 11 << 20} }

func testNotes(t *testing.T, s blob.Store) {
	n := notesOf(t, s)
	wantNoNote(t, n, "records/head")
	for _, name := range []string{"identity", "records/head", "records/packs/1.pack", strings.Repeat("a", 200) + "/" + strings.Repeat("b", 200)} {
		for i, size := range noteSizes() {
			data := Bytes(uint64(i), size)
			PutNoteOf(t, n, name, data)
			wantNote(t, n, name, data)
		}
		PutNoteOf(t, n, name, []byte("short again"))
		wantNote(t, n, name, []byte("short again"))
	}
	wantNoNote(t, n, "records") // a folder
	wantNoNote(t, n, "records/packs")
	wantNoNote(t, n, "records/hea")
	wantNoNote(t, n, "identity/below")
	for range 2 {
		for _, name := range []string{"records", "records/head", "identity/below"} {
			if err := n.DeleteNote(t.Context(), name); err != nil {
				t.Errorf("DeleteNote of %s: %v", name, err)
			}
		}
		wantNoNote(t, n, "records/head")
		wantNote(t, n, "records/packs/1.pack", []byte("short again"))
	}
	PutNoteOf(t, n, "records/head", []byte("back"))
	wantNote(t, n, "records/head", []byte("back"))
}

func testNoteSizes(t *testing.T, s blob.Store) {
	n := notesOf(t, s)
	PutNoteOf(t, n, "a/old", []byte("old"))
	broken := errors.New("the line broke")
	for _, size := range noteSizes() {
		whole := bytes.NewReader(Bytes(1, size))
		for what, body := range map[string]io.Reader{
			"one byte short": bytes.NewReader(Bytes(1, max(0, size-1))),
			"one byte long":  bytes.NewReader(Bytes(1, size+1)),
			"much longer":    bytes.NewReader(Bytes(1, size+6<<20)),
			"broken":         io.MultiReader(io.LimitReader(whole, int64(size/2)), iotest.ErrReader(broken)),
		} {
			if size == 0 && what == "one byte short" {
				continue
			}
			for _, name := range []string{"a/old", "a/new", "new"} {
				if seeker, ok := body.(io.Seeker); ok {
					_, _ = seeker.Seek(0, io.SeekStart) // never fails
				}
				if err := n.PutNote(t.Context(), name, body, int64(size)); !errors.Is(err, blob.ErrBody) {
					t.Errorf("%d bytes, %s: %v, want %v", size, what, err, blob.ErrBody)
				}
			}
		}
	}
	if err := n.PutNote(t.Context(), "a/old", strings.NewReader(""), -1); err == nil {
		t.Error("a note of -1 bytes was taken")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := n.PutNote(ended, "a/old", strings.NewReader("new"), 3); !errors.Is(err, context.Canceled) {
		t.Errorf("in an ended context: %v, want %v", err, context.Canceled)
	}
	wantNotes(t, n, "", "a/old 3")
	wantNote(t, n, "a/old", []byte("old"))
	wantTidied(t, s, 1) // of the dozens that were aborted
}

// testNotesAreNoBlobs: List, Tidy and Delete know nothing of notes.
func testNotesAreNoBlobs(t *testing.T, s blob.Store) {
	n := notesOf(t, s)
	data := Bytes(1, 1000)
	Put(t, s, data)
	PutNoteOf(t, n, "identity", data)
	PutNoteOf(t, n, "records/"+Digest(data).String(), data)
	PutNoteOf(t, n, "records/packs/large.pack", Bytes(2, 11<<20))
	wantList(t, s, data)
	wantTidy(t, s)
	if err := s.Delete(t.Context(), Digest(data)); err != nil {
		t.Fatal(err)
	}
	wantList(t, s)
	wantNote(t, n, "identity", data)
	wantNote(t, n, "records/"+Digest(data).String(), data)
	wantNote(t, n, "records/packs/large.pack", Bytes(2, 11<<20))
}

// wantTidy checks that nothing is left of uploads, however new.
func wantTidy(t *testing.T, s blob.Store) { wantTidied(t, s, 0) }

// wantTidied checks that at most so many uploads are left. An S3 server may go on with a part
// that was on its way when its upload was aborted, and then has the upload once more: S3's manual
// says that one may have to abort it again.
func wantTidied(t *testing.T, s blob.Store, most int) {
	t.Helper()
	if tidier, ok := s.(blob.Tidier); ok {
		if n, err := tidier.Tidy(t.Context(), time.Now().Add(time.Hour)); err != nil || n > most {
			t.Errorf("Tidy removed %d, %v", n, err)
		}
	}
}

func testNoteNames(t *testing.T, s blob.Store) {
	n := notesOf(t, s)
	for _, name := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "A", "a b", "a\\b", "ä", "a\x00", "a\n",
		"tmp", "tmp/a", "ab", "ab/a", "00/" + Digest(nil).String(), "granary.lock", "data/encryption_key",
		strings.Repeat("a", 201), strings.Repeat("abcd/", 180) + "a",
	} {
		put := n.PutNote(t.Context(), name, strings.NewReader("x"), 1)
		r, read := n.Note(t.Context(), name)
		if read == nil {
			_ = r.Close()
		}
		if deleted := n.DeleteNote(t.Context(), name); put == nil || read == nil || deleted == nil || errors.Is(read, blob.ErrNotFound) {
			t.Errorf("%.50q was taken as a name: %v, %v, %v", name, put, read, deleted)
		}
	}
	for _, prefix := range []string{"", "/", "..", "../", "a/../", "tmp/", "ab/"} {
		wantNotes(t, n, prefix)
	}
}

func testNotesWalk(t *testing.T, s blob.Store) {
	n := notesOf(t, s)
	// In the order of bytes: '-' and '.' are before the slash, digits after it.
	all := []string{
		"a-b 3", "a.b 3", "a/b-c/d 5", "a/b.c 3", "a/b/c 3", "a/b/d 3", "a/b0 4", "a/bc/d 4", "a0x 3",
		"abc 2", "b/c/d/e/f 7", "identity 8",
	}
	for _, i := range []int{5, 0, 11, 3, 7, 1, 9, 2, 4, 10, 6, 8} {
		name, size, _ := strings.Cut(all[i], " ")
		PutNoteOf(t, n, name, make([]byte, size[0]-'0'))
	}
	Put(t, s, []byte("a blob"))
	for _, prefix := range []string{"", "a", "a-", "a/", "a/b", "a/b/", "a/b/c", "a/b/c/", "a/bc/", "b", "b/c/d/e/f", "c", "i", "identity", "identity/", "nobody/"} {
		var want []string
		for _, line := range all {
			if strings.HasPrefix(line, prefix) {
				want = append(want, line)
			}
		}
		wantNotes(t, n, prefix, want...)
	}
	seen := 0
	for _, err := range n.Notes(t.Context(), "a") {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 4 {
			break
		}
	}
	if seen != 4 {
		t.Errorf("%d seen, want 4", seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range n.Notes(ctx, "") {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("in an ended context the walk ends with %v, want %v", last, context.Canceled)
	}
}

// testNoteReplaced: a reader finds one of the notes whole, small or large.
func testNoteReplaced(t *testing.T, s blob.Store) {
	n := notesOf(t, s)
	var whole [][]byte
	for i, size := range []int{10, 300_000, 6 << 20, 10} {
		whole = append(whole, Bytes(uint64(i), size))
	}
	PutNoteOf(t, n, "a/note", whole[0])
	var all sync.WaitGroup
	for writer := range 2 {
		all.Go(func() {
			for i := range 12 {
				data := whole[(i+writer)%len(whole)]
				if err := n.PutNote(t.Context(), "a/note", bytes.NewReader(data), int64(len(data))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for range 20 {
				got, err := readNote(t.Context(), n, "a/note")
				if err != nil || !slices.ContainsFunc(whole, func(w []byte) bool { return bytes.Equal(w, got) }) {
					t.Errorf("read %d bytes, %v", len(got), err)
				}
			}
		})
	}
	all.Wait()
	wantTidy(t, s)
}

// testNotesPutAndDeleted: deleting the last note of a folder disturbs none that is put
// into it.
func testNotesPutAndDeleted(t *testing.T, s blob.Store) {
	n := notesOf(t, s)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			name, data := fmt.Sprintf("a/b/c/%d", i), Bytes(uint64(i), 100)
			for range 25 {
				if err := n.PutNote(t.Context(), name, bytes.NewReader(data), int64(len(data))); err != nil {
					t.Error(err)
				}
				wantNote(t, n, name, data)
				if err := n.DeleteNote(t.Context(), name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	wantNotes(t, n, "")
	PutNoteOf(t, n, "a", nil) // no folder is left
}

// PutNoteOf puts a note, or ends the test.
func PutNoteOf(t testing.TB, n blob.Notes, name string, data []byte) {
	t.Helper()
	if err := n.PutNote(t.Context(), name, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
}

func readNote(ctx context.Context, n blob.Notes, name string) ([]byte, error) {
	r, err := n.Note(ctx, name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func wantNote(t *testing.T, n blob.Notes, name string, data []byte) {
	t.Helper()
	if got, err := readNote(t.Context(), n, name); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%.50s: read %d bytes, %v, want those %d that were put", name, len(got), err, len(data))
	}
	half := int64(len(data) / 2)
	if got, err := readNoteFrom(t.Context(), n, name, half); err != nil || !bytes.Equal(got, data[half:]) {
		t.Errorf("%.50s: read %d bytes from %d, %v, want the %d that are there", name, len(got), half, err, len(data[half:]))
	}
}

func readNoteFrom(ctx context.Context, n blob.Notes, name string, offset int64) ([]byte, error) {
	r, err := n.Note(ctx, name)
	if err != nil {
		return nil, err
	}
	var data []byte
	if _, err = r.Seek(offset, io.SeekStart); err == nil {
		data, err = io.ReadAll(r)
	}
	return data, errors.Join(err, r.Close())
}

func wantNoNote(t *testing.T, n blob.Notes, name string) {
	t.Helper()
	if got, err := readNote(t.Context(), n, name); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("%s: %d bytes, %v, want %v", name, len(got), err, blob.ErrNotFound)
	}
}

// wantNotes checks the walk of a prefix: lines of name and size, in order.
func wantNotes(t *testing.T, n blob.Notes, prefix string, want ...string) {
	t.Helper()
	var got []string
	for info, err := range n.Notes(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("Notes of %q: %v", prefix, err)
		}
		got = append(got, fmt.Sprintf("%s %d", info.Name, info.Size))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notes of %q (-want +got):\n%s", prefix, diff)
	}
}
