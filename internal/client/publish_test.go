package client_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/client"
)

func TestPublish(t *testing.T) {
	for _, size := range []int{0, 1, 300 << 10, 3 << 20} {
		data := randomBytes(size)
		for _, declared := range []string{"", sumOf(data)} {
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got, err := io.ReadAll(r.Body)
				if err != nil || !bytes.Equal(got, data) || r.ContentLength != int64(size) || r.Header.Get("X-Checksum-SHA256") != declared {
					t.Errorf("%d bytes of %d, %v, %v", len(got), size, err, r.Header)
				}
				fmt.Fprintf(w, `{"id":1,"file_sha256":%q}`, sumOf(got))
			})
			u := upload(data)
			u.SHA256 = declared
			moved := int64(0)
			u.Progress = func(n int64) { moved += n }
			stored, err := c.Publish(t.Context(), u)
			if err != nil || !stored.Confirmed || stored.SHA256 != sumOf(data) || moved != int64(size) {
				t.Errorf("%d bytes: %+v, %d moved, %v", size, stored, moved, err)
			}
		}
	}
}

// Where the server does not know select=package_file, nothing is confirmed;
// where it stored something else, that is an error.
func TestPublishAnswers(t *testing.T) {
	for _, tt := range []struct {
		answer    string
		confirmed bool
		kind      client.Kind
		fails     bool
	}{
		{`{"message":"201 Created"}`, false, 0, false},
		{`{"file_sha256":"` + sumOf([]byte("data")) + `"}`, true, 0, false},
		{`{"file_sha256":"` + sumOf([]byte("other")) + `"}`, false, client.Damaged, true},
		{`<html>`, false, client.Failed, true},
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.answer) })
		stored, err := c.Publish(t.Context(), upload([]byte("data")))
		if stored.Confirmed != tt.confirmed || (err != nil) != tt.fails || client.KindOf(err) != tt.kind {
			t.Errorf("%s: %+v %v", tt.answer, stored, err)
		}
	}
}

// A publish whose answer is lost is not made twice; one that broke off is.
func TestPublishBroken(t *testing.T) {
	data := randomBytes(2 << 20)
	for _, tt := range []struct {
		reads bool // the first attempt is read to its end
		puts  int32
	}{{true, 1}, {false, 2}} {
		var puts atomic.Int32
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				if !tt.reads {
					http.NotFound(w, r)
				}
				w.Header().Set("X-Checksum-SHA256", sumOf(data))
				return
			}
			if puts.Add(1) == 1 {
				if tt.reads {
					_, _ = io.Copy(io.Discard, r.Body)
				} else {
					_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
				}
				panic(http.ErrAbortHandler)
			}
			got, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, `{"file_sha256":%q}`, sumOf(got))
		})
		u := upload(data)
		var moved atomic.Int64
		u.Progress = func(n int64) { moved.Add(n) }
		stored, err := c.Publish(t.Context(), u)
		if err != nil || !stored.Confirmed || stored.Theirs || puts.Load() != tt.puts || moved.Load() != int64(len(data)) {
			t.Errorf("read %v: %+v, %d puts, %d moved, %v", tt.reads, stored, puts.Load(), moved.Load(), err)
		}
	}
}

// A refused duplicate that is the same file is there: somebody was faster.
func TestPublishDuplicate(t *testing.T) {
	for _, there := range []string{"mine", "other"} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.Header().Set("X-Checksum-SHA256", sumOf([]byte(there)))
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(400)
			fmt.Fprint(w, `{"message":"400 Bad request - Duplicate package is not allowed"}`)
		})
		stored, err := c.Publish(t.Context(), upload([]byte("mine")))
		if (err == nil) != (there == "mine") || stored.Confirmed != (there == "mine") {
			t.Errorf("%s: %+v %v", there, stored, err)
		}
	}
}

// Who creates a file that somebody else has created is refused, unless it is the same
// file. The digest of what was not sent is looked for then.
func TestPublishCreate(t *testing.T) {
	big := randomBytes(2 << 20)
	for _, tt := range []struct {
		data  []byte
		there string // the digest on the server
	}{
		{[]byte("mine"), sumOf([]byte("mine"))}, {[]byte("mine"), sumOf([]byte("other"))}, {[]byte("mine"), ""},
		{big, sumOf(big)}, {big, sumOf([]byte("other"))},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodHead:
				w.Header().Set("X-Checksum-SHA256", tt.there)
			case r.Method == http.MethodGet: // the lists
				fmt.Fprint(w, `[]`)
			case r.Header.Get("If-None-Match") != "*":
				t.Error("no condition was sent")
			default: // before the body
				w.WriteHeader(412)
				fmt.Fprint(w, `{"message":"412 Precondition Failed - the file is there"}`)
			}
		})
		u := upload(tt.data)
		u.Create = true
		same := tt.there == sumOf(tt.data)
		stored, err := c.Publish(t.Context(), u)
		if (err == nil) != same || stored.Confirmed != same || stored.Theirs != same || !same && client.KindOf(err) != client.Refused {
			t.Errorf("%d bytes, %q there: %+v %v", len(tt.data), tt.there, stored, err)
		}
	}
}

// Bytes that are not those of the declared digest never arrive whole.
func TestPublishChanged(t *testing.T) {
	for _, size := range []int{1, 300 << 10, 3 << 20} {
		data := randomBytes(size)
		c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			if n, err := io.Copy(io.Discard, r.Body); err == nil {
				t.Errorf("all %d bytes arrived", n)
			}
		})
		u := upload(data)
		u.SHA256 = sumOf([]byte("what was there before"))
		if _, err := c.Publish(t.Context(), u); client.KindOf(err) != client.Local || !strings.Contains(err.Error(), "changed while it was sent") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// Transfers that go on together share the rate of their client.
func TestPublishRate(t *testing.T) {
	const size, rate = 50 << 10, 1 << 20
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, `{}`)
	}))
	t.Cleanup(s.Close)
	c := newClient(t, client.Config{Server: s.URL, Rate: rate})
	began := time.Now()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := c.Publish(t.Context(), upload(randomBytes(size))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if took, least := time.Since(began), time.Second*4*size/rate; took < least {
		t.Errorf("4 times %d bytes took %v, want %v at least", size, took, least)
	}
}

// A file that is not what its size said is no reason to try again.
func TestPublishLocalFault(t *testing.T) {
	var calls atomic.Int32
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
	})
	u := upload([]byte("short"))
	u.Size = 10
	if _, err := c.Publish(t.Context(), u); client.KindOf(err) != client.Local || calls.Load() > 1 {
		t.Errorf("%d calls: %v", calls.Load(), err)
	}
	u.Open = func() (io.ReadCloser, error) { return nil, os.ErrNotExist }
	if _, err := c.Publish(t.Context(), u); client.KindOf(err) != client.Local || !strings.Contains(err.Error(), "not exist") {
		t.Error(err)
	}
}
