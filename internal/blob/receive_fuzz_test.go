package blob_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"granary/internal/blob"
)

// Whatever the limits and however the body comes in: it is refused for the
// reason that is true, or received with the digest of its bytes.
func FuzzReceive(f *testing.F) {
	f.Add(uint64(1), uint32(0), int64(0), int64(0), int64(0), false)
	f.Add(uint64(2), uint32(1000), int64(1000), int64(999), int64(-1), true)
	f.Add(uint64(3), uint32(300_000), int64(0), int64(65536), int64(300_000), false)
	f.Add(uint64(4), uint32(65537), int64(0), int64(65536), int64(-1), false)
	f.Add(uint64(5), uint32(100_000), int64(99_999), int64(0), int64(-1), false)
	f.Add(uint64(6), uint32(70_000), int64(0), int64(65536), int64(69_999), true)
	f.Fuzz(func(t *testing.T, seed uint64, size uint32, max, inline, length int64, declare bool) {
		data := make([]byte, size%(2<<20))
		rng := rand.New(rand.NewPCG(seed, 0))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		want := blob.Digest(sha256.Sum256(data))
		l := blob.Limits{MaxSize: max, Inline: inline % (1 << 20), Length: length}
		if declare {
			l.Digest = &want
		}
		store := &memStore{}
		r, err := blob.Receive(t.Context(), store, &chunkReader{data: data, rng: rng}, l)
		n := int64(len(data))
		switch {
		case max > 0 && (n > max || length > max) && !errors.Is(err, blob.ErrTooLarge) && n <= length:
			t.Errorf("%d of %d bytes, declared %d: %v", n, max, length, err)
		case max > 0 && n > max || length >= 0 && n != length:
			if !errors.Is(err, blob.ErrBody) {
				t.Errorf("%d of %d bytes, declared %d: %v", n, max, length, err)
			}
			if n < length && !errors.Is(err, blob.ErrShort) && !errors.Is(err, blob.ErrTooLarge) {
				t.Errorf("%d bytes, declared %d: %v", n, length, err)
			}
		case err != nil:
			t.Errorf("%d of %d bytes, declared %d: %v", n, max, length, err)
		case r.Digest != want || r.Size != n || (r.Small != nil) != (l.Inline > 0 && n <= l.Inline):
			t.Errorf("%v, %d, in memory %v of at most %d", r.Digest, r.Size, r.Small != nil, l.Inline)
		case r.Small != nil && !bytes.Equal(r.Small, data), r.Small == nil && !bytes.Equal(store.up.Bytes(), data):
			t.Error("other bytes")
		}
		if err != nil && store.up != nil && !store.up.aborted {
			t.Error("not aborted")
		}
	})
}

// chunkReader hands out pieces of random size, nothing at times, and its EOF
// with the last of them or after it.
type chunkReader struct {
	data []byte
	rng  *rand.Rand
}

func (c *chunkReader) Read(p []byte) (int, error) {
	n := copy(p, c.data[:min(len(c.data), c.rng.IntN(1<<c.rng.IntN(20)))])
	c.data = c.data[n:]
	if len(c.data) == 0 && c.rng.IntN(2) == 0 {
		return n, io.EOF
	}
	return n, nil
}
