package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/records"
)

// Forgotten is what a forget removed.
type Forgotten struct {
	Snapshots []string `json:"snapshots"`
	Packs     int      `json:"packs"`
	Files     int64    `json:"files"` // that no other snapshot names
	Bytes     int64    `json:"bytes"` // of these
}

// ErrNoSnapshot is what an error about a snapshot that is not in the place is to errors.Is.
var ErrNoSnapshot = errors.New("granary backup ls shows those that are there")

// ForgetBackup removes a snapshot, and then the bytes that no other snapshot names. What
// backups that were cut short have left goes with them. ErrNoSnapshot if there is no such one.
func ForgetBackup(ctx context.Context, cfg config.Config, id string) (done Forgotten, err error) {
	defer startLittleMemory(ctx)()
	if err := supported(); err != nil {
		return done, err
	}
	from, m, err := openPlaceToRead(ctx, cfg)
	if err != nil {
		return done, err
	}
	_, err = snapshotIn(ctx, from, id)
	closeStore(from)
	if !records.IsSnapshotID(id) || errors.Is(err, blob.ErrNotFound) {
		return done, fmt.Errorf("there is no snapshot %q; %w", id, ErrNoSnapshot)
	}
	if err != nil {
		return done, err
	}
	p, err := openPlace(ctx, cfg, m.Identity, crashPoints{})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	lock, err := takePlace(ctx, p, "forget")
	if errors.Is(err, blob.ErrNoSpace) && p.at.Scheme == "file" {
		lock, err = &placeLock{}, nil // the kernel's lock is enough, and a full disk is why people forget
	}
	if err != nil {
		return done, fmt.Errorf("cannot remove something from %s: %w", cfg.Blobs, err)
	}
	defer func() { err = errors.Join(err, lock.release(ctx)) }()
	err = lock.hold(ctx, func(ctx context.Context) error {
		done, err = p.forget(ctx, lock, []string{id})
		return err
	})
	return done, err
}

// settle is how long a forget waits in a bucket for another that took the lock in the same
// moment; a directory has the kernel's lock.
const settle = 2 * time.Second

// forget removes snapshots, and the bytes that no other one names.
func (p *backupPlace) forget(ctx context.Context, lock *placeLock, ids []string) (done Forgotten, err error) {
	if p.at.Scheme != "file" {
		select {
		case <-ctx.Done():
			return done, context.Cause(ctx)
		case <-time.After(settle):
		}
	}
	f := &forgetting{place: p, lock: lock}
	if err := f.look(ctx, ids); err != nil {
		return done, err
	}
	for _, step := range []func(context.Context) error{f.snapshots, f.packs, f.blobs} {
		if err := errors.Join(lock.check(ctx), p.refuseStoreNow(ctx)); err != nil {
			return f.done, err
		}
		if err := step(ctx); err != nil {
			return f.done, fmt.Errorf("%w; what is left of the snapshot is removed by the next forget", err)
		}
	}
	return f.done, nil
}

// forgetting is one forget.
type forgetting struct {
	place *backupPlace
	lock  *placeLock
	gone  []string           // ids
	kept  []records.Manifest // of the other snapshots
	done  Forgotten
}

// look reads the manifests and records of the snapshots that stay, before anything goes:
// nothing that they name is removed, and if one of them cannot say what it names, nothing
// is removed at all.
func (f *forgetting) look(ctx context.Context, ids []string) error {
	all, err := snapshotsIn(ctx, f.place.read)
	if err != nil {
		return err
	}
	f.gone = ids
	for _, s := range all {
		if slices.Contains(ids, s.ID) {
			continue
		}
		if s.Damage != "" {
			return fmt.Errorf("nothing is removed: %w; %s", needsUnknown(s), s.Cure)
		}
		f.kept = append(f.kept, s.Manifest)
	}
	return f.eachKept(ctx, func(records.BlobRow) {}, func() {})
}

