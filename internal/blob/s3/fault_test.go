package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/s3/s3test"
)

// upload sizes that take each way: one part, and more than one.
func bodies() map[string]int { return map[string]int{"one": 100_000, "parts": 5<<20 + 1} }

func publish(t *testing.T, s blob.Store, data []byte, declared bool) error {
	t.Helper()
	l := blob.Limits{Length: -1}
	if d := blobtest.Digest(data); declared {
		l.Digest = &d
	}
	r, err := blob.Receive(t.Context(), s, bytes.NewReader(data), l)
	if err != nil {
		return err
	}
	return errors.Join(r.Commit(), r.Abort())
}

// TestUploadMendsItself: whatever goes wrong once, at whichever request of an
// upload, the upload succeeds, and nothing is left but the blob.
func TestUploadMendsItself(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	for _, kind := range []fault{refuse, slowDown, broken, cutBody, cutReply, lost, hang} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			for way, size := range bodies() {
				for _, declared := range []bool{false, true} {
					s, line := tapped(t, srv, fmt.Sprintf("mends/%s/%s/%v", kind, way, declared), kind)
					for n := 1; ; n++ {
						data := blobtest.Bytes(uint64(n), size)
						came := line.nth(n, false, kind)
						if err := publish(t, s, data, declared); err != nil {
							t.Errorf("%s declared %v, request %d: %v", way, declared, n, err)
						}
						line.set(nil)
						if got, err := blobtest.Read(t.Context(), s, blobtest.Digest(data)); err != nil || !bytes.Equal(got, data) {
							t.Errorf("%s declared %v, request %d: read %d bytes, %v", way, declared, n, len(got), err)
						}
						if !came() {
							break
						}
					}
				}
			}
		})
	}
}

// TestUploadFails: where the store stays away from some request on, the upload
// fails as the store's fault, nothing is visible or all of it is, a retry
// succeeds, and Tidy leaves nothing but blobs.
func TestUploadFails(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	for _, kind := range []fault{refuse, slowDown, cutBody, lost} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			for way, size := range bodies() {
				for _, declared := range []bool{false, true} {
					s, line := tapped(t, srv, fmt.Sprintf("fails/%s/%s/%v", kind, way, declared), kind)
					for n := 1; ; n++ {
						came := line.nth(n, true, kind)
						if failOnce(t, s, line, blobtest.Bytes(uint64(n), size), declared); !came() {
							break
						}
					}
					if _, err := s.Tidy(t.Context(), time.Now().Add(time.Hour)); err != nil {
						t.Error(err)
					}
					wantOnlyBlobs(t, s)
				}
			}
		})
	}
}

func failOnce(t *testing.T, s *Store, line *tap, data []byte, declared bool) {
	t.Helper()
	err := publish(t, s, data, declared)
	line.set(nil)
	if errors.Is(err, blob.ErrBody) || errors.Is(err, blob.ErrNotFound) {
		t.Errorf("%v: not the store's fault", err)
	}
	got, readErr := blobtest.Read(t.Context(), s, blobtest.Digest(data))
	switch {
	case err == nil && (readErr != nil || !bytes.Equal(got, data)):
		t.Errorf("published, and reads back as %d bytes, %v", len(got), readErr)
	case readErr != nil && !errors.Is(readErr, blob.ErrNotFound), readErr == nil && !bytes.Equal(got, data):
		t.Errorf("after %v it reads back as %d bytes, %v", err, len(got), readErr)
	}
	if err := publish(t, s, data, declared); err != nil {
		t.Errorf("the retry: %v", err)
	}
}

// TestStoreStandsStill: a store that takes connections and says nothing is given
// up, at every step.
func TestStoreStandsStill(t *testing.T) {
	t.Parallel()
	s, line := tapped(t, s3test.Start(t), "still", hang)
	data := blobtest.Bytes(1, 5<<20+1)
	for n := 1; n <= 3; n++ { // begin, the first part, the second
		line.nth(n, true, hang)
		failOnce(t, s, line, data, true)
		if err := s.Delete(t.Context(), blobtest.Digest(data)); err != nil {
			t.Fatal(err)
		}
	}
}

// wantOnlyBlobs looks below the store's prefix.
func wantOnlyBlobs(t *testing.T, s *Store) {
	t.Helper()
	for o, err := range s.client.objects(t.Context(), s.prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := s.digestOf(o.key); !ok {
			t.Errorf("left: %s", o.key)
		}
	}
	for u, err := range s.client.uploads(t.Context(), s.prefix) {
		t.Errorf("left: an unfinished upload to %s, %v", u.key, err)
	}
}

// TestReadMendsItself: a download whose line breaks, or stands still, goes on
// from where it broke; it never yields another byte, and where the store stays
// away it ends with an error that is no end.
func TestReadMendsItself(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s, line := tapped(t, srv, "read", hang)
	data := blobtest.Bytes(1, 3<<20)
	blobtest.Put(t, s, data)
	for _, kind := range []fault{refuse, slowDown, broken, cutReply, hang} {
		for _, always := range []bool{false, true} {
			r, err := s.Open(t.Context(), blobtest.Digest(data))
			if err != nil {
				t.Fatal(err)
			}
			line.nth(1, always, kind)
			got, err := io.ReadAll(r)
			line.set(nil)
			// Half of what is left each time is progress each time.
			wantErr := always && kind != cutReply
			if (err != nil) != wantErr || !bytes.Equal(got, data[:len(got)]) || err == nil && len(got) != len(data) {
				t.Errorf("%s, always %v: %d bytes, %v", kind, always, len(got), err)
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: %v looks like an end", kind, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if n := len(line.requests(isGet)); n < 10 {
		t.Errorf("only %d GETs", n)
	}
}

// TestReadOfAnotherVersion: an object that is replaced under a reader breaks the
// reader; it never gets the other's bytes.
func TestReadOfAnotherVersion(t *testing.T) {
	srv := s3test.Start(t)
	s, _ := tapped(t, srv, "replaced", "")
	data, other := blobtest.Bytes(1, 3<<20), blobtest.Bytes(2, 3<<20)
	blobtest.Put(t, s, data)
	d := blobtest.Digest(data)
	for _, from := range []int64{0, 1 << 20} {
		r, err := s.Open(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		put := func(data []byte) {
			if err := s.client.put(t.Context(), aim{key: s.key(d)}, bytes.NewReader(data), int64(len(data)), blobtest.Digest(data)); err != nil {
				t.Fatal(err)
			}
		}
		put(other)
		if _, err := r.Seek(from, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err == nil || len(got) > 0 {
			t.Errorf("from %d: read %d bytes of another object, %v", from, len(got), err)
		}
		_ = r.Close()
		put(data)
	}
}
