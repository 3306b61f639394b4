package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"granary/internal/blob"
	"granary/internal/records"
)

// copyBlobs copies what the records name and the place lacks. Small bodies are packed on
// the way.
func (b *backup) copyBlobs(ctx context.Context) error {
	chosen := &chosenBlobs{
		Source: b.source, file: b.spool, pace: &pace{rate: b.o.LimitRate}, lost: b.lose,
		each: func(ctx context.Context, copy func(records.BlobRow) error) error {
			return b.eachWanted(ctx, func(row records.BlobRow) error {
				b.count(row)
				return copy(row)
			})
		},
	}
	copied, err := chosen.copyTo(ctx, b.place.store, blob.CopyOptions{
		Verify: b.o.Verify, Report: func(c blob.Copied) { b.tell(0, c.Bytes) },
	})
	b.done.Mended = copied.Replaced
	return err
}

// tell reports the progress.
func (b *backup) tell(seen, copied int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress.Blobs += seen
	b.progress.Bytes = max(b.progress.Bytes, copied)
	b.o.Report(b.progress)
}

// count counts a blob that the place gets, or has and verifies.
func (b *backup) count(row records.BlobRow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done.Manifest.Blobs.Add(row.Digest, row.Size)
	if _, has := b.stored.Has(row.Digest, row.Size); !has {
		b.done.New.Add(row.Digest, row.Size)
	}
	b.need(row)
}

// lose takes a blob that was counted out of the snapshot.
func (b *backup) lose(row records.BlobRow, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done.Manifest.Blobs.Remove(row.Digest, row.Size)
	if _, has := b.stored.Has(row.Digest, row.Size); !has {
		b.done.New.Remove(row.Digest, row.Size)
	}
	b.found(row.Digest, row.Size)
	nameLost(&b.done.Manifest.Lost, row, why)
}

// nameLost names a blob that could not be had.
func nameLost(lost *records.LostInBackup, row records.BlobRow, why string) {
	lost.Count++
	if lost.Count <= records.MaxLost {
		lost.First = append(lost.First, records.LostBlob{Digest: row.Digest.String(), Size: row.Size, Why: why})
	}
}

const (
	windowRows  = 512
	windowBytes = 2 << 20 // of the bodies from its first id to its last, which are read at once
	windowGap   = 4096    // ids that the window may span
)

// eachWanted gathers unknown blobs in windows: one query finds the small bodies of each.
func (b *backup) eachWanted(ctx context.Context, inStore func(records.BlobRow) error) error {
	var window []records.BlobRow
	var size int64
	flush := func() error {
		rows := window
		window, size = window[:0], 0
		return b.settle(ctx, rows, inStore)
	}
	err := blobsOf(b.spool, func(row records.BlobRow) error {
		b.tell(1, 0)
		small := row.Size <= records.MaxBody
		if len(window) > 0 && (len(window) == windowRows || small && size+row.Size > windowBytes || row.ID-window[0].ID > windowGap) {
			if err := flush(); err != nil {
				return err
			}
		}
		known := b.known(row)
		if small && (!known || len(window) > 0) {
			size += row.Size // known ones between those of the window are read, too
		}
		switch {
		case known:
			return nil
		case !small:
			return inStore(row)
		}
		window = append(window, row)
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = b.putPack(ctx)
	}
	return err
}

// known reports whether the place has a blob, and counts it then. Those that are to be verified
// are as unknown.
func (b *backup) known(row records.BlobRow) bool {
	m := &b.done.Manifest
	if pack, has := b.packed.Has(row.Digest, row.Size); has {
		b.used[pack] = true
		m.Packed.Add(row.Digest, row.Size)
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, has := b.stored.Has(row.Digest, row.Size); has && !b.verifies() {
		m.Blobs.Add(row.Digest, row.Size)
		b.need(row)
		return true
	}
	return false
}

// settle packs those of some blobs whose bytes are in the database, and passes on the
// others.
func (b *backup) settle(ctx context.Context, rows []records.BlobRow, inStore func(records.BlobRow) error) error {
	if len(rows) == 0 {
		return nil
	}
	contents, err := b.admin.server.db.Bodies(ctx, rows[0].ID, rows[len(rows)-1].ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		for len(contents) > 0 && contents[0].BlobID < row.ID {
			contents = contents[1:]
		}
		if len(contents) == 0 || contents[0].BlobID != row.ID {
			if err := inStore(row); err != nil {
				return err
			}
			continue
		}
		if err := b.pack(ctx, row, contents[0]); err != nil {
			return err
		}
	}
	return nil
}

// pack puts a body into the pack that is being made.
func (b *backup) pack(ctx context.Context, row records.BlobRow, c records.Body) error {
	why := ""
	switch {
	case sha256.Sum256(c.Bytes) != row.Digest:
		why = "the bytes in the database are others"
	case int64(len(c.Bytes)) != row.Size:
		why = whyRecord(int64(len(c.Bytes)), row.Size)
	}
	if why != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		nameLost(&b.done.Manifest.Lost, row, why)
		return nil
	}
	b.done.Manifest.Packed.Add(row.Digest, row.Size)
	b.done.NewSmall.Add(row.Digest, row.Size)
	if b.place == nil { // a dry run
		return nil
	}
	if b.packer.Add(row.Digest, c.Bytes) {
		return nil
	}
	if err := b.putPack(ctx); err != nil {
		return err
	}
	if !b.packer.Add(row.Digest, c.Bytes) {
		return fmt.Errorf("the body %s has %d bytes, and no pack has room for it", row.Digest, row.Size)
	}
	return nil
}

// putPack writes the pack, if anything is in it.
func (b *backup) putPack(ctx context.Context) error {
	if b.packer.Len() == 0 {
		return nil
	}
	name, pack := b.packer.Finish()
	digest := name.String()
	if err := b.place.PutNote(ctx, packNote(digest), bytes.NewReader(pack), int64(len(pack))); err != nil {
		return err
	}
	b.packs = append(b.packs, digest)
	b.used[int64(len(b.packs))] = true
	return nil
}
