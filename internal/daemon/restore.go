package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/config"
	"granary/internal/records"
)

// RestoreOptions say which backup to restore and how.
type RestoreOptions struct {
	From         config.Config // its store is the place; of the other settings only those of the store count
	Snapshot     string        // an id, or "latest"
	DatabaseOnly bool          // leave the blobs in the place, which the setting blobs has to name then
	DryRun       bool          // say what would be restored, and change nothing
	Verify       bool          // also read blobs that the store has already
	Warn         func(string)  // is told what is wrong with the place itself
	Report       func(Copied)

	at crashPoints // of the database, and of the store that is filled
}

// Restored is what a restore came to.
type Restored struct {
	Manifest records.Manifest `json:"snapshot"`
	Skipped  []string         `json:"skipped"` // newer snapshots that are damaged
	Files    int64            `json:"files"`   // copied, of those in no pack
	Bytes    int64            `json:"bytes"`
	Present  int64            `json:"present"` // in the store already
	Bodies   int64            `json:"small"`
	Missing  int64            `json:"missing"` // blobs that records name and the place has not, or not whole
	Lost     []string         `json:"lost"`    // up to records.MaxLost of them
	BadPacks []string         `json:"damaged_packs"`

	// Replaced is the time of the last event in records that the store had, which are no
	// longer the newest; nil if it had none.
	Replaced *time.Time `json:"records_replaced,omitempty"`

	// Unfinished is what failed after the database was filled, which the server does at its
	// start; "" if nothing did.
	Unfinished string `json:"unfinished,omitempty"`
}

// Restore fills an empty database, and an empty store or that of the same records, from a
// snapshot. The database comes last, in one transaction: until then a restore that was cut
// short is run again, and goes on; a note in the store keeps servers away meanwhile. What the
// place lacks is counted, and does not stop it.
//
// Records in the store are left alone until the database stands. They tell of a time that did
// not happen for it: so all of it is then written there, as the base that a new journal begins
// with (records.Head), and granary rebuild never goes back to what the restore has replaced.
// The older files stay for a day, as after any base. If the restore dies in between, the
// server writes the base at its start.
func Restore(ctx context.Context, cfg config.Config, o RestoreOptions) (done Restored, err error) {
	if err := supported(); err != nil {
		return done, err
	}
	if err := refuseNested(o.From, cfg); err != nil && !o.DatabaseOnly {
		return done, fmt.Errorf("cannot restore: %w", err)
	}
	from, m, err := openPlaceToRead(ctx, o.From)
	if err != nil {
		return done, err
	}
	defer closeStore(from)
	if m.lost != "" {
		o.Warn(m.warning())
	}
	r := &restore{cfg: cfg, o: o, from: from, marker: m, packed: records.NewKnown()}
	if r.done.Manifest, r.file, r.done.Skipped, err = choose(ctx, from, o.Snapshot); err != nil {
		return r.done, fmt.Errorf("cannot restore from %s: %w", o.From.Blobs, err)
	}
	defer r.file.Close()
	if err := m.sameIdentity(r.done.Manifest.Identity); err != nil {
		return r.done, fmt.Errorf("the snapshot %s does not belong to %s: %w", r.done.Manifest.ID, o.From.Blobs, err)
	}
	if o.DryRun {
		if err := r.lookAtTarget(ctx); err != nil {
			return r.done, err
		}
	}
	if err := r.lookAtPacks(ctx); err != nil {
		return r.done, err
	}
	if err := r.countBodies(ctx); err != nil {
		return r.done, err
	}
	if o.DryRun {
		err := r.tryOut(ctx)
		return r.done, err
	}
	err = r.run(ctx)
	return r.done, err
}

