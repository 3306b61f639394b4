// Package blobtest holds what a blob.Store must pass and a blob.Store that
// fails on purpose.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"granary/internal/blob"
)

// Run executes the contract of blob.Store. open returns an empty store that only this
// test uses, and registers its cleanup with t.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	for name, test := range map[string]func(*testing.T, blob.Store){
		"an empty store holds nothing":               testNothing,
		"a commit makes bytes visible, not before":   testCommit,
		"blobs of all sizes":                         testSizes,
		"seek":                                       testSeek,
		"an aborted upload was never there":          testAbort,
		"abort after commit does nothing":            testAbortAfterCommit,
		"a digest that is there is committed again":  testCommitPresent,
		"uploads do not mix":                         testUploadsDoNotMix,
		"delete":                                     testDelete,
		"delete while reading":                       testDeleteWhileReading,
		"commit again after delete":                  testCommitAfterDelete,
		"a commit mends a blob of another size":      testCommitMends,
		"an upload that overwrites mends any blob":   testOverwrite,
		"nothing is left of uploads that ended":      testLeft,
		"list":                                       testList,
		"list ends when told":                        testListBreak,
		"commits of one digest while readers read":   testConcurrentCommits,
		"commits and deletes of one digest at once":  testCommitsAndDeletes,
		"the uploader may use its buffer for others": testBufferReuse,
		"what was declared changes nothing":          testDeclared,
		"notes are kept, replaced and deleted":       testNotes,
		"a note of another size changes nothing":     testNoteSizes,
		"notes are no blobs":                         testNotesAreNoBlobs,
		"names that no note can have":                testNoteNames,
		"notes are walked in order":                  testNotesWalk,
		"notes are read while they are replaced":     testNoteReplaced,
		"notes are put while others are deleted":     testNotesPutAndDeleted,
		"a blob that is set aside is not there":      testQuarantine,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func testNothing(t *testing.T, s blob.Store) {
	wantAbsent(t, s, Digest([]byte("nobody")))
	wantAbsent(t, s, blob.Digest{})
	if err := s.Delete(t.Context(), blob.Digest{}); err != nil {
		t.Errorf("Delete of what is not there: %v", err)
	}
	wantList(t, s)
}

func testCommit(t *testing.T, s blob.Store) {
	data := Bytes(1, 100_000)
	up := upload(t, s, data)
	wantAbsent(t, s, Digest(data))
	wantList(t, s)
	if err := up.Commit(Digest(data)); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, data)
	wantList(t, s, data)
}

func testSizes(t *testing.T, s blob.Store) {
	var all [][]byte
	for i, size := range []int{0, 1, 4096, 65536, 65537, 5<<20 - 1, 5 << 20, 5<<20 + 1} {
		data := Bytes(uint64(i), size)
		Put(t, s, data)
		wantBlob(t, s, data)
		all = append(all, data)
	}
	wantList(t, s, all...)
}

