package blob

import (
	"errors"
	"fmt"
)

// What can be wrong with a body. All of them are ErrBody to errors.Is: the
// sender is at fault, or the line between, and the store is not. The messages
// name the figures and hold nothing that the sender does not know already.
var (
	// ErrBody says that the bytes could not be had, or are not those promised.
	ErrBody = errors.New("blob: bad body")

	// ErrTooLarge says that a body is, or was declared to be, larger than
	// Limits.MaxSize.
	ErrTooLarge = fmt.Errorf("%w: too large", ErrBody)

	// ErrShort says that a body ended before its declared length, or in the
	// middle of its transfer encoding.
	ErrShort = fmt.Errorf("%w: cut short", ErrBody)

	// ErrDigestMismatch is what a *DigestError is to errors.Is.
	ErrDigestMismatch = fmt.Errorf("%w: other digest", ErrBody)
)

// DigestError says that a body is whole but not the one declared.
type DigestError struct {
	Algorithm Algorithm
	Declared  []byte // what the sender said
	Computed  []byte // what the bytes came to
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%v: %s %x was declared, the bytes have %x", ErrDigestMismatch, e.Algorithm, e.Declared, e.Computed)
}

// Unwrap is ErrDigestMismatch, which is ErrBody.
func (e *DigestError) Unwrap() error { return ErrDigestMismatch }

// Damage is how a store's blob differs from the one that was committed.
type Damage string

// The kinds of damage. A store that does not answer is none of these.
const (
	Missing    Damage = "missing" // there is nothing: ErrNotFound
	OtherSize  Damage = "size"
	OtherBytes Damage = "digest"
)

// DamageError says that what is kept under a digest is not its blob.
type DamageError struct {
	Damage Damage
	Reason string // with the figures
}

func (e *DamageError) Error() string { return "blob: damaged: " + e.Reason }

// Verify returns a *DamageError if the bytes kept under a digest, of which found is
// the SHA-256, are not its blob.
func Verify(d, found Digest) error {
	if found != d {
		return &DamageError{OtherBytes, fmt.Sprintf("the bytes kept as %s have the SHA-256 %s", d, found)}
	}
	return nil
}

// abortError is an error with what went wrong in cleaning up after it, which
// adds words and changes nothing.
type abortError struct{ first, aborting error }

func (e *abortError) Error() string {
	return e.first.Error() + " (and aborting the upload: " + e.aborting.Error() + ")"
}

// Unwrap is the first error alone.
func (e *abortError) Unwrap() error { return e.first }
