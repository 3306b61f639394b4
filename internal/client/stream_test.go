package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"granary/internal/client"
)

// target takes a file, and notes whether it came whole.
func target(t *testing.T, want []byte) (c *client.Client, whole *atomic.Int32, puts *atomic.Int32) {
	t.Helper()
	whole, puts = new(atomic.Int32), new(atomic.Int32)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			http.NotFound(w, r)
			return
		}
		puts.Add(1)
		got, err := io.ReadAll(r.Body)
		if err != nil {
			return // as a server that publishes nothing
		}
		whole.Add(1)
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes, want %d", len(got), len(want))
		}
		fmt.Fprintf(w, `{"file_sha256":%q}`, sumOf(got))
	}), whole, puts
}

// A stream passes files of every size from server to server, over connections to
// the source that break, without asking again for what has come.
func TestStream(t *testing.T) {
	for _, size := range []int{0, 1, 300 << 10, 5 << 20} {
		for _, told := range []bool{true, false} { // the source's list has a digest
			s := &store{data: randomBytes(size), tag: `"tag"`, cuts: []int{size / 3, size / 7}}
			source := serve(t, s.ServeHTTP)
			to, whole, puts := target(t, s.data)
			f := client.File{Path: file().Path, Size: int64(size)}
			if told {
				f.SHA256 = sumOf(s.data)
			}
			u := upload(nil)
			u.Size, u.SHA256 = f.Size, f.SHA256
			u.Open = func() (io.ReadCloser, error) { return source.Stream(t.Context(), file(), f), nil }
			stored, err := to.Publish(t.Context(), u)
			if err != nil || !stored.Confirmed || whole.Load() != 1 || puts.Load() != 1 || s.sent > size+1<<20 {
				t.Errorf("%d bytes, digest %v: %+v, %d whole of %d puts, %d sent, %v", size, told, stored, whole.Load(), puts.Load(), s.sent, err)
			}
		}
	}
}

// Bytes that are not what the source's list says are never whole at the target, and
// are not asked for again. The error names the source.
func TestStreamDamaged(t *testing.T) {
	data := randomBytes(3 << 20)
	for name, f := range map[string]client.File{
		"digest":  {Size: 3 << 20, SHA256: sumOf([]byte("other"))},
		"longer":  {Size: 2 << 20, SHA256: sumOf(data[:2<<20])},
		"shorter": {Size: 4 << 20, SHA256: sumOf(data)},
	} {
		s := &store{data: data}
		source := serve(t, s.ServeHTTP)
		to, whole, puts := target(t, nil)
		u := upload(nil)
		u.Size, u.SHA256 = f.Size, f.SHA256
		u.Open = func() (io.ReadCloser, error) { return source.Stream(t.Context(), file(), f), nil }
		_, err := to.Publish(t.Context(), u)
		if err == nil || !strings.Contains(err.Error(), "reading from 127.0.0.1") || whole.Load() != 0 || puts.Load() > 1 || len(s.ranges) != 1 {
			t.Errorf("%s: %d whole of %d puts, asked %d times, %v", name, whole.Load(), puts.Load(), len(s.ranges), err)
		}
	}
}

// A source that refuses is told with its own status; one that fails is tried as
// often as any call, and not as often as both calls together.
func TestStreamRefused(t *testing.T) {
	for _, tt := range []struct {
		status int
		asked  int32
	}{{404, 1}, {503, client.DefaultAttempts}} {
		var asked atomic.Int32
		source := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(tt.status)
		})
		to, whole, _ := target(t, nil)
		u := upload(nil)
		u.Size = 10
		u.Open = func() (io.ReadCloser, error) {
			return source.Stream(t.Context(), file(), client.File{Size: 10}), nil
		}
		_, err := to.Publish(t.Context(), u)
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Status != tt.status || whole.Load() != 0 || asked.Load() != tt.asked {
			t.Errorf("%d: asked %d times, %v", tt.status, asked.Load(), err)
		}
	}
}
