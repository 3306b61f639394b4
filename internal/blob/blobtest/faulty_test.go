package blobtest_test

import (
	"errors"
	"strings"
	"testing"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
)

func openDisk(t *testing.T) blob.Store {
	t.Helper()
	s, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Without a fault to come, Faulty is the store inside.
func TestFaultyPassesTheSuite(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return blobtest.NewFaulty(openDisk(t)) })
}

func TestFaulty(t *testing.T) {
	data := []byte("some bytes")
	d := blobtest.Digest(data)
	use := func(s *blobtest.Faulty) error { // every operation once, in this order
		up, err := s.Create(t.Context(), blob.Declared{Size: -1})
		if err != nil {
			return err
		}
		_, errWrite := up.Write(data)
		errCommit := up.Commit(d)
		errAbort := up.Abort()
		r, errOpen := s.Open(t.Context(), d)
		if errOpen == nil {
			errOpen = r.Close()
		}
		_, errStat := s.Stat(t.Context(), d)
		var errList error
		for _, errList = range s.List(t.Context(), "") {
		}
		return errors.Join(errWrite, errCommit, errAbort, errOpen, errStat, errList, s.Delete(t.Context(), d), useNotes(t, s))
	}
	for _, op := range []blobtest.Op{
		blobtest.Create, blobtest.Write, blobtest.Commit, blobtest.Abort,
		blobtest.Open, blobtest.Stat, blobtest.List, blobtest.Delete,
		blobtest.PutNote, blobtest.Note, blobtest.Notes, blobtest.DeleteNote, blobtest.Any,
	} {
		for _, kept := range []bool{false, true} {
			s := blobtest.NewFaulty(openDisk(t))
			s.Fail(blobtest.Fault{Op: op, Nth: 1, Kept: kept})
			if err := use(s); !errors.Is(err, blobtest.ErrFault) || !s.Failed() {
				t.Errorf("%q kept %v: %v, want %v", op, kept, err, blobtest.ErrFault)
			}
			if err := use(s); err != nil {
				t.Errorf("%q kept %v: the second time: %v", op, kept, err)
			}
		}
	}
}

// useNotes does every operation of notes once.
func useNotes(t *testing.T, s *blobtest.Faulty) error {
	errPut := s.PutNote(t.Context(), "a/note", strings.NewReader("text"), 4)
	r, errNote := s.Note(t.Context(), "a/note")
	if errNote == nil {
		errNote = r.Close()
	}
	if errors.Is(errNote, blob.ErrNotFound) && errPut != nil {
		errNote = nil // it was not put
	}
	var errNotes error
	for _, errNotes = range s.Notes(t.Context(), "a") {
	}
	return errors.Join(errPut, errNote, errNotes, s.DeleteNote(t.Context(), "a/note"))
}

// A Commit that fails leaves the blob whole, or nothing, as was asked for.
func TestFaultyCommit(t *testing.T) {
	data := []byte("some bytes")
	for _, kept := range []bool{false, true} {
		s := blobtest.NewFaulty(openDisk(t))
		s.Fail(blobtest.Fault{Op: blobtest.Commit, Nth: 1, Kept: kept})
		up, err := s.Create(t.Context(), blob.Declared{Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := up.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := up.Commit(blobtest.Digest(data)); !errors.Is(err, blobtest.ErrFault) {
			t.Errorf("kept %v: Commit: %v, want %v", kept, err, blobtest.ErrFault)
		}
		got, err := blobtest.Read(t.Context(), s, blobtest.Digest(data))
		if there := err == nil && string(got) == string(data); there != kept || !there && !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("kept %v: read %q, %v", kept, got, err)
		}
	}
}
