package blobtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"granary/internal/blob"
)

// Bytes makes size bytes that differ from those of every other seed.
func Bytes(seed uint64, size int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(key).Read(data) // never fails
	return data
}

// Digest is the digest of data.
func Digest(data []byte) blob.Digest { return sha256.Sum256(data) }

// Put stores data, or ends the test.
func Put(t testing.TB, s blob.Store, data []byte) {
	t.Helper()
	if err := put(t.Context(), s, data); err != nil {
		t.Fatal(err)
	}
}

func put(ctx context.Context, s blob.Store, data []byte) (err error) {
	up, err := s.Create(ctx, blob.Declared{Size: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.Abort()) }()
	if _, err := up.Write(data); err != nil {
		return err
	}
	return up.Commit(Digest(data))
}

// Read is the whole of a blob.
func Read(ctx context.Context, s blob.Store, d blob.Digest) ([]byte, error) {
	r, err := s.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}
