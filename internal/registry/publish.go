package registry

import (
	"context"
	"errors"
	"io"
	"strings"

	"granary/internal/access"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/gate"
)

// PublishOptions is what a publisher sends besides the bytes.
type PublishOptions struct {
	Draft     bool       // into a draft; an open version refuses it
	Status    *Status    // for the whole package; nil keeps it
	Length    int64      // declared length in bytes, -1 for unknown
	Digest    *Digest    // declared SHA-256, nil for none
	Checksums []Checksum // other declared ones, at most one of each algorithm
	If        *Condition // nil for none
	Sender    Sender     // is asked again after a slow body; nil skips that
	Bad       error      // what is wrong with the options, reported together with wrong names; nil for nothing
}

// Publish adds a file to a package, making the package if it is new. Credentials are
// checked before parameters, and these before the rest (contract generic-packages
// 0.5). When it returns without error the bytes and the record are durable. If it
// fails, nothing half-written is visible; the sweep removes bytes that nothing refers
// to. Conflict if the version does not take the file (Number.Admit).
func (r *Registry) Publish(ctx context.Context, a access.Actor, project string, raw Raw, body io.Reader, o PublishOptions) (File, error) {
	t, err := r.admit(ctx, a, project, raw, o)
	if err != nil {
		return File{}, err
	}
	received, err := r.receive(ctx, t, body)
	if err != nil {
		return File{}, receiveFault(err, o.Length, r.limit(t.Project))
	}
	defer func() { _ = received.Abort() }() // even if it fails, nothing is visible
	return r.finish(ctx, a, t, received)
}

// target is the project and coordinates of what an actor wants to publish or change, and
// has the right to. bad is what is wrong besides the names; nil for nothing.
func (r *Registry) target(ctx context.Context, a access.Actor, project string, raw Raw, right access.Action, bad error) (Project, Coordinates, error) {
	if err := gate.Token(a, right, ""); err != nil {
		return Project{}, Coordinates{}, err
	}
	p, missing := r.place(ctx, a, project, "")
	c, err := r.coordinates(a, p, missing, raw)
	if err = joinInvalid(err, bad); err == nil {
		err = missing
	}
	if err == nil {
		err = r.judge(a, p, right, genericDoor())
	}
	return p, c, err
}

// damage is the damage of a file in the store; "" if its bytes are right, or large and
// of the right size, or the store does not answer.
func (r *Registry) damage(ctx context.Context, f File) blob.Damage {
	body, err := r.openStored(ctx, f.Digest)
	if err != nil {
		return damageOf(err)
	}
	c := &Content{File: f, ReadSeekCloser: body, failed: func(err error) error { return err }}
	if err = checkSize(body, f); err == nil {
		err = c.Check()
	}
	_ = c.Close() // it was only read
	return damageOf(err)
}

// checkSpace refuses files while deletions use the space that is held back for them.
func (r *Registry) checkSpace() error {
	if r.Full != nil && r.Full() {
		return fault.New(fault.Unavailable, noSpace)
	}
	return nil
}

// noSpace is the refusal if the disk is full.
const noSpace = "no space left on the server"

// receiveFault turns an error of blob.Receive into a fault of the body or of the
// store.
func receiveFault(err error, length, limit int64) error {
	switch {
	case errors.Is(err, blob.ErrTooLarge):
		return tooLarge(length, limit)
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Refused, "the client went away before the body ended", err)
	case errors.Is(err, blob.ErrBody) && timedOut(err):
		return fault.Wrap(fault.Timeout, "the body made no progress for too long", err)
	case errors.Is(err, blob.ErrBody):
		return fault.Wrap(fault.Refused, strings.TrimPrefix(err.Error(), blob.ErrBody.Error()+": "), err)
	}
	return storeFault(err)
}

// timedOut reports whether a body was given up because its sender was too slow.
func timedOut(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && e.Timeout()
}

// storeFault hides the store's details, but not a full disk, which the sender should
// know of.
func storeFault(err error) error {
	if errors.Is(err, blob.ErrNoSpace) {
		return fault.Wrap(fault.Unavailable, noSpace, err)
	}
	return fault.Wrap(fault.Unavailable, "", err)
}