func testSeek(t *testing.T, s blob.Store) {
	data := Bytes(1, 300_000)
	Put(t, s, data)
	r, err := s.Open(t.Context(), Digest(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	steps := []struct {
		offset int64
		whence int
		at     int64 // where that is
	}{
		{0, io.SeekEnd, 300_000}, {0, io.SeekStart, 0}, {299_999, io.SeekStart, 299_999},
		{-100, io.SeekEnd, 299_900}, {1000, io.SeekStart, 1000}, {500, io.SeekCurrent, 1510},
		{-1000, io.SeekCurrent, 520}, {400_000, io.SeekStart, 400_000}, {0, io.SeekStart, 0},
	}
	for _, step := range steps {
		at, err := r.Seek(step.offset, step.whence)
		if err != nil || at != step.at {
			t.Fatalf("Seek(%d, %d) = %d, %v, want %d", step.offset, step.whence, at, err, step.at)
		}
		want := data[min(at, 300_000):min(at+10, 300_000)]
		got := make([]byte, 10)
		n, err := io.ReadFull(r, got)
		if !bytes.Equal(got[:n], want) || len(want) == 10 && err != nil {
			t.Fatalf("at %d: read %x, %v, want %x", at, got[:n], err, want)
		}
		if len(want) == 0 && err != io.EOF {
			t.Fatalf("at %d, past the end: %v, want EOF", at, err)
		}
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("Seek before the start succeeded")
	}
}

func testAbort(t *testing.T, s blob.Store) {
	data := Bytes(1, 100_000)
	up := upload(t, s, data)
	for range 2 {
		if err := up.Abort(); err != nil {
			t.Fatalf("Abort: %v", err)
		}
	}
	wantAbsent(t, s, Digest(data))
	wantList(t, s)
	if err := up.Commit(Digest(data)); err == nil {
		t.Error("Commit after Abort succeeded")
	}
	wantAbsent(t, s, Digest(data))
}

func testAbortAfterCommit(t *testing.T, s blob.Store) {
	data := Bytes(1, 1000)
	up := upload(t, s, data)
	if err := up.Commit(Digest(data)); err != nil {
		t.Fatal(err)
	}
	if err := up.Abort(); err != nil {
		t.Errorf("Abort after Commit: %v", err)
	}
	wantBlob(t, s, data)
}

func testCommitPresent(t *testing.T, s blob.Store) {
	data := Bytes(1, 100_000)
	Put(t, s, data)
	r, err := s.Open(t.Context(), Digest(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	Put(t, s, data)
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("a reader from before reads %d bytes, %v, want all %d", len(got), err, len(data))
	}
	wantBlob(t, s, data)
	wantList(t, s, data)
}

func testUploadsDoNotMix(t *testing.T, s blob.Store) {
	one, two := Bytes(1, 200_000), Bytes(2, 200_000)
	a, b := upload(t, s, nil), upload(t, s, nil)
	for i := 0; i < len(one); i += 50_000 {
		write(t, a, one[i:i+50_000])
		write(t, b, two[i:i+50_000])
	}
	if err := b.Commit(Digest(two)); err != nil {
		t.Fatal(err)
	}
	if err := a.Commit(Digest(one)); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, one)
	wantBlob(t, s, two)
}

func testDelete(t *testing.T, s blob.Store) {
	one, two := Bytes(1, 1000), Bytes(2, 1000)
	Put(t, s, one)
	Put(t, s, two)
	for range 2 {
		if err := s.Delete(t.Context(), Digest(one)); err != nil {
			t.Fatal(err)
		}
		wantAbsent(t, s, Digest(one))
		wantBlob(t, s, two)
		wantList(t, s, two)
	}
}

func testDeleteWhileReading(t *testing.T, s blob.Store) {
	data := Bytes(1, 5<<20)
	Put(t, s, data)
	r, err := s.Open(t.Context(), Digest(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]byte, len(data))
	if _, err := io.ReadFull(r, got[:1000]); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), Digest(data)); err != nil {
		t.Fatal(err)
	}
	n, err := io.ReadFull(r, got[1000:])
	if !bytes.Equal(got[:1000+n], data[:1000+n]) {
		t.Error("a reader of a deleted blob read other bytes")
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a reader of a deleted blob was told that it ends after %d bytes", 1000+n)
	}
	wantAbsent(t, s, Digest(data))
}

func testCommitAfterDelete(t *testing.T, s blob.Store) {
	data := Bytes(1, 100_000)
	up := upload(t, s, data)
	Put(t, s, data)
	if err := s.Delete(t.Context(), Digest(data)); err != nil {
		t.Fatal(err)
	}
	if err := up.Commit(Digest(data)); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, data)
}

// testCommitMends damages blobs by an upload that declares a wrong digest, in parts if
// the store would notice otherwise.
func testCommitMends(t *testing.T, s blob.Store) {
	for i, size := range []int{100_000, 11 << 20} {
		data := Bytes(uint64(i), size)
		d := Digest(data)
		for _, said := range []blob.Declared{{Size: -1}, {Size: int64(size)}, {Size: int64(size), Digest: &d}, {Size: -1, Overwrite: true}} {
			up := upload(t, s, Bytes(99, 6<<20))
			if err := up.Commit(d); err != nil {
				t.Fatal(err)
			}
			if n, err := s.Stat(t.Context(), d); n != 6<<20 || err != nil {
				t.Fatalf("it is not damaged: %d bytes, %v", n, err)
			}
			if err := declared(t, s, said, data, true); err != nil {
				t.Error(err)
			}
			wantBlob(t, s, data)
		}
	}
}

// testOverwrite damages blobs as testCommitMends does, with bytes of the same size.
func testOverwrite(t *testing.T, s blob.Store) {
	for i, size := range []int{0, 1000, 6 << 20, 11 << 20} {
		data := Bytes(uint64(i), size)
		d := Digest(data)
		for _, said := range []blob.Declared{{Size: -1}, {Size: int64(size)}, {Size: int64(size), Digest: &d}} {
			said.Overwrite = true
			up, err := s.Create(t.Context(), blob.Declared{Size: -1, Overwrite: true})
			if err != nil {
				t.Fatal(err)
			}
			write(t, up, Bytes(98, size))
			if err := up.Commit(d); err != nil && size >= 6<<20 { // a store may notice what is wrong with few bytes
				t.Fatal(err)
			}
			if err := declared(t, s, said, data, true); err != nil {
				t.Error(err)
			}
			wantBlob(t, s, data)
		}
	}
}

