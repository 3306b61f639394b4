package daemon

import (
	"context"
	"errors"

	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/records"
)

// The numbers of blobs in backup.stored.
const (
	inPlace int64 = 1 + iota
	needed        // by the snapshot, and not seen in the server's store yet
)

// The numbers of blobs in backup.wanted.
const (
	unseen    int64 = 1 + iota
	seenThere       // in the server's store
)

// need remembers that the snapshot needs a blob, if the place has it. It needs the mutex.
func (b *backup) need(row records.BlobRow) {
	if b.stored.Move(row.Digest, row.Size, inPlace, needed) {
		b.needed++
	}
}

// want remembers in a dry run that the snapshot needs a blob that the place lacks.
func (b *backup) want(row records.BlobRow) {
	if _, has := b.stored.Has(row.Digest, row.Size); !has {
		b.wanted.Add(row.Digest, row.Size, unseen)
	}
}

// found takes back a need. It needs the mutex.
func (b *backup) found(d blob.Digest, size int64) {
	if b.stored.Move(d, size, needed, inPlace) || b.wanted.Move(d, size, unseen, seenThere) {
		b.needed--
	}
}

// lookAtSource lists the server's store, and names what only the place has: of these files nothing
// is copied, so that nobody else would see that the server has lost them. A dry run copies nothing
// at all, so that it looks likewise for what it would copy. Their bytes are not read.
func (b *backup) lookAtSource(ctx context.Context) error {
	if b.needed > 0 {
		for info, err := range b.source.List(ctx, "") {
			if errors.Is(err, blob.ErrUnreadable) {
				continue // each blob of this folder is asked for by itself
			}
			if err != nil {
				return err
			}
			b.found(info.Digest, info.Size)
		}
	}
	if b.needed > 0 {
		err := blobsOf(b.spool, func(row records.BlobRow) error { return b.lookForNeeded(ctx, row) })
		if err != nil {
			return err
		}
	}
	return b.stillThere(ctx)
}

// lookForNeeded asks the server for a blob that is needed still.
func (b *backup) lookForNeeded(ctx context.Context, row records.BlobRow) error {
	place, _ := b.stored.Has(row.Digest, row.Size)
	state, _ := b.wanted.Has(row.Digest, row.Size)
	if place != needed && state != unseen {
		return ctx.Err()
	}
	b.found(row.Digest, row.Size)
	if row.Size <= records.MaxBody {
		_, err := b.admin.server.db.FindContent(ctx, row.Digest)
		if _, damaged := errors.AsType[*blob.DamageError](err); err == nil || !damaged && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	why, err := whyLacking(ctx, b.source, row)
	switch {
	case err != nil || why == "":
	case place == needed:
		nameLost(&b.done.OnlyInPlace, row, why)
	default:
		b.lose(row, why)
	}
	return err
}
