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
	Marked           bool // it is known: a Scrub, a Recheck or a check has marked the blob
	Err              error
}

// origin is the project, package and version of a file, for a Damage.
type origin struct{ project, pkg, version string }

// unreadable is the error for a file that could not be found or read. Damage is
// reported to Damaged, and is no 404: the file is on record, and clients must not take
// it for unpublished.
func (r *Registry) unreadable(ctx context.Context, from origin, f File, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	kind := damageOf(err)
	if kind == "" {
		return fault.Wrap(fault.Unavailable, "", err)
	}
	mark, failed := r.Records.FindMark(ctx, f.Digest)
	if r.Damaged != nil {
		r.Damaged(ctx, Damage{kind, from.project, from.pkg, from.version, f.Name, f.Digest, failed == nil, err})
	}
	if failed == nil && mark.Kind != blob.Missing {
		return fault.Wrap(fault.Unavailable, knownDamage, err)
	}
	return fault.Wrap(fault.Damaged, "the bytes of this file are lost or damaged, please tell the administrator", err)
}

// knownDamage is the refusal of a file whose bytes are known to be wrong.
const knownDamage = "the stored bytes of this file are damaged, and are not served until they are restored: publish the same file again, or tell the administrator"

// damageOf is the damage that an error reports; "" if it reports none.
func damageOf(err error) blob.Damage {
	if e, ok := errors.AsType[*blob.DamageError](err); ok {
		return e.Damage
	}
	if errors.Is(err, blob.ErrNotFound) {
		return blob.Missing
	}
	return ""
}

// checkedFirst is the size up to which a file is hashed before its first byte is sent.
const checkedFirst = 64 << 10

// Unchecked reports whether Check would read the file: it is small and not in memory.
func (c *Content) Unchecked() bool { return c.failed != nil && c.Size <= checkedFirst }

// Check reads a small file into memory and compares it with its digest, before the
// response begins. A larger file is checked while it is read.
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

// watched is a body that reports damage while it is read. Small files have Check; a
// file that the kernel sends without a copy is not watched.
func watched(body io.ReadSeekCloser, f File, failed func(error) error) io.ReadSeekCloser {
	if _, isFile := body.(syscall.Conn); isFile || f.Size <= checkedFirst {
		return body
	}
	return &watchedBody{ReadSeekCloser: body, f: f, failed: failed, sum: sha256.New()}
}

// watchedBody hashes what is read from the first byte to the last, even if Seek is
// called in between. If the hash is wrong, the Read of the last byte fails, so that no
// client gets all of the wrong bytes.
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
