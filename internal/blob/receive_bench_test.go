package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

// The yardstick for the others: SHA-256 of the same bytes on one core.
func BenchmarkHashAlone(b *testing.B) {
	data := blobtest.Bytes(1, 64<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		sha256.Sum256(data)
	}
}

func BenchmarkReceive(b *testing.B) {
	const kept = 64 << 10
	b.Run("4KiB/inline", func(b *testing.B) { benchReceive(b, nil, 4<<10, kept) })
	b.Run("100KiB/nowhere", func(b *testing.B) { benchReceive(b, nowhere{}, 100<<10, kept) })
	b.Run("64MiB/nowhere", func(b *testing.B) { benchReceive(b, nowhere{}, 64<<20, kept) })
	b.Run("100KiB/disk", func(b *testing.B) { benchReceive(b, openDisk(b), 100<<10, kept) })
	b.Run("64MiB/disk", func(b *testing.B) { benchReceive(b, openDisk(b), 64<<20, kept) })
}

// benchReceive receives and commits the same body over and over. A store may
// know it already; the disk writes it all the same.
func benchReceive(b *testing.B, store blob.Store, size, inline int64) {
	data := blobtest.Bytes(1, int(size))
	body := bytes.NewReader(data)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(data)
		// One Read at a time, as from a connection: bytes.Reader's WriteTo
		// must not be found.
		r, err := blob.Receive(b.Context(), store, struct{ io.Reader }{body}, blob.Limits{Inline: inline, Length: size})
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReceiveMany is as many 100 KiB bodies at once as a busy server has,
// where buffers that are not used again would be seen.
func BenchmarkReceiveMany(b *testing.B) {
	data := blobtest.Bytes(1, 100<<10)
	for _, store := range []blob.Store{nowhere{}, openDisk(b)} {
		b.Run(fmt.Sprintf("%T", store), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.SetParallelism(8)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, err := blob.Receive(context.Background(), store, bytes.NewReader(data), blob.Limits{Length: int64(len(data))})
					if err == nil {
						err = r.Commit()
					}
					if err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// nowhere is a store without a bottom.
type nowhere struct{ blob.Store }

func (nowhere) Create(context.Context, blob.Declared) (blob.Upload, error) {
	return nowhereUpload{}, nil
}

type nowhereUpload struct{}

func (nowhereUpload) Write(p []byte) (int, error) { return len(p), nil }
func (nowhereUpload) Commit(blob.Digest) error    { return nil }
func (nowhereUpload) Abort() error                { return nil }
