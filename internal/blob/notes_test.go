package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
)

func TestCheckNoteName(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 199)+"/", 4)
	for _, name := range []string{
		"identity", "a", "a/b", "records/head", "records/packs/9f3c.pack", "a_b-c.d", "...", "a/ab", "a/tmp", "abc", "granary", "granary-data",
		strings.Repeat("a", 200), long + strings.Repeat("b", 100),
	} {
		if err := blob.CheckNoteName(name); err != nil {
			t.Error(err)
		}
	}
	for name, why := range map[string]string{
		"":                                "is empty",
		"a/":                              "is empty",
		"a//b":                            "is empty",
		"a/..":                            "..",
		"ab":                              `"ab" is kept for blobs`,
		"00/1":                            `"00" is kept for blobs`,
		"damaged/1":                       `"damaged" is kept for blobs`,
		"tmp/1":                           `"tmp" is kept for blobs`,
		"granary.lock":                    `"granary.lock" is a file of the data directory`,
		"data/granary.db-wal":             `"granary.db-wal" is a file`,
		"encryption_key":                  `"encryption_key" is a file`,
		"data/encryption_key":             `"encryption_key" is a file`,
		"data/initial_root_token":         `"initial_root_token" is a file`,
		"HEAD":                            "only a-z",
		"a\x00":                           "only a-z",
		strings.Repeat("a", 201):          "201 bytes, at most 200",
		long + strings.Repeat("b", 101):   "901 bytes, at most 900",
		long + "\xff" + long + "endless/": "1609 bytes, at most 900",
	} {
		if err := blob.CheckNoteName(name); err == nil || !strings.Contains(err.Error(), why) || len(err.Error()) > 400 {
			t.Errorf("%.40q: %v, want %q", name, err, why)
		}
	}
}

// noted is a disk store with notes.
func noted(t *testing.T, notes map[string]string) *disk.Store {
	t.Helper()
	_, s, _ := stored(t)
	for name, text := range notes {
		blobtest.PutNoteOf(t, s, name, []byte(text))
	}
	return s
}

func notesIn(t *testing.T, s blob.Source) map[string]string {
	t.Helper()
	got := map[string]string{}
	for info, err := range s.Notes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Note(t.Context(), info.Name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		got[info.Name] = string(text)
	}
	return got
}

func every(string) bool { return true }

// noneUnread fails the test if a note cannot be read.
func noneUnread(t *testing.T) func(string, error) {
	return func(name string, err error) { t.Errorf("the note %s cannot be read: %v", name, err) }
}

func TestCopyNotes(t *testing.T) {
	from := noted(t, map[string]string{"identity": "ours", "records/1": "one", "records/2": "", "z": "new"})
	to := noted(t, map[string]string{"identity": "theirs", "z": "old", "kept": "kept"})
	for range 2 {
		if err := blob.CopyNotes(t.Context(), to, from, func(name string) bool { return name != "identity" }, noneUnread(t)); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"identity": "theirs", "records/1": "one", "records/2": "", "z": "new", "kept": "kept"}
		if diff := cmp.Diff(want, notesIn(t, to)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestCopyNotesUnderFaults: whichever operation fails, on either side, kept or not, the
// copy says so, and the next one completes it.
func TestCopyNotesUnderFaults(t *testing.T) {
	want := map[string]string{"a": "first", "records/1": "one", "records/2": "two"}
	from, to := noted(t, want), noted(t, nil)
	for _, side := range []string{"from", "to"} {
		for _, kept := range []bool{false, true} {
			for n := 1; ; n++ {
				for name := range want {
					if err := to.DeleteNote(t.Context(), name); err != nil {
						t.Fatal(err)
					}
				}
				source, target := blobtest.NewFaulty(from), blobtest.NewFaulty(to)
				faulty := source
				if side == "to" {
					faulty = target
				}
				faulty.Fail(blobtest.Fault{Nth: n, Kept: kept})
				err := blob.CopyNotes(t.Context(), target, source, every, noneUnread(t))
				if faulty.Failed() != errors.Is(err, blobtest.ErrFault) {
					t.Errorf("%s, operation %d, kept %v: %v", side, n, kept, err)
				}
				if err == nil {
					if n < 4 {
						t.Errorf("%s: there were only %d operations", side, n-1)
					}
					break
				}
				if err := blob.CopyNotes(t.Context(), target, source, every, noneUnread(t)); err != nil {
					t.Errorf("%s, operation %d, kept %v, again: %v", side, n, kept, err)
				}
				if diff := cmp.Diff(want, notesIn(t, to)); diff != "" {
					t.Errorf("%s, operation %d, kept %v (-want +got):\n%s", side, n, kept, diff)
				}
			}
		}
	}
}

// livingSource is a store that changes after it was listed.
type livingSource struct {
	*disk.Store
	changes []func() // one each time
}

func (s *livingSource) Notes(ctx context.Context, prefix string) iter.Seq2[blob.NoteInfo, error] {
	return func(yield func(blob.NoteInfo, error) bool) {
		for info, err := range s.Store.Notes(ctx, prefix) {
			if len(s.changes) > 0 {
				s.changes[0]()
				s.changes = s.changes[1:]
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// TestCopyNotesOfALivingStore: a note that is replaced by one of another size, or deleted,
// between two looks at it is copied as it is at last, or skipped.
func TestCopyNotesOfALivingStore(t *testing.T) {
	put := func(s blob.Notes, text string) func() {
		return func() { blobtest.PutNoteOf(t, s, "head", []byte(text)) }
	}
	gone := func(s blob.Notes) func() {
		return func() {
			if err := s.DeleteNote(t.Context(), "head"); err != nil {
				t.Error(err)
			}
		}
	}
	for _, c := range []struct {
		name    string
		changes func(s blob.Notes) []func()
		want    map[string]string
	}{
		{"replaced", func(s blob.Notes) []func() { return []func(){put(s, "longer")} }, map[string]string{"head": "longer", "later": "later"}},
		{"replaced twice", func(s blob.Notes) []func() { return []func(){put(s, "longer"), put(s, "")} }, map[string]string{"head": "", "later": "later"}},
		{"deleted", func(s blob.Notes) []func() { return []func(){gone(s)} }, map[string]string{"later": "later"}},
		{"replaced, then deleted", func(s blob.Notes) []func() { return []func(){put(s, "longer"), gone(s)} }, map[string]string{"later": "later"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := noted(t, map[string]string{"head": "old", "later": "later"})
			to := noted(t, nil)
			if err := blob.CopyNotes(t.Context(), to, &livingSource{inner, c.changes(inner)}, every, noneUnread(t)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, notesIn(t, to)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWriteNoteReadsNoFurther: a body that is too long is given up after one byte too
// many is read, not at its end.
func TestWriteNoteReadsNoFurther(t *testing.T) {
	var got bytes.Buffer
	if err := blob.WriteNote(t.Context(), &got, endless{}, 1000); !errors.Is(err, blob.ErrBody) {
		t.Errorf("%v, want %v", err, blob.ErrBody)
	}
	if got.Len() > 1000 {
		t.Errorf("%d bytes were written of a note of 1000", got.Len())
	}
}