// restore is one Restore.
type restore struct {
	cfg    config.Config
	o      RestoreOptions
	from   blob.Source
	marker marker
	file   *os.File       // the records
	packed *records.Known // bodies in the snapshot's packs
	packs  []records.Pack
	target server
	fresh  bool  // no restore to this store has begun before
	newest int64 // event in the records that the store has; 0 if it has none

	mu   sync.Mutex
	done Restored
}

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
		open := func() (io.ReadCloser, error) { return r.from.Note(ctx, packNote(text)) }
		r.packs = append(r.packs, records.Pack{Digest: digest, Open: open})
	}
	return nil
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
	if !errors.Is(err, records.ErrPack) {
		return nil, err
	}
	failed := read(func(r io.Reader) (err error) {
		wrong, err = records.RightBodies(r, each)
		return err
	})
	if failed != nil {
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

// tryOut counts what is there and what is missing.
func (r *restore) tryOut(ctx context.Context) error {
	return r.lookForBlobs(ctx, func(row records.BlobRow) {
		r.done.Files++
		r.done.Bytes += row.Size
	})
}

// lookForBlobs looks which blobs of the records the place has by themselves.
func (r *restore) lookForBlobs(ctx context.Context, there func(records.BlobRow)) error {
	stored := records.NewKnown()
	for info, err := range r.from.List(ctx, "") {
		if err != nil {
			return err
		}
		stored.Add(info.Digest, info.Size, 1)
	}
	return r.eachStored(ctx, func(row records.BlobRow) error {
		if _, has := stored.Has(row.Digest, row.Size); has {
			there(row)
		} else {
			r.lack(row, whyMissing)
		}
		return ctx.Err()
	})
}

// lack counts a blob that the place has not. What was in a damaged pack has no other trace.
func (r *restore) lack(row records.BlobRow, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why == whyMissing && len(r.done.BadPacks) > 0 && row.Size <= records.MaxBody {
		why = "missing, or damaged in a pack"
	}
	r.done.Missing++
	if len(r.done.Lost) < records.MaxLost {
		r.done.Lost = append(r.done.Lost, row.Digest.String()+": "+why)
	}
}

func (r *restore) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, r.target.release()) }()
	if err := r.openTarget(ctx); err != nil {
		return err
	}
	if !r.o.DatabaseOnly {
		if err := r.copyBlobs(ctx); err != nil {
			return fmt.Errorf("%w; the database is still empty: run this again to continue", err)
		}
	} else if err := r.lookForBlobs(ctx, func(records.BlobRow) {}); err != nil {
		return fmt.Errorf("looking for the files in the place: %w; the database is still empty: run this again", err)
	}
	if err := r.replay(ctx); err != nil {
		return fmt.Errorf("the database is still empty: %w", err)
	}
	if err := r.replaceRecords(ctx); err != nil {
		r.done.Unfinished = fmt.Sprintf("the database is restored, but its store still has the records of before, which the server replaces at its start: %v", err)
		return nil
	}
	if err := r.end(ctx); err != nil {
		r.done.Unfinished = fmt.Sprintf("the database is restored, but the note %s could not be removed from its store, which the server does at its start: %v", restoringNote, err)
	}
	return nil
}