func testLeft(t *testing.T, s blob.Store) {
	tidier, ok := s.(blob.Tidier)
	if !ok {
		t.Skip("an upload leaves nothing in this store")
	}
	Put(t, s, Bytes(1, 1000))
	Put(t, s, Bytes(2, 11<<20))
	up := upload(t, s, Bytes(3, 11<<20))
	if n, err := tidier.Left(t.Context(), time.Now().Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("Left = %d, %v during an upload, want none of an hour ago", n, err)
	}
	if err := up.Abort(); err != nil {
		t.Fatal(err)
	}
	if n, err := tidier.Left(t.Context(), time.Now().Add(time.Hour)); err != nil || n != 0 {
		t.Errorf("Left = %d, %v, want none", n, err)
	}
}

func testList(t *testing.T, s blob.Store) {
	var all [][]byte
	for i := range 50 {
		all = append(all, Bytes(uint64(i), 10+i))
		Put(t, s, all[i])
	}
	up := upload(t, s, Bytes(99, 100_000))
	wantList(t, s, all...)
	if err := up.Abort(); err != nil {
		t.Fatal(err)
	}
	wantList(t, s, all...)

	of := Digest(all[0]).String()
	for _, prefix := range []string{of[:1], of[:2], of[:3], of, "00000000", of[:1] + "zz"} {
		want, got := map[string]bool{}, map[string]bool{}
		for _, b := range all {
			if d := Digest(b).String(); strings.HasPrefix(d, prefix) {
				want[d] = true
			}
		}
		for info, err := range s.List(t.Context(), prefix) {
			if err != nil {
				t.Fatalf("List of %s: %v", prefix, err)
			}
			got[info.Digest.String()] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("listed of %s (-want +got):\n%s", prefix, diff)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range s.List(ctx, "") {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("List of an ended context ends with %v, want %v", last, context.Canceled)
	}
}

func testListBreak(t *testing.T, s blob.Store) {
	for i := range 10 {
		Put(t, s, Bytes(uint64(i), 10))
	}
	seen := 0
	for _, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 3 {
			break
		}
	}
	if seen != 3 {
		t.Errorf("%d seen, want 3", seen)
	}
}

func testConcurrentCommits(t *testing.T, s blob.Store) {
	data := Bytes(1, 300_000)
	Put(t, s, data)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 3 {
				if err := put(t.Context(), s, data); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for range 10 {
				got, err := Read(t.Context(), s, Digest(data))
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("read %d bytes, %v, want all %d", len(got), err, len(data))
				}
				if n, err := s.Stat(t.Context(), Digest(data)); err != nil || n != int64(len(data)) {
					t.Errorf("Stat = %d, %v, want %d", n, err, len(data))
				}
			}
		})
	}
	wg.Wait()
	wantBlob(t, s, data)
	wantList(t, s, data)
}

func testCommitsAndDeletes(t *testing.T, s blob.Store) {
	data := Bytes(1, 100_000)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if err := put(t.Context(), s, data); err != nil {
					t.Error(err)
				}
				if got, err := Read(t.Context(), s, Digest(data)); err == nil && !bytes.Equal(got, data) {
					t.Errorf("read %d other bytes", len(got))
				}
				if err := s.Delete(t.Context(), Digest(data)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantAbsent(t, s, Digest(data))
	wantList(t, s)
}

func testBufferReuse(t *testing.T, s blob.Store) {
	data := Bytes(1, 1<<20)
	up := upload(t, s, nil)
	buf := make([]byte, 64<<10)
	for rest := data; len(rest) > 0; {
		n := copy(buf, rest)
		rest = rest[n:]
		write(t, up, buf[:n])
		clear(buf)
	}
	if err := up.Commit(Digest(data)); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, data)
}

// SetAside sets a blob aside.
func SetAside(t testing.TB, q blob.Quarantiner, d blob.Digest) {
	t.Helper()
	remove, err := q.Quarantine(t.Context(), d)
	if err == nil {
		err = remove()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func testQuarantine(t *testing.T, s blob.Store) {
	q, ok := s.(blob.Quarantiner)
	if !ok {
		t.Skip("it sets nothing aside")
	}
	data, other := Bytes(1, 100_000), Bytes(3, 1000)
	Put(t, s, other)
	for i := range 2 { // the second takes the place of the first
		wrong := Bytes(uint64(10+i), 6<<20) // in parts: else a store may notice
		if err := upload(t, s, wrong).Commit(Digest(data)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			SetAside(t, q, Digest(data))
			wantAbsent(t, s, Digest(data))
			wantList(t, s, other)
		}
	}
	wantTidy(t, s)
	Put(t, s, data)
	wantBlob(t, s, data)
	wantList(t, s, data, other)
	wantBlob(t, s, other)
}
