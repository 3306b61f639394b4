package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"syscall"

	"granary/internal/blob"
	"granary/internal/fault"
)

// Damage is a file whose bytes are not as they were published.
type Damage struct {
	Kind             blob.Damage
	Project          string // full path
	Package, Version string // "" for an upload
	File             FileName
	Digest           Digest
	Err              error
}

// origin is what a file belongs to, in the words of a Damage.
type origin struct{ project, pkg, version string }

// unreadable is what a failure to find or read a file comes to. Damage is told, and is
// no 404: the file is on record, and whoever asks must not take it for unpublished.
func (r *Registry) unreadable(ctx context.Context, from origin, f File, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	kind := damageOf(err)
	if kind == "" {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	if r.Damaged != nil {
		r.Damaged(ctx, Damage{kind, from.project, from.pkg, from.version, f.Name, f.Digest, err})
	}
	return fault.Wrap(fault.Damaged, "the bytes of this file are lost or damaged, please tell the administrator", err)
}

// damageOf is what has become of the bytes that could not be read; "" where the error
// does not say that anything has.
func damageOf(err error) blob.Damage {
	if e, ok := errors.AsType[*blob.DamageError](err); ok {
		return e.Damage
	}
	if errors.Is(err, blob.ErrNotFound) {
		return blob.Missing
	}
	return ""
}

// checkedFirst is up to how many bytes a file is hashed before its first byte is sent.
const checkedFirst = 64 << 10

// Unchecked reports that Check would read the file: it is small, and its bytes are
// still in the store.
func (c *Content) Unchecked() bool { return c.failed != nil && c.Size <= checkedFirst }

// Check reads a small file into memory and compares it with its digest, before
// anything is promised to the installer. A larger one it leaves to the reading.
func (c *Content) Check() error {
	if !c.Unchecked() {
		return nil
	}
	all := make([]byte, c.Size)
	_, err := io.ReadFull(c.ReadSeekCloser, all)
	if err == nil {
		err = blob.Verify(c.Digest, sha256.Sum256(all))
	}
	if err != nil {
		return c.failed(err)
	}
	_ = c.Close() // it was only read
	c.ReadSeekCloser, c.failed = inMemory{bytes.NewReader(all)}, nil
	return nil
}

// watched is the body of a file whose damage shows as it is read. Small ones have
// Check; a file that the kernel sends without a copy stays as it is.
func watched(body io.ReadSeekCloser, f File, failed func(error) error) io.ReadSeekCloser {
	if _, isFile := body.(syscall.Conn); isFile || f.Size <= checkedFirst {
		return body
	}
	return &watchedBody{ReadSeekCloser: body, f: f, failed: failed, sum: sha256.New()}
}

// watchedBody hashes what is read from the first byte to the last, wherever Seek goes
// meanwhile. If the hash is not the file's, the Read that has the last byte fails, so
// that nobody has all of the wrong bytes.
type watchedBody struct {
	io.ReadSeekCloser
	f      File
	failed func(error) error

	at     int64 // of the next byte
	sum    hash.Hash
	hashed int64 // bytes from the start that are in sum
}

// Read implements io.Reader.
func (w *watchedBody) Read(p []byte) (int, error) {
	n, err := w.ReadSeekCloser.Read(p)
	if w.at == w.hashed {
		w.sum.Write(p[:n])
		w.hashed += int64(n)
	}
	w.at += int64(n)
	if n > 0 && w.at == w.f.Size && w.hashed == w.f.Size {
		if bad := blob.Verify(w.f.Digest, Digest(w.sum.Sum(nil))); bad != nil {
			n, err = 0, bad
		}
	}
	if err != nil && err != io.EOF {
		err = w.failed(err)
	}
	return n, err
}

// Seek implements io.Seeker.
func (w *watchedBody) Seek(offset int64, whence int) (int64, error) {
	at, err := w.ReadSeekCloser.Seek(offset, whence)
	if err == nil {
		w.at = at
	}
	if err == nil && at == 0 {
		w.sum.Reset()
		w.hashed = 0
	}
	return at, err
}

// Plan implements blob.Planner.
func (w *watchedBody) Plan(ranges []Range) bool {
	p, ok := w.ReadSeekCloser.(blob.Planner)
	return !ok || p.Plan(ranges)
}
