package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"granary/internal/blob"
	"granary/internal/records"
)

// lookAtPacks reads the snapshot's packs: the blobs that are in none of them are in the place
// by themselves. Of a damaged pack it finds the bodies that are right.
func (r *restore) lookAtPacks(ctx context.Context) error {
	found := func(d blob.Digest, body []byte) error {
		r.packed.Add(d, int64(len(body)), 1)
		return ctx.Err()
	}
	for _, text := range r.done.Manifest.Packs {
		digest, err := blob.ParseDigest(text)
		if err != nil {
			return err
		}
		_, err = readPack(ctx, r.from, digest, found)
		if errors.Is(err, blob.ErrNotFound) {
			r.done.BadPacks = append(r.done.BadPacks, text+": it is missing")
			continue
		}
		if errors.Is(err, records.ErrPack) {
			r.done.BadPacks = append(r.done.BadPacks, text+": "+err.Error())
		} else if err != nil {
			return err
		}
		r.addPack(ctx, digest)
	}
	if len(r.done.BadPacks) > 0 {
		return r.lookAtOtherPacks(ctx, found)
	}
	return nil
}

// lookAtOtherPacks reads the packs of other snapshots: a later backup may have packed again what
// was in a damaged one.
func (r *restore) lookAtOtherPacks(ctx context.Context, found func(blob.Digest, []byte) error) error {
	for note, err := range r.from.Notes(ctx, packsPrefix) {
		if errors.Is(err, blob.ErrUnreadable) {
			continue // the folder: what was in it is lost
		}
		if err != nil {
			return err
		}
		digest, is := digestOfPack(note.Name)
		if !is || slices.Contains(r.done.Manifest.Packs, digest.String()) {
			continue
		}
		_, err = readPack(ctx, r.from, digest, found)
		if errors.Is(err, blob.ErrNotFound) {
			continue // forgotten since
		}
		if err != nil && !errors.Is(err, records.ErrPack) {
			return err
		}
		r.addPack(ctx, digest)
	}
	return nil
}

func (r *restore) addPack(ctx context.Context, digest blob.Digest) {
	open := func() (io.ReadCloser, error) { return r.from.Note(ctx, packNote(digest.String())) }
	r.packs = append(r.packs, records.Pack{Digest: digest, Open: open})
}

// readPack reads a pack of a place and passes on each body that is right, if the pack is
// damaged maybe twice. wrong are bodies of a damaged pack that are not right, as far as they
// are known; the error is an ErrPack then.
func readPack(ctx context.Context, from blob.Source, digest blob.Digest, each func(blob.Digest, []byte) error) (wrong []records.PackEntry, err error) {
	read := func(do func(io.Reader) error) error {
		r, err := from.Note(ctx, packNote(digest.String()))
		if err != nil {
			return err
		}
		return errors.Join(do(r), r.Close())
	}
	err = read(func(r io.Reader) error { return records.ReadPack(r, digest, each) })
	if u, is := errors.AsType[*blob.UnreadableError](err); is {
		err = fmt.Errorf("%w: it %w", records.ErrPack, u)
	}
	if !errors.Is(err, records.ErrPack) {
		return nil, err
	}
	failed := read(func(r io.Reader) (err error) {
		wrong, err = records.RightBodies(r, each)
		return err
	})
	if failed != nil && !errors.Is(failed, blob.ErrUnreadable) { // it cannot even be opened
		return nil, failed
	}
	return wrong, err
}

// countBodies counts the blobs of the records that are in packs.
func (r *restore) countBodies(ctx context.Context) error {
	return blobsOf(r.file, func(row records.BlobRow) error {
		if _, has := r.packed.Has(row.Digest, row.Size); has {
			r.done.Bodies++
		}
		return ctx.Err()
	})
}