// eachKept reads the blobs of the snapshots that stay; after is called after each snapshot.
func (f *forgetting) eachKept(ctx context.Context, each func(records.BlobRow), after func()) error {
	for _, m := range f.kept {
		file, err := fetchRecords(ctx, f.place.read, m)
		if errors.Is(err, errRecordsDamaged) {
			err = fmt.Errorf("%s: %w; %s", recordsNoteOf(m.ID), err, cureOf(err))
		}
		if err != nil {
			return fmt.Errorf("nobody can tell which files the snapshot %s needs: %w", m.ID, err)
		}
		err = blobsOf(file, func(row records.BlobRow) error {
			each(row)
			return ctx.Err()
		})
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("nobody can tell which files the snapshot %s needs: %w", m.ID, err)
		}
		after()
	}
	return nil
}

// snapshots removes the copies of manifests, then the manifests: without one there is no snapshot.
// Then it removes all records without a manifest.
func (f *forgetting) snapshots(ctx context.Context) error {
	for _, id := range f.gone {
		for _, note := range []string{manifestCopyOf(id), manifestNote(id)} {
			if err := f.place.DeleteNote(ctx, note); err != nil {
				return err
			}
		}
		f.done.Snapshots = append(f.done.Snapshots, id)
	}
	var left []string
	for note, err := range f.place.read.Notes(ctx, snapshotsPrefix) {
		if errors.Is(err, blob.ErrUnreadable) && note.Name != snapshotsPrefix {
			continue // the folder of records that no snapshot needs: those that stay have been read
		}
		if err != nil {
			return err
		}
		id, _, is := strings.Cut(strings.TrimPrefix(note.Name, snapshotsPrefix), "/")
		if is && note.Name == recordsNoteOf(id) && !slices.ContainsFunc(f.kept, func(m records.Manifest) bool { return m.ID == id }) {
			left = append(left, note.Name)
		}
	}
	return f.delete(ctx, left)
}

func (f *forgetting) delete(ctx context.Context, notes []string) error {
	for _, name := range notes {
		if err := f.lock.checkNow(ctx); err != nil {
			return err
		}
		if err := f.place.DeleteNote(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// packs removes the packs that no snapshot needs. One of which a snapshot needs a single
// body stays whole.
func (f *forgetting) packs(ctx context.Context) error {
	needed := map[string]bool{}
	for _, m := range f.kept {
		for _, pack := range m.Packs {
			needed[packNote(pack)] = true
		}
	}
	var left []string
	for note, err := range f.place.Notes(ctx, packsPrefix) {
		if err != nil {
			return err
		}
		if strings.HasSuffix(note.Name, packSuffix) && !needed[note.Name] {
			left = append(left, note.Name)
		}
	}
	f.done.Packs = len(left)
	return f.delete(ctx, left)
}

// forgetAtOnce is how many rows of records are remembered at once, 24 bytes each.
const forgetAtOnce = 2 << 20

// blobs removes the blobs that no snapshot needs, in as many rounds as memory asks for, each
// of some first bytes of digests.
func (f *forgetting) blobs(ctx context.Context) error {
	var rows int64
	for _, m := range f.kept {
		rows += m.Blobs.Count + m.Packed.Count
	}
	rounds := int(min(256, 1+rows/forgetAtOnce))
	for round := range rounds {
		first, end := round*256/rounds, (round+1)*256/rounds
		needed := records.NewKnown()
		err := f.eachKept(ctx, func(row records.BlobRow) {
			if b := int(row.Digest[0]); first <= b && b < end {
				needed.Add(row.Digest, 0, 1)
			}
		}, needed.Compact)
		if err != nil {
			return err
		}
		for b := first; b < end; b++ {
			if err := f.blobsBelow(ctx, fmt.Sprintf("%02x", b), needed); err != nil {
				return err
			}
		}
	}
	return nil
}

// blobsBelow removes the blobs of one first byte that are not needed.
func (f *forgetting) blobsBelow(ctx context.Context, prefix string, needed *records.Known) error {
	for info, err := range f.place.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if _, has := needed.Has(info.Digest, 0); has { // whatever its size
			continue
		}
		if err := f.lock.checkNow(ctx); err != nil {
			return err
		}
		if err := f.place.Delete(ctx, info.Digest); err != nil {
			return err
		}
		f.done.Files++
		f.done.Bytes += info.Size
	}
	return nil
}

// needsUnknown says that nobody knows what a snapshot needs whose manifests are damaged.
func needsUnknown(s Snapshot) error {
	return fmt.Errorf("nobody can tell which files the snapshot %s needs: %s: %s", s.ID, manifestNote(s.ID), s.Damage)
}
