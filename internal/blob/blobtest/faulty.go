package blobtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"granary/internal/blob"
)

// ErrFault is the failure that Faulty makes by default.
var ErrFault = errors.New("blobtest: failed on purpose")

// Op is an operation of a Store or an Upload.
type Op string

// The operations that can be made to fail. Any is whichever comes.
const (
	Any    Op = ""
	Create Op = "create"
	Write  Op = "write"
	Commit Op = "commit"
	Abort  Op = "abort"
	Open   Op = "open"
	Stat   Op = "stat"
	Delete Op = "delete"
	List   Op = "list"
	Tidy   Op = "tidy"
	Left   Op = "left"

	PutNote    Op = "put note"
	Note       Op = "note"
	Notes      Op = "notes"
	DeleteNote Op = "delete note"
	Quarantine Op = "quarantine"
)

// Fault is one failure to come.
type Fault struct {
	Op  Op
	Nth int // fails at the n-th such operation from now, 1 being the next

	// Kept does the deed before failing, as a network does that loses the
	// answer; else nothing is done. It changes nothing for what has no effect.
	Kept bool

	Err error // nil: ErrFault
}

// Faulty is a Store that fails on purpose, once for each Fault, and is the
// Store inside otherwise. It is safe for concurrent use.
type Faulty struct {
	inner blob.Store

	mu     sync.Mutex
	fault  *Fault // nil: none is to come
	failed bool   // the last one set has come
}

// NewFaulty wraps a store.
func NewFaulty(inner blob.Store) *Faulty { return &Faulty{inner: inner} }

// Fail sets the failure to come, in place of one that has not come yet.
func (f *Faulty) Fail(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.failed = &fault, false
}

// Failed reports whether the failure last set has come. A test that fails the first,
// second, third, ... operation of a deed is through when it has not.
func (f *Faulty) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// do runs an operation, or fails as was asked for.
func (f *Faulty) do(op Op, deed func() error) error {
	fault := f.next(op)
	switch {
	case fault == nil:
		return deed()
	case fault.Kept:
		if err := deed(); err != nil {
			return err
		}
	}
	if fault.Err != nil {
		return fmt.Errorf("%s: %w", op, fault.Err)
	}
	return fmt.Errorf("%s: %w", op, ErrFault)
}

func (f *Faulty) next(op Op) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault == nil || f.fault.Op != Any && f.fault.Op != op {
		return nil
	}
	if f.fault.Nth--; f.fault.Nth > 0 {
		return nil
	}
	fault := f.fault
	f.fault, f.failed = nil, true
	return fault
}

// Create fails without beginning an upload, Kept or not: the caller could not end it.
func (f *Faulty) Create(ctx context.Context, d blob.Declared) (blob.Upload, error) {
	var up blob.Upload
	err := f.do(Create, func() (err error) {
		up, err = f.inner.Create(ctx, d)
		return err
	})
	if err != nil && up != nil {
		return nil, errors.Join(err, up.Abort())
	}
	if err != nil {
		return nil, err
	}
	return &faultyUpload{f: f, inner: up}, nil
}

// Open hands back the inner store's reader unchanged.
func (f *Faulty) Open(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, error) {
	var r io.ReadSeekCloser
	err := f.do(Open, func() (err error) {
		r, err = f.inner.Open(ctx, d)
		return err
	})
	if err != nil && r != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, err
}

// Stat may fail.
func (f *Faulty) Stat(ctx context.Context, d blob.Digest) (size int64, err error) {
	err = f.do(Stat, func() error {
		size, err = f.inner.Stat(ctx, d)
		return err
	})
	return size, err
}

// Delete may fail, Kept after deleting.
func (f *Faulty) Delete(ctx context.Context, d blob.Digest) error {
	return f.do(Delete, func() error { return f.inner.Delete(ctx, d) })
}