// openTarget opens the database and the store, and refuses what is not empty. The store comes
// first, with a note in it, so that no server begins anew beside what a restore that was cut
// short has left; but nothing is made in it while there is a database that may be refused.
func (r *restore) openTarget(ctx context.Context) error {
	steps := []func(context.Context) error{r.openStore, r.openDatabase}
	if _, err := os.Stat(r.cfg.Database.Path); r.cfg.Database.Scheme == "sqlite" && err == nil {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if r.o.DatabaseOnly {
		return nil
	}
	if err := r.claim(ctx, r.target.blobs); err != nil {
		return fmt.Errorf("cannot restore to %s: %w", r.cfg.Blobs, err)
	}
	j := records.Journal{Store: r.target.blobs, Identity: r.marker.Identity}
	if _, _, err := j.Head(ctx); err != nil && !errors.Is(err, records.ErrDamaged) {
		return fmt.Errorf("cannot restore to %s, whose records could not be replaced: %w", r.cfg.Blobs, err)
	}
	var err error
	r.newest, err = records.Newest(ctx, r.target.blobs)
	return err
}

func (r *restore) openDatabase(ctx context.Context) error {
	if err := r.target.openEmpty(ctx, r.cfg, r.o.at); err != nil {
		return err
	}
	empty, err := r.target.db.IsEmpty(ctx)
	if err != nil || empty {
		return err
	}
	err = r.notEmpty()
	if r.fresh {
		err = errors.Join(err, r.end(ctx))
	}
	return err
}

func (r *restore) openStore(ctx context.Context) (err error) {
	if r.o.DatabaseOnly {
		return nil
	}
	if r.cfg.Blobs.Scheme == "file" {
		if err := r.lookAtDirectory(r.cfg.Blobs.Path); err != nil {
			return fmt.Errorf("cannot restore to %s: %w", r.cfg.Blobs, err)
		}
	}
	if r.cfg.Blobs.Scheme == "file" && r.cfg.Database.Scheme == "sqlite" {
		if err := r.target.ownDirectories(r.cfg.Blobs.Path); err != nil {
			return err
		}
	}
	if r.target.blobs, err = openBlobs(ctx, r.cfg, r.o.at); err != nil {
		return fmt.Errorf("cannot open the blob store: %w", err)
	}
	if err = r.mayFill(ctx, r.target.blobs); err == nil {
		r.fresh, err = r.begin(ctx, r.target.blobs)
	}
	if err != nil {
		return fmt.Errorf("cannot restore to %s: %w", r.cfg.Blobs, err)
	}
	return nil
}

// lookAtDirectory refuses a directory with something else in it, without a change to it.
func (r *restore) lookAtDirectory(dir string) error {
	found, err := readIdentity(disk.NoteIn(dir, identityNote))
	if err != nil || found != "" {
		return errors.Join(err, r.sameStore(found))
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !isOwnName(e.Name()) && e.Name() != restoringNote {
			return fmt.Errorf("the directory is not empty: %s; name a new one, or the store of the same records", filepath.Join(dir, e.Name()))
		}
	}
	return err
}

func (r *restore) sameStore(found string) error {
	if found != "" && found != r.marker.Identity {
		return fmt.Errorf("it is the store of other records: its identity is %q, not %q; name an empty store", found, r.marker.Identity)
	}
	return nil
}

// mayFill refuses the store of other records, and one that has blobs of nobody knows whom.
func (r *restore) mayFill(ctx context.Context, blobs blob.Source) error {
	found, err := readIdentity(blobs.Note(ctx, identityNote))
	if err != nil || found != "" {
		return errors.Join(err, r.sameStore(found))
	}
	for info, err := range blobs.List(ctx, "") {
		if err != nil {
			return err
		}
		return fmt.Errorf("it is not empty, and has no identity: there is a blob %s; name an empty store", info.Digest)
	}
	return nil
}

// claim gives the store the identity of the records before anything is copied: a restore
// that is cut short then finds its own store again.
func (r *restore) claim(ctx context.Context, blobs store) error {
	found, err := readIdentity(blobs.Note(ctx, identityNote))
	if err != nil || found != "" {
		return err
	}
	return putIdentity(ctx, blobs, r.marker.Identity)
}

// copyBlobs copies what the records name.
func (r *restore) copyBlobs(ctx context.Context) error {
	chosen := &chosenBlobs{Source: r.from, file: r.file, pace: &pace{}, lost: r.lack, each: r.eachStored}
	copied, err := chosen.copyTo(ctx, r.target.blobs, blob.CopyOptions{Verify: r.o.Verify, Report: r.o.Report})
	r.done.Files, r.done.Bytes, r.done.Present = copied.Blobs, copied.Bytes, copied.Present
	if err != nil {
		return err
	}
	return blob.CopyNotes(ctx, r.target.blobs, r.from, isCopiedNote)
}

// eachStored passes on the blobs of the records that are in no pack.
func (r *restore) eachStored(ctx context.Context, each func(records.BlobRow) error) error {
	return blobsOf(r.file, func(row records.BlobRow) error {
		if _, has := r.packed.Has(row.Digest, row.Size); has {
			return ctx.Err()
		}
		return each(row)
	})
}
