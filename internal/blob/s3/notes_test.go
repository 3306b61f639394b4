package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/s3/s3test"
)

func readNote(t *testing.T, s *Store, name string) ([]byte, error) {
	t.Helper()
	r, err := s.Note(t.Context(), name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// TestPutNoteMendsItself: whatever goes wrong once, at whichever request, the note is
// replaced, and nothing but the note is left.
func TestPutNoteMendsItself(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	for _, kind := range []fault{refuse, slowDown, broken, cutBody, cutReply, lost, hang} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			for way, size := range bodies() {
				s, line := tapped(t, srv, fmt.Sprintf("note-mends/%s/%s", kind, way), kind)
				for n := 1; ; n++ {
					data := blobtest.Bytes(uint64(n), size)
					came := line.nth(n, false, kind)
					if err := s.PutNote(t.Context(), "a/note", bytes.NewReader(data), int64(size)); err != nil {
						t.Errorf("%s, request %d: %v", way, n, err)
					}
					line.set(nil)
					if got, err := readNote(t, s, "a/note"); err != nil || !bytes.Equal(got, data) {
						t.Errorf("%s, request %d: read %d bytes, %v", way, n, len(got), err)
					}
					if !came() {
						break
					}
				}
			}
		})
	}
}

// TestPutNoteFails: where the store stays away from some request on, the old note is
// there or the new one, a retry succeeds, and Tidy leaves nothing but the note.
func TestPutNoteFails(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	for _, kind := range []fault{refuse, slowDown, cutBody, lost} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			for way, size := range bodies() {
				s, line := tapped(t, srv, fmt.Sprintf("note-fails/%s/%s", kind, way), kind)
				old := []byte("old")
				for n := 1; ; n++ {
					blobtest.PutNoteOf(t, s, "a/note", old)
					data := blobtest.Bytes(uint64(n), size)
					came := line.nth(n, true, kind)
					err := s.PutNote(t.Context(), "a/note", bytes.NewReader(data), int64(size))
					line.set(nil)
					if errors.Is(err, blob.ErrBody) || errors.Is(err, blob.ErrNotFound) {
						t.Errorf("%v: not the store's fault", err)
					}
					got, failed := readNote(t, s, "a/note")
					if failed != nil || !bytes.Equal(got, data) && (err == nil || !bytes.Equal(got, old)) {
						t.Errorf("%s, request %d: after %v it reads as %d bytes, %v", way, n, err, len(got), failed)
					}
					blobtest.PutNoteOf(t, s, "a/note", data)
					if !came() {
						break
					}
				}
				if _, err := s.Tidy(t.Context(), time.Now().Add(time.Hour)); err != nil {
					t.Error(err)
				}
				if err := s.DeleteNote(t.Context(), "a/note"); err != nil {
					t.Error(err)
				}
				wantOnlyBlobs(t, s)
			}
		})
	}
}

// TestShortestWayOfNotes: one request puts a small note, two read it, and a walk from the
// top does not pass the blobs.
func TestShortestWayOfNotes(t *testing.T) {
	line := newTap(t)
	s := line.open(t, config(s3test.Start(t), "note-way"))
	asked := func(what string, want int, deed func()) {
		t.Helper()
		line.asked = nil
		deed()
		if all := line.requests(func(*http.Request) bool { return true }); len(all) != want {
			t.Errorf("%s: %d requests, want %d", what, len(all), want)
			for _, r := range all {
				t.Log(r.Method, r.URL)
			}
		}
	}
	for i := range 20 {
		blobtest.Put(t, s, blobtest.Bytes(uint64(i), 10))
	}
	blobtest.PutNoteOf(t, s, "identity", []byte("ours"))
	asked("put", 1, func() { blobtest.PutNoteOf(t, s, "records/head", []byte("head")) })
	asked("put in parts", 6, func() { // begin, two parts, finish, copy, remove
		blobtest.PutNoteOf(t, s, "records/base", blobtest.Bytes(1, 6<<20))
	})
	asked("read", 2, func() {
		if got, err := readNote(t, s, "records/head"); err != nil || string(got) != "head" {
			t.Errorf("read %q, %v", got, err)
		}
	})
	asked("walk", 2, func() { // what is beside the folders, and the one folder of notes
		var got []string
		for info, err := range s.Notes(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Name)
		}
		if strings.Join(got, " ") != "identity records/base records/head" {
			t.Errorf("walked %q", got)
		}
	})
	if err := s.PutNote(t.Context(), "records/huge", strings.NewReader(""), mostNote+1); !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("a note of more than 5 GiB: %v, want %v", err, blob.ErrTooLarge)
	}
}

// TestNoteReplacedUnderItsReader: reading yields one note's bytes or fails, even if the
// line breaks; a note that is replaced between the two requests that open it is read.
func TestNoteReplacedUnderItsReader(t *testing.T) {
	s, line := tapped(t, s3test.Start(t), "note-replaced", "")
	one, two := blobtest.Bytes(1, 3<<20), blobtest.Bytes(2, 3<<20)
	blobtest.PutNoteOf(t, s, "a/note", one)
	r, err := s.Note(t.Context(), "a/note")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]byte, len(one))
	if _, err := io.ReadFull(r, got[:1000]); err != nil {
		t.Fatal(err)
	}
	blobtest.PutNoteOf(t, s, "a/note", two)
	n, err := io.ReadFull(r, got[1000:])
	if !bytes.Equal(got[:1000+n], one[:1000+n]) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %d bytes, %v", 1000+n, err)
	}

	var once bool
	line.set(func(req *http.Request) fault {
		if isGet(req) && !once {
			once = true
			other := open(t, config(&s3test.Server{URL: "http://" + req.URL.Host}, "note-replaced"))
			blobtest.PutNoteOf(t, other, "a/note", one)
		}
		return none
	})
	if got, err := readNote(t, s, "a/note"); err != nil || !bytes.Equal(got, one) || !once {
		t.Errorf("replaced just before the bytes are asked for: %d bytes, %v", len(got), err)
	}
}
