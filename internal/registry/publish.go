package registry

import (
	"context"
	"errors"
	"io"
	"strings"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/gate"
)

// PublishOptions is what a publisher sends besides the bytes.
type PublishOptions struct {
	Status    *Status      // for the whole package; nil keeps it
	Length    int64        // declared length in bytes, -1 for unknown
	Digest    *blob.Digest // declared SHA-256, nil for none
	Checksums []Checksum   // other declared ones, at most one of each algorithm
	If        *Condition   // nil for none
	Sender    Sender       // is asked again after a slow body; nil skips that
	Bad       error        // what is wrong with the options, reported together with wrong names; nil for nothing
}

// Publish adds a file to a package, making the package if it is new. Credentials are
// checked before parameters, and these before the rest (contract generic-packages
// 0.5). When it returns without error the bytes and the record are durable. If it
// fails, nothing half-written is visible; the sweep removes bytes that nothing refers
// to.
func (r *Registry) Publish(ctx context.Context, a access.Actor, project string, raw Raw, body io.Reader, o PublishOptions) (File, error) {
	p, c, err := r.target(ctx, a, project, raw, access.PublishPackage, o.Bad)
	if err != nil {
		return File{}, err
	}
	lost, err := r.admit(ctx, p, a, c, o)
	if err != nil {
		return File{}, err
	}
	limits := blob.Limits{MaxSize: r.limit(p), Inline: r.InlineMax, Length: o.Length, Digest: o.Digest, Checksums: o.Checksums}
	if lost != nil {
		limits.Inline = lost.inline // its record says whether they are in the database
		limits.Overwrite = lost.damage == blob.OtherBytes
	}
	began := r.Now()
	received, err := blob.Receive(ctx, r.Blobs, body, limits)
	if err != nil {
		return File{}, receiveFault(err, o.Length, r.limit(p))
	}
	defer func() { _ = received.Abort() }() // even if it fails, nothing is visible
	a, p, err = r.again(ctx, o.Sender, began, a, p, func(a access.Actor) (Project, error) {
		now, err := r.enter(ctx, a, project, access.PublishPackage, genericDoor())
		if err == nil {
			err = checkProtection(now, a, c.Name)
		}
		return now, err
	})
	if err != nil {
		return File{}, err
	}
	if lost != nil && received.Digest != lost.Digest {
		return File{}, ErrDuplicate()
	}
	if err := r.store(ctx, received); err != nil {
		return File{}, err
	}
	now := r.Now()
	add := Publication{
		ProjectID: p.ProjectID, Coordinates: c, Size: received.Size, Digest: received.Digest, CRC32: &received.CRC32, Small: received.Small,
		Status: o.Status, CreatorID: a.UserID, PipelineID: a.JobPipelineID,
		NoDuplicate: !p.Duplicates.Permits(c), If: o.If, Now: now, Event: audit.New(a, audit.PackagePublished, now, p.entity()),
	}
	if lost != nil {
		add.Restored, add.Event.Name = &lost.File, audit.PackageFileRestored
	}
	return r.Records.AddFile(ctx, add)
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

// admit checks what can be checked before the body is read. If the name may have no
// second file, and the store has lost the bytes of its file, it returns that file: its
// own bytes are accepted again, without a new record.
func (r *Registry) admit(ctx context.Context, p Project, a access.Actor, c Coordinates, o PublishOptions) (lost *lostFile, err error) {
	if err := checkProtection(p, a, c.Name); err != nil {
		return nil, err
	}
	if err := r.checkSpace(); err != nil {
		return nil, err
	}
	if limit := r.limit(p); limit > 0 && o.Length > limit {
		return nil, tooLarge(o.Length, limit)
	}
	single := !p.Duplicates.Permits(c)
	if !single && o.If == nil {
		return nil, nil
	}
	// AddFile decides; this check spares the upload. A condition is evaluated last:
	// it counts only if the request would succeed without it (RFC 9110 13.2.1).
	f, small, err := r.Records.FindFile(ctx, p.ProjectID, c)
	lost = &lostFile{File: f, damage: damageOf(err)}
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, o.If.Judge(nil)
	case err != nil && lost.damage == "":
		return nil, err
	case !single:
		return nil, o.If.Judge(&f.Digest)
	case o.Digest != nil && *o.Digest != f.Digest:
		return nil, ErrDuplicate()
	case lost.damage != "":
		lost.inline = max(r.InlineMax, f.Size)
	case small == nil:
		lost.damage = r.damage(ctx, f)
	}
	if lost.damage == "" {
		return nil, ErrDuplicate()
	}
	return lost, o.If.Judge(&f.Digest)
}

// lostFile is a file whose bytes are lost or damaged.
type lostFile struct {
	File
	damage blob.Damage
	inline int64 // blob.Limits.Inline for its bytes: they go where they were
}

// damage is the damage of a file in the store; "" if its bytes are right, or large and
// of the right size, or the store does not answer.
func (r *Registry) damage(ctx context.Context, f File) blob.Damage {
	body, err := r.Blobs.Open(ctx, f.Digest)
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

// store makes the bytes durable under their digest. The row comes first, so that the
// sweep knows of all bytes. The store is always asked for the bytes: the row proves
// nothing. Small bytes are stored with their record.
func (r *Registry) store(ctx context.Context, received *blob.Received) error {
	if received.Small != nil {
		return nil
	}
	if err := r.Records.PinBlob(ctx, received.Digest, received.Size, r.Now()); err != nil {
		return err
	}
	if err := received.Commit(); err != nil {
		return storeFault(err)
	}
	return nil
}

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
