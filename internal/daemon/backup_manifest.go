package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"granary/internal/blob"
	"granary/internal/records"
)

// Each snapshot has its manifest twice. A backup writes the records, the manifest, and then the
// copy; a forget removes the copy first. So records alone are what a backup or a forget that was
// killed has left, and a copy without its manifest tells that the manifest was lost.

// snapshotIn reads the manifest of a snapshot, or its copy if that cannot be. The error is
// blob.ErrNotFound to errors.Is if neither is there.
func snapshotIn(ctx context.Context, from blob.Source, id string) (Snapshot, error) {
	s := Snapshot{ID: id}
	m, err := manifestIn(ctx, from, manifestNote(id), id)
	if err == nil {
		s.Manifest = m
		return s, nil
	}
	damage := manifestDamage(err)
	copied, failed := manifestIn(ctx, from, manifestCopyOf(id), id)
	switch missing := errors.Is(failed, blob.ErrNotFound); {
	case damage == "" || missing && errors.Is(err, blob.ErrNotFound): // it is gone, or the place does not answer
		return s, fmt.Errorf("the snapshot %s: %w", id, err)
	case failed == nil:
		s.Manifest, s.FromCopy = copied, damage
		return s, nil
	case manifestDamage(failed) == "":
		return s, fmt.Errorf("the snapshot %s: %w", id, failed)
	case !missing:
		damage += ", and its copy does not help: " + manifestDamage(failed)
	}
	s.Damage, s.Cure = damage, cureOf(err)
	return s, nil
}

// manifestDamage is what an error of manifestIn says of the manifest; "" if it says nothing of it.
func manifestDamage(err error) string {
	u, unreadable := errors.AsType[*blob.UnreadableError](err)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return "the manifest is missing"
	case unreadable:
		return "the manifest " + u.Error()
	case errors.Is(err, records.ErrManifest) || errors.Is(err, records.ErrNewer):
		return err.Error()
	}
	return ""
}

// manifestIn reads the manifest of a snapshot from one of its two notes.
func manifestIn(ctx context.Context, from blob.Source, note, id string) (m records.Manifest, err error) {
	r, err := from.Note(ctx, note)
	if err != nil {
		return m, err
	}
	m, err = records.ReadManifest(r)
	if err == nil && m.ID != id {
		err = fmt.Errorf("%w: it is that of the snapshot %s", records.ErrManifest, m.ID)
	}
	return m, errors.Join(err, r.Close())
}

// putManifest writes the manifest, with which there is a snapshot.
func (b *backup) putManifest(ctx context.Context) error {
	return b.place.putManifest(ctx, manifestNote(b.done.Manifest.ID), b.done.Manifest)
}

// putCopies writes the copy of the new manifest, and what is lost of those of older snapshots.
func (b *backup) putCopies(ctx context.Context) error {
	for _, s := range b.older {
		if s.FromCopy == "" {
			continue
		}
		if err := b.place.putManifest(ctx, manifestNote(s.ID), s.Manifest); err != nil {
			return fmt.Errorf("of the snapshot %s %s; it could not be written again: %w", s.ID, s.FromCopy, err)
		}
		b.done.Manifests = append(b.done.Manifests, s.ID)
	}
	for _, s := range append(b.older, Snapshot{ID: b.done.Manifest.ID, Manifest: b.done.Manifest}) {
		if s.Damage != "" {
			continue
		}
		if _, err := manifestIn(ctx, b.place.read, manifestCopyOf(s.ID), s.ID); err == nil {
			continue
		}
		if err := b.place.putManifest(ctx, manifestCopyOf(s.ID), s.Manifest); err != nil {
			return fmt.Errorf("the copy of the manifest of the snapshot %s could not be written: %w", s.ID, err)
		}
	}
	return nil
}

func (p *backupPlace) putManifest(ctx context.Context, note string, m records.Manifest) error {
	text, err := m.Encode()
	if err != nil {
		return err
	}
	return p.PutNote(ctx, note, bytes.NewReader(text), int64(len(text)))
}
