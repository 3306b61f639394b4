package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"granary/internal/blob"
	"granary/internal/fault"
)

// Mend says where a Check gets right bytes from, and where it puts them.
type Mend struct {
	From blob.Source
	Into blob.Store // the store that is checked
}

var (
	errNotThere   = errors.New("it has no such bytes")
	errAlsoWrong  = errors.New("its bytes are damaged, too")
	errStillWrong = errors.New("they were written, and do not read back")
)

// mend puts right bytes where a file has none or others, and notes in f whether it did.
func (c *checkRun) mend(ctx context.Context, k BlobRow, f *Finding) {
	if c.Mend == nil || f.Kind == WrongRecord {
		return
	}
	err := c.Mend.bytes(ctx, c.Records, k, f.Kind != MissingBytes)
	if err == nil {
		var after Finding
		if after, err = c.look(ctx, k, true); err == nil && after.Kind != "" {
			err = errStillWrong
		}
	}
	f.Mended = err == nil
	if err != nil {
		f.Refusal = err.Error()
	}
}

// bytes copies a blob. overwrite says that there are other bytes in its place.
func (m *Mend) bytes(ctx context.Context, to Checking, k BlobRow, overwrite bool) error {
	r, err := m.From.Open(ctx, k.Digest)
	if errors.Is(err, blob.ErrNotFound) {
		return errNotThere
	}
	if err != nil {
		return err
	}
	defer r.Close()
	if k.inline() {
		return mendContent(ctx, to, k, r)
	}
	received, err := blob.Receive(ctx, m.Into, r, blob.Limits{Length: k.Size, Digest: &k.Digest, Overwrite: overwrite})
	if errors.Is(err, blob.ErrDigestMismatch) || errors.Is(err, blob.ErrShort) {
		return errAlsoWrong
	}
	if err != nil {
		return err
	}
	return errors.Join(received.Commit(), received.Abort())
}

// mendContent is for bytes that the database keeps.
func mendContent(ctx context.Context, to Checking, k BlobRow, r io.Reader) error {
	content, err := io.ReadAll(io.LimitReader(r, k.Size+1))
	if err != nil {
		return err
	}
	if sha256.Sum256(content) != k.Digest {
		return errAlsoWrong
	}
	err = to.MendContent(ctx, k.Digest, content)
	if fault.Is(err, fault.NotFound) {
		return fmt.Errorf("the database keeps none any more: %w", err)
	}
	return err
}
