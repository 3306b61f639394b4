package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/records"
)

// lookAtPlace reads the manifests of the place, lists its blobs, and looks at its packs.
func (b *backup) lookAtPlace(ctx context.Context) error {
	all, err := snapshotsIn(ctx, b.target)
	if err != nil {
		return err
	}
	b.older = all
	for _, s := range all {
		if s.Damage != "" {
			b.done.Damaged = append(b.done.Damaged, s)
		}
	}
	if b.done.Foreign, err = b.foreignSnapshot(ctx, all); err != nil {
		return err
	}
	for note, err := range b.target.Notes(ctx, packsPrefix) {
		if err != nil {
			return unlisted(err)
		}
		digest, is := digestOfPack(note.Name)
		if !is {
			continue // somebody else put it there
		}
		if err := b.lookAtPack(ctx, digest); err != nil {
			return err
		}
	}
	for info, err := range b.target.List(ctx, "") {
		if err != nil {
			return unlisted(err)
		}
		b.stored.Add(info.Digest, info.Size, inPlace)
	}
	return nil
}

// unlistedCure is what to do about a folder of a place that cannot be listed: nothing could be
// written into it either, as after a backup by another user.
const unlistedCure = "make the folder readable and writable for the user who backs up; until then no backup is made"

// unlisted adds unlistedCure to an error of a list.
func unlisted(err error) error {
	if errors.Is(err, blob.ErrUnreadable) {
		return fmt.Errorf("%w; %s", err, unlistedCure)
	}
	return err
}

// lookAtPack reads the index of a pack, or to verify all of it. A damaged one is mended. If that
// cannot be, its bodies are packed again.
func (b *backup) lookAtPack(ctx context.Context, pack blob.Digest) error {
	digest := pack.String()
	index, err := b.indexOf(ctx, pack)
	if errors.Is(err, records.ErrPack) && b.place != nil {
		err = b.mendPack(ctx, pack)
		if err == nil {
			b.done.MendedPacks = append(b.done.MendedPacks, digest)
			index, err = records.PackIndexIn(ctx, b.target, packNote(digest))
		}
	}
	if errors.Is(err, records.ErrPack) {
		b.done.BadPacks = append(b.done.BadPacks, digest)
		return nil
	}
	if err != nil {
		return err
	}
	b.packs = append(b.packs, digest)
	for _, e := range index {
		b.packed.Add(e.Digest, e.Size, int64(len(b.packs)))
	}
	return nil
}

// indexOf says which bodies a pack has. It is an ErrPack if the index is damaged, and to verify if
// anything is.
func (b *backup) indexOf(ctx context.Context, pack blob.Digest) (index []records.PackEntry, err error) {
	if !b.verifies() {
		return records.PackIndexIn(ctx, b.target, packNote(pack.String()))
	}
	_, err = readPack(ctx, b.target, pack, func(d blob.Digest, body []byte) error {
		index = append(index, records.PackEntry{Digest: d, Size: int64(len(body))})
		return ctx.Err()
	})
	return index, err
}

// verifies reports whether this backup reads what the place has.
func (b *backup) verifies() bool { return b.o.Verify && b.place != nil }

// mendPack makes a damaged pack again, with bytes of the server for the bodies that are wrong: so
// it is mended for older snapshots, too. It is an ErrPack if that cannot be.
func (b *backup) mendPack(ctx context.Context, pack blob.Digest) error {
	name := packNote(pack.String())
	damaged, err := b.target.Note(ctx, name)
	if errors.Is(err, blob.ErrUnreadable) {
		return errors.Join(records.ErrPack, err)
	}
	if err != nil {
		return err
	}
	again, err := b.packer.Mend(damaged, pack, func(d blob.Digest) ([]byte, error) { return b.rightBody(ctx, d) })
	if err = errors.Join(err, damaged.Close()); err != nil {
		return err
	}
	return b.place.PutNote(ctx, name, bytes.NewReader(again), int64(len(again)))
}

// rightBody is a small body as the server has it, in the database or in the store. It may be
// wrong; it is blob.ErrNotFound if the server has none.
func (b *backup) rightBody(ctx context.Context, d blob.Digest) ([]byte, error) {
	body, err := b.admin.server.db.FindContent(ctx, d)
	if err == nil {
		return body, nil
	}
	if _, damaged := errors.AsType[*blob.DamageError](err); !damaged && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	r, err := b.source.Open(ctx, d)
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(r, records.MaxBody+1))
		err = errors.Join(err, r.Close())
	}
	if errors.Is(err, blob.ErrUnreadable) {
		err = blob.ErrNotFound
	}
	return body, err
}
