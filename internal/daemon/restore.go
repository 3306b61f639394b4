package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	Warn         func(string)  // is told what is wrong with the place itself, and which records a restore replaces; nil: nobody is
	Notice       func(string)  // is told what takes a while; nil: nobody is
	Report       func(Copied)

	at     crashPoints   // of the database, and of the store that is filled
	askFor time.Duration // whether a server uses a bucket; 0: answerIn
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
	// longer the newest, or would not be after a dry run; nil if it had none.
	Replaced *time.Time `json:"records_replaced,omitempty"`

	// Key is what is wrong with the encryption key, and what to do; "" if the right one is there.
	// A dry run does not tell.
	Key string `json:"encryption_key,omitempty"`

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
	defer startLittleMemory(ctx)()
	if err := supported(); err != nil {
		return done, err
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
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
	if err := warnOfIdentity(ctx, from, m, o); err != nil {
		return done, err
	}
	r := &restore{cfg: cfg, o: o, from: from, marker: m, packed: records.NewKnown()}
	if r.done.Manifest, r.file, r.done.Skipped, err = choose(ctx, from, m.Identity, o.Snapshot, o.Warn); err != nil {
		return r.done, fmt.Errorf("cannot restore from %s: %w", o.From.Blobs, err)
	}
	defer r.file.Close()
	if o.DryRun {
		if err := r.lookAtTarget(ctx); err != nil {
			return r.done, err
		}
		r.done.Replaced = r.until()
		r.tellNewer()
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

// warnOfIdentity warns if no server could have the place as its store, which a restore of the
// database alone leaves the files to.
func warnOfIdentity(ctx context.Context, from blob.Source, m marker, o RestoreOptions) error {
	if !o.DatabaseOnly {
		return nil
	}
	wrong, err := wrongIdentity(ctx, from, m)
	if wrong != "" {
		o.Warn(fmt.Sprintf("no server can have the place as its store: %s; write %q to the file or object %s in it", wrong, m.Identity, identityNote))
	}
	return err
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
	fresh  bool     // no restore to this store has begun before
	newest int64    // event in the records that the store has; 0 if it has none
	unread []string // notes of the place

	mu   sync.Mutex
	done Restored
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
	} else if err := errors.Join(r.lookForBlobs(ctx, func(records.BlobRow) {}), r.stillThere(ctx)); err != nil {
		return fmt.Errorf("looking for the files in the place: %w; the database is still empty: run this again", err)
	}
	if err := r.replay(ctx); err != nil {
		return fmt.Errorf("the database is still empty: %w", err)
	}
	r.done.Key = r.target.keyAdvice(ctx, r.cfg)
	if err := r.replaceRecords(ctx); err != nil {
		r.done.Unfinished = fmt.Sprintf("the database is restored, but its store still has the records of before, which the server replaces at its start: %v", err)
		return nil
	}
	if err := r.end(ctx); err != nil {
		r.done.Unfinished = fmt.Sprintf("the database is restored, but the note %s could not be removed from its store, which the server does at its start: %v", restoringNote, err)
		return nil
	}
	if len(r.unread) > 0 {
		r.done.Unfinished = "the database is restored, but notes of the place could not be read: " + strings.Join(r.unread, "; ")
	}
	return nil
}

// openTarget opens the database and the store, and refuses what is not empty. The store comes
// first, with a note in it, so that no server begins anew beside what a restore that was cut
// short has left; but nothing is made in it while there is a database that is refused.
func (r *restore) openTarget(ctx context.Context) error {
	for _, step := range []func(context.Context) error{r.keepDatabase, r.lookAtDatabase, r.openStore, r.openDatabase} {
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
	j := records.Journal{Store: blob.ReadableNotes(r.target.blobs), Identity: r.marker.Identity}
	if _, _, err := j.Head(ctx); err != nil && !errors.Is(err, records.ErrDamaged) {
		return fmt.Errorf("cannot restore to %s, whose records could not be replaced: %w", r.cfg.Blobs, err)
	}
	var err error
	if r.newest, err = records.Newest(ctx, r.target.blobs); err == nil {
		r.tellNewer()
	}
	return err
}

// keepDatabase keeps servers away from a file that is there.
func (r *restore) keepDatabase(context.Context) error {
	if r.cfg.Database.Scheme != "sqlite" {
		return nil
	}
	path, err := sqliteFile(r.cfg)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return nil //nolint:nilerr // there is none, or its opening tells
	}
	return r.target.lock(filepath.Dir(path), databaseFlag(r.cfg))
}

func (r *restore) openDatabase(ctx context.Context) error {
	if err := r.target.openEmpty(ctx, r.cfg, databaseFlag(r.cfg), r.o.at); err != nil {
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
	if err := r.target.keepServersAway(r.cfg); err != nil {
		return err
	}
	if r.target.blobs, err = openBlobs(ctx, r.cfg, r.o.at); err != nil {
		return fmt.Errorf("cannot open the blob store: %w", err)
	}
	if err = r.mayFill(ctx, r.target.blobs); err == nil {
		err = refuseServed(ctx, r.cfg, r.target.blobs, r.o.askFor, r.o.Notice)
	}
	if err == nil {
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
	chosen := &chosenBlobs{Source: r.from, file: r.file, pace: &pace{}, lost: r.lack, each: r.eachStored, mostUnread: mostUnread}
	copied, err := chosen.copyTo(ctx, r.target.blobs, blob.CopyOptions{Verify: r.o.Verify, Report: r.o.Report})
	r.done.Files, r.done.Bytes, r.done.Present = copied.Blobs, copied.Bytes, copied.Present
	if err != nil {
		return err
	}
	if err := r.stillThere(ctx); err != nil {
		return err
	}
	return blob.CopyNotes(ctx, r.target.blobs, r.from, isCopiedNote, func(name string, err error) {
		r.unread = append(r.unread, fmt.Sprintf("%s: %v", name, err))
	})
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
