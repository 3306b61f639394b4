package registry

import (
	"bytes"
	"context"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/blob"
)

// finish ends every way that bytes come into a package. It asks again who sends them and
// whether that is allowed, if they took long, stores them, and records them: AddFile
// decides for good what the ticket was admitted with.
func (r *Registry) finish(ctx context.Context, a access.Actor, t ticket, received *blob.Received) (File, error) {
	a, err := r.again(ctx, t.Sender, t.at, a, func(a access.Actor) error { return r.askAgain(ctx, a, &t, received.Size) })
	if err != nil {
		return File{}, err
	}
	if t.known != nil {
		if received.Digest != t.known.Digest {
			return File{}, t.known.other
		}
		if t.known.damage == "" {
			return t.known.File, nil
		}
	}
	if err := r.store(ctx, received); err != nil {
		return File{}, err
	}
	f, err := r.Records.AddFile(ctx, r.publication(a, t, received))
	if err != nil || !f.Final || t.known != nil || received.Small == nil {
		return f, err
	}
	return r.repeat(ctx, a, t, f, received.Small)
}

// repeat is finish for bytes that a final version had already. They may be lost.
func (r *Registry) repeat(ctx context.Context, a access.Actor, t ticket, f File, body []byte) (File, error) {
	if err := r.admitKnown(ctx, &t, f); err != nil || t.known.damage == "" {
		return f, err
	}
	received, err := r.receive(ctx, t, bytes.NewReader(body))
	if err != nil {
		return f, storeFault(err)
	}
	defer func() { _ = received.Abort() }() // even if it fails, nothing is visible
	return r.finish(ctx, a, t, received)
}

// askAgain asks what a rule, a role or a setting may have changed since the ticket was
// made.
func (r *Registry) askAgain(ctx context.Context, a access.Actor, t *ticket, size int64) error {
	p, err := r.enter(ctx, a, t.ref, access.PublishPackage, genericDoor())
	if err == nil {
		err = checkProtection(p, a, t.Name)
	}
	if err != nil {
		return err
	}
	if limit := r.limit(p); limit > 0 && size > limit {
		return tooLarge(size, limit)
	}
	t.Project = p
	return r.chooseInto(ctx, a, t)
}

func (r *Registry) publication(a access.Actor, t ticket, received *blob.Received) Publication {
	now := r.Now()
	add := Publication{
		ProjectID: t.ProjectID, Coordinates: t.Coordinates, Size: received.Size, Digest: received.Digest, CRC32: &received.CRC32, Small: received.Small,
		Status: t.Status, Into: t.into, Unreleased: t.unreleased, CreatorID: a.UserID, PipelineID: a.JobPipelineID,
		NoDuplicate: !t.Duplicates.Permits(t.Coordinates), If: t.If, Now: now, Event: audit.New(a, audit.PackagePublished, now, t.entity()),
	}
	if !t.Draft { // who asks for a draft makes it final, too: the end of the job does not
		add.JobID = a.JobID
	}
	if t.known != nil {
		add.Restored, add.Event.Name = &t.known.File, audit.PackageFileRestored
		if t.known.Final {
			add.Status = nil // a final version takes no edit by a publish
		}
	}
	return add
}

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
	mended, err := r.mending(ctx, received.Digest)
	if err != nil {
		return err
	}
	if err := received.Commit(); err != nil {
		return storeFault(err)
	}
	return mended()
}
