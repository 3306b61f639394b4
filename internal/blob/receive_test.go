package blob_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
)

func openDisk(t testing.TB) *disk.Store {
	t.Helper()
	s, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onlyReader hides what else a reader can do, and hands out at most n bytes at
// a time.
type onlyReader struct {
	r io.Reader
	n int
}

func (o onlyReader) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), o.n)]) }

// endsOnce must not be read again after its end.
type endsOnce struct {
	r     io.Reader
	ended bool
}

func (e *endsOnce) Read(p []byte) (int, error) {
	if e.ended {
		return 0, errors.New("read again after the end")
	}
	n, err := e.r.Read(p)
	e.ended = err != nil
	return n, err
}

func TestReceive(t *testing.T) {
	store := openDisk(t)
	const inline = 65536
	for _, size := range []int{0, 1, 4096, inline - 1, inline, inline + 1, 512<<10 - 1, 512 << 10, 512<<10 + 1, 3 << 20} {
		for _, length := range []int64{-1, int64(size)} {
			for _, body := range []func(io.Reader) io.Reader{
				func(r io.Reader) io.Reader { return r },
				iotest.DataErrReader,
				func(r io.Reader) io.Reader { return onlyReader{r, 1000} },
				func(r io.Reader) io.Reader { return &endsOnce{r: iotest.DataErrReader(r)} },
			} {
				data := blobtest.Bytes(uint64(size), size)
				digest := blobtest.Digest(data)
				l := blob.Limits{MaxSize: int64(size), Inline: inline, Length: length, Digest: &digest}
				r, err := blob.Receive(t.Context(), store, body(bytes.NewReader(data)), l)
				if err != nil {
					t.Fatalf("%d bytes, length %d: %v", size, length, err)
				}
				if small := r.Small != nil; small != (size <= inline) {
					t.Errorf("%d bytes, length %d: in memory is %v", size, length, small)
				}
				wantReceived(t, store, r, data)
			}
		}
	}
}

// wantReceived commits r and looks for its bytes where they should be.
func wantReceived(t *testing.T, store blob.Store, r *blob.Received, data []byte) {
	t.Helper()
	if r.Size != int64(len(data)) || r.Digest != blobtest.Digest(data) {
		t.Errorf("received %d bytes with %v, want %d with %v", r.Size, r.Digest, len(data), blobtest.Digest(data))
	}
	if err := r.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := r.Abort(); err != nil {
		t.Errorf("Abort after Commit: %v", err)
	}
	if r.Small != nil {
		if !bytes.Equal(r.Small, data) {
			t.Errorf("%d other bytes in memory", len(r.Small))
		}
		return
	}
	got, err := blobtest.Read(t.Context(), store, r.Digest)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes in the store, %v, want %d", len(got), err, len(data))
	}
}

func TestReceiveNothingInline(t *testing.T) {
	store := openDisk(t)
	for _, length := range []int64{-1, 0} {
		r, err := blob.Receive(t.Context(), store, strings.NewReader(""), blob.Limits{Length: length})
		if err != nil {
			t.Fatal(err)
		}
		if r.Small != nil {
			t.Error("an empty body was kept in memory though none should be")
		}
		wantReceived(t, store, r, nil)
	}
}

func TestReceiveBadBody(t *testing.T) {
	broken := errors.New("connection reset by peer")
	const inline = 100
	store := openDisk(t)
	for _, size := range []int{50, inline, inline + 1, 300_000, 2_000_000} { // in memory and streamed
		data := blobtest.Bytes(1, size)
		n, other := int64(size), blobtest.Digest([]byte("other"))
		whole := func() io.Reader { return bytes.NewReader(data) }
		ending := func(err error) io.Reader { return io.MultiReader(whole(), iotest.ErrReader(err)) }
		for _, c := range []struct {
			name string
			body io.Reader
			l    blob.Limits
			want error
			says string
		}{
			{"too large", whole(), blob.Limits{MaxSize: n - 1, Length: -1}, blob.ErrTooLarge, fmt.Sprintf("more than %d bytes", n-1)},
			{"declared too large", iotest.ErrReader(errors.New("was read")), blob.Limits{MaxSize: n - 1, Length: n}, blob.ErrTooLarge, fmt.Sprintf("%d bytes were declared, the limit is %d", n, n-1)},
			{"short", whole(), blob.Limits{Length: n + 1}, blob.ErrShort, fmt.Sprintf("%d bytes of the %d declared", n, n+1)},
			{"cut, length known", ending(io.ErrUnexpectedEOF), blob.Limits{Length: n + 1}, blob.ErrShort, fmt.Sprintf("%d bytes of the %d declared", n, n+1)},
			{"cut, length unknown", ending(io.ErrUnexpectedEOF), blob.Limits{Length: -1}, blob.ErrShort, fmt.Sprintf("after %d bytes", n)},
			{"long", whole(), blob.Limits{Length: n - 1}, blob.ErrBody, fmt.Sprintf("more than the %d bytes declared", n-1)},
			{"broken", ending(broken), blob.Limits{Length: -1}, broken, fmt.Sprintf("after %d bytes", n)},
			{"broken at its declared end", ending(broken), blob.Limits{Length: n}, broken, fmt.Sprintf("after %d bytes", n)},
			{"another digest", whole(), blob.Limits{Length: n, Digest: &other}, blob.ErrDigestMismatch, other.String()},
			{"another checksum", whole(), blob.Limits{Length: -1, Checksums: []blob.Checksum{{Algorithm: blob.CRC32C, Sum: other[:4]}}}, blob.ErrDigestMismatch, other.String()[:8]},
		} {
			t.Run(fmt.Sprintf("%d/%s", size, c.name), func(t *testing.T) {
				c.l.Inline = inline
				wantRefused(t, store, c.body, c.l, c.want, c.says)
			})
		}
	}
}