// List may fail: at its start, or Kept at its end.
func (f *Faulty) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		walk(f, List, f.inner.List(ctx, prefix), yield)
	}
}

func walk[T any](f *Faulty, op Op, inner iter.Seq2[T, error], yield func(T, error) bool) {
	stopped := false
	err := f.do(op, func() error {
		for info, err := range inner {
			if !yield(info, err) || err != nil {
				stopped = true
				break
			}
		}
		return nil
	})
	if err != nil && !stopped {
		var none T
		yield(none, err)
	}
}

// Tidy may fail, Kept after tidying. It does nothing if the Store inside is not a
// blob.Tidier.
func (f *Faulty) Tidy(ctx context.Context, before time.Time) (n int, err error) {
	inner, ok := f.inner.(blob.Tidier)
	if !ok {
		return 0, nil
	}
	err = f.do(Tidy, func() error {
		n, err = inner.Tidy(ctx, before)
		return err
	})
	return n, err
}

// Left may fail. It does nothing if the Store inside is not a blob.Tidier.
func (f *Faulty) Left(ctx context.Context, before time.Time) (n int, err error) {
	inner, ok := f.inner.(blob.Tidier)
	if !ok {
		return 0, nil
	}
	err = f.do(Left, func() error {
		n, err = inner.Left(ctx, before)
		return err
	})
	return n, err
}

// PutNote may fail, Kept after putting. Like all that is of notes, it needs a Store inside
// that is a blob.Notes, and panics without.
func (f *Faulty) PutNote(ctx context.Context, name string, r io.Reader, size int64) error {
	return f.do(PutNote, func() error { return f.inner.(blob.Notes).PutNote(ctx, name, r, size) })
}

// Note hands back the inner store's reader unchanged.
func (f *Faulty) Note(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	var r io.ReadSeekCloser
	err := f.do(Note, func() (err error) {
		r, err = f.inner.(blob.Notes).Note(ctx, name)
		return err
	})
	if err != nil && r != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, err
}

// Notes may fail: at its start, or Kept at its end.
func (f *Faulty) Notes(ctx context.Context, prefix string) iter.Seq2[blob.NoteInfo, error] {
	return func(yield func(blob.NoteInfo, error) bool) {
		walk(f, Notes, f.inner.(blob.Notes).Notes(ctx, prefix), yield)
	}
}

// DeleteNote may fail, Kept after deleting.
func (f *Faulty) DeleteNote(ctx context.Context, name string) error {
	return f.do(DeleteNote, func() error { return f.inner.(blob.Notes).DeleteNote(ctx, name) })
}

// Quarantine and what removes the blob may fail, Kept after doing it. It needs a Store
// inside that is a blob.Quarantiner, and panics without.
func (f *Faulty) Quarantine(ctx context.Context, d blob.Digest) (remove func() error, err error) {
	var end func() error
	err = f.do(Quarantine, func() (err error) {
		end, err = f.inner.(blob.Quarantiner).Quarantine(ctx, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	return func() error { return f.do(Quarantine, end) }, nil
}

type faultyUpload struct {
	f      *Faulty
	inner  blob.Upload
	failed error // a Write has; the upload can only be aborted
}

func (u *faultyUpload) Write(p []byte) (n int, err error) {
	err = u.f.do(Write, func() error {
		n, err = u.inner.Write(p)
		return err
	})
	if err != nil {
		u.failed = err
	}
	return n, err
}

// Commit that fails without being kept leaves nothing behind, as the contract
// has it: the upload is over either way.
func (u *faultyUpload) Commit(d blob.Digest) error {
	if u.failed != nil {
		return errors.Join(u.failed, u.inner.Abort())
	}
	err := u.f.do(Commit, func() error { return u.inner.Commit(d) })
	if err != nil {
		return errors.Join(err, u.inner.Abort())
	}
	return nil
}

func (u *faultyUpload) Abort() error { return u.f.do(Abort, u.inner.Abort) }
