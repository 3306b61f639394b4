package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
)

// Hash reads the stored bytes of a blob to their end, through a buffer of the caller's, and says
// which digest they have and how many there are. Errors are those of the store, or ctx's cause.
//
// It works in its caller's goroutine, for those who read many blobs at once. Sum reads ahead.
func Hash(ctx context.Context, s interface {
	Open(ctx context.Context, d Digest) (io.ReadSeekCloser, error)
}, d Digest, buffer []byte) (found Digest, size int64, err error) {
	r, err := OpenOnce(ctx, s, d)
	if err != nil {
		return found, 0, err
	}
	hash := sha256.New()
	for err == nil {
		var n int
		n, err = r.Read(buffer)
		hash.Write(buffer[:n])
		size += int64(n)
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return Digest(hash.Sum(nil)), size, errors.Join(err, r.Close())
}