func wantRefused(t *testing.T, store blob.Store, body io.Reader, l blob.Limits, want error, says string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { // fails where a goroutine is left
		r, err := blob.Receive(t.Context(), store, body, l)
		if r != nil || !errors.Is(err, want) || !errors.Is(err, blob.ErrBody) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, %q; want %q, saying %q", r, err, want, says)
		}
		var digests *blob.DigestError
		if errors.As(err, &digests) && hex.EncodeToString(digests.Declared) != says {
			t.Errorf("declared %x, want %s", digests.Declared, says)
		}
	})
	wantEmpty(t, store)
}

func wantEmpty(t *testing.T, store blob.Store) {
	t.Helper()
	for info, err := range store.List(t.Context(), "") {
		t.Errorf("listed: %v, %v", info, err)
	}
}

// A body far larger than its limit is not read to its end.
func TestReceiveStopsReading(t *testing.T) {
	full := errors.New("full")
	for _, c := range []struct {
		name string
		l    blob.Limits
		want error
		most int64
	}{
		{"at the limit", blob.Limits{MaxSize: 1 << 20, Length: -1}, blob.ErrTooLarge, 2 << 20},
		{"at the declared length", blob.Limits{Length: 1 << 20}, blob.ErrBody, 2 << 20},
		{"when the store fails", blob.Limits{Length: -1}, full, 16 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := blobtest.NewFaulty(openDisk(t))
			store.Fail(blobtest.Fault{Op: blobtest.Write, Nth: 8, Err: full})
			body := &countingReader{r: endless{}}
			_, err := blob.Receive(t.Context(), store, body, c.l)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if body.n > c.most {
				t.Errorf("%d bytes were read, want at most %d", body.n, c.most)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// The context may end before, in the middle, or while all is read already.
func TestReceiveCancelled(t *testing.T) {
	gone := errors.New("server is going down")
	store := openDisk(t)
	for _, inline := range []int64{0, 64 << 10} {
		for _, after := range []int64{0, 1000, 1 << 20} {
			t.Run(fmt.Sprintf("inline %d after %d", inline, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					body := io.MultiReader(
						io.LimitReader(endless{}, after),
						readFunc(func(p []byte) (int, error) {
							time.Sleep(time.Second) // of the bubble's time
							cancel(gone)
							return 1, nil
						}),
						iotest.ErrReader(errors.New("read on")))
					r, err := blob.Receive(ctx, store, body, blob.Limits{Inline: inline, Length: -1})
					if r != nil || !errors.Is(err, gone) || errors.Is(err, blob.ErrBody) {
						t.Errorf("%v, %v, want %v", r, err, gone)
					}
				})
				wantEmpty(t, store)
			})
		}
	}
}

// A failing read ends the request's context in net/http before it says why. The
// sender is to hear why.
func TestReceiveFailingBody(t *testing.T) {
	store := openDisk(t)
	for _, after := range []int64{0, 1000, 100_000, 1 << 20, 3 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		body := io.MultiReader(io.LimitReader(endless{}, after), readFunc(func([]byte) (int, error) {
			cancel()
			return 0, os.ErrDeadlineExceeded
		}))
		_, err := blob.Receive(ctx, store, body, blob.Limits{Inline: 64 << 10, Length: 8 << 20})
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, blob.ErrBody) {
			t.Errorf("after %d bytes: %v", after, err)
		}
		wantEmpty(t, store)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
