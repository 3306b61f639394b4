package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/records"
)

// BackupOptions say where to and how.
type BackupOptions struct {
	To        config.Config // its store is the place; of the other settings only those of the store count
	LimitRate int64         // bytes of blobs a second, 0 for no limit
	DryRun    bool          // say what would be copied and forgotten, and change nothing
	Verify    bool          // also read what the place has already, and mend what is damaged; not in a dry run
	KeySaved  bool          // the encryption key is kept elsewhere; the place remembers this
	Keep      KeepBackups   // which snapshots stay after this one; zero for all
	Report    func(BackupProgress)

	at crashPoints // of the store in the place
}

// BackupProgress is how far a backup has come.
type BackupProgress struct {
	Blobs, Of int64 // blobs seen, of those on record
	Bytes     int64 // copied
}

// BackedUp is what a backup came to.
type BackedUp struct {
	Manifest records.Manifest     `json:"snapshot"`      // of a dry run without packs
	New      records.BlobsSummary `json:"new"`           // blobs that the place did not have
	NewSmall records.BlobsSummary `json:"new_small"`     // bodies that it did not have
	BadPacks []string             `json:"damaged_packs"` // whose bodies were packed again
	Gone     Forgotten            `json:"forgotten"`     // by Keep; of a dry run only the snapshots

	// OnlyInPlace are blobs of the snapshot that the place has from earlier backups, and the
	// server no more.
	OnlyInPlace records.LostInBackup `json:"only_in_place"`

	KeySaved bool `json:"key_saved"` // the place knows that the encryption key is kept elsewhere

	// Foreign is the newest snapshot of before in the place, if another database made it; "" if
	// it is this one's, or nobody knows.
	Foreign string `json:"foreign_snapshot,omitempty"`

	Mended      int64      `json:"mended"`                      // blobs of the place that were damaged, and copied again
	MendedPacks []string   `json:"mended_packs,omitempty"`      // that were damaged, and are as they were
	Manifests   []string   `json:"mended_manifests,omitempty"`  // of these older snapshots; they were lost, and written again from their copies
	Damaged     []Snapshot `json:"damaged_snapshots,omitempty"` // of which the place has no manifest that can be read, nor its copy
	KeptWhole   string     `json:"kept_whole,omitempty"`        // a snapshot that Keep alone would not have kept: the newest without lost files

	// Unfinished is what failed after the snapshot was complete; "" if nothing did.
	Unfinished string `json:"unfinished,omitempty"`
}

// Backup copies all records and blobs to a place, beside running servers. Everything that
// was acknowledged before it began is in the snapshot. What is in the place already, from
// earlier backups or from one that was cut short, is not copied again.
//
// Blobs that are missing or damaged do not stop it: the manifest names them. An error says that
// there is no new snapshot.
func (a *Admin) Backup(ctx context.Context, o BackupOptions) (done BackedUp, err error) {
	defer startLittleMemory(ctx)()
	if sameStoreAs(a.cfg, o.To) {
		return done, fmt.Errorf("%s is the store of the server itself; --to names another place", o.To.Blobs)
	}
	err = refuseNested(o.To, a.cfg)
	if err == nil {
		err = refuseWithinPlace(ctx, o.To)
	}
	if err != nil {
		return done, fmt.Errorf("cannot back up: %w", err)
	}
	b := &backup{admin: a, o: o, began: time.Now(), packed: records.NewKnown(), stored: records.NewKnown(), wanted: records.NewKnown()}
	identity, placed, err := a.server.db.StoreIdentity(ctx)
	if err != nil {
		return done, err
	}
	source, err := openSource(ctx, a.cfg)
	if err != nil {
		return done, fmt.Errorf("cannot open the blobs in %s: %w", a.cfg.Blobs, err)
	}
	b.source = blob.Readable(source)
	defer closeStore(b.source)
	if err := a.server.refuseCutShort(ctx, a.cfg.Blobs, b.source); err != nil {
		return done, err
	}
	found, err := readIdentity(b.source.Note(ctx, identityNote))
	if err == nil {
		err = a.server.refuseLost(ctx, a.cfg.Blobs, found, identity, placed, b.source)
	}
	if err != nil {
		return done, err
	}
	b.identity, b.placed = identity, found != ""
	b.done.Manifest.ID = records.NewSnapshotID(b.began)
	if o.DryRun {
		err := b.tryOut(ctx)
		return b.done, err
	}
	err = b.run(ctx)
	if err != nil && b.complete {
		b.done.Unfinished, err = err.Error(), nil
	}
	return b.done, err
}

// backup is one Backup.
type backup struct {
	admin    *Admin
	o        BackupOptions
	identity string
	source   blob.Source // as blob.Readable makes it
	placed   bool        // it has its identity
	began    time.Time

	place  *backupPlace   // nil in a dry run
	target blob.Source    // the place to look at, as blob.Readable makes it; nil in a dry run of the first backup
	packed *records.Known // bodies in packs of the place, with the number of the pack
	stored *records.Known // blobs in the place, each inPlace or needed
	wanted *records.Known // of a dry run: what the place lacks, each unseen or seenThere
	needed int64          // how many of them are needed
	older  []Snapshot     // that the place has
	packs  []string       // digests; number 1 is the first
	used   map[int64]bool // packs that have a body of this snapshot
	packer records.Packer

	spool    *os.File // the records
	complete bool     // the manifest is there
	unread   []string // notes of the source

	mu       sync.Mutex
	done     BackedUp
	progress BackupProgress
}

// tryOut says what would be copied.
func (b *backup) tryOut(ctx context.Context) error {
	from, m, err := openPlaceToRead(ctx, b.o.To)
	if err == nil {
		defer closeStore(from)
		if err := errors.Join(m.sameIdentity(b.identity), refuseStore(ctx, from, m)); err != nil {
			return fmt.Errorf("cannot back up to %s: %w", b.o.To.Blobs, err)
		}
		b.target, b.done.KeySaved = from, m.KeySaved
	} else if !errors.Is(err, errNoPlace) && b.o.To.Blobs.Scheme != "file" {
		return err
	} else if b.o.To.Blobs.Scheme == "file" {
		if err := lookAtDirectory(ctx, b.o.To.Blobs.Path, b.identity); err != nil {
			return fmt.Errorf("cannot back up to %s: %w", b.o.To.Blobs, err)
		}
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer b.spool.Close()
	err = b.eachWanted(ctx, func(row records.BlobRow) error {
		b.count(row)
		b.want(row)
		return ctx.Err()
	})
	b.wanted.Compact()
	b.needed += int64(b.wanted.Len())
	if err == nil {
		err = b.lookAtSource(ctx)
	}
	if err == nil && b.o.Keep != (KeepBackups{}) && b.mayForget() {
		b.done.Gone.Snapshots = b.others(append(b.older, Snapshot{ID: b.done.Manifest.ID, Manifest: b.done.Manifest}))
	}
	return err
}

// run makes a snapshot, under the lock of the place.
func (b *backup) run(ctx context.Context) (err error) {
	if b.place, err = openPlace(ctx, b.o.To, b.identity, b.o.at); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.place.close()) }()
	lock, err := takePlace(ctx, b.place, "backup")
	if err != nil {
		return fmt.Errorf("cannot back up to %s: %w", b.o.To.Blobs, err)
	}
	defer func() { err = errors.Join(err, lock.release(ctx)) }()
	if err := b.place.mark(ctx, b.o.KeySaved); err != nil {
		return err
	}
	b.target, b.done.KeySaved = b.place.read, b.place.marker.KeySaved
	return lock.hold(ctx, func(ctx context.Context) error {
		name := "backup " + b.done.Manifest.ID // of its own: a backup that was killed holds up the sweep, and no other backup
		err := b.admin.leased(ctx, name, func(ctx context.Context) error { return b.snapshot(ctx, lock) })
		if err != nil || b.o.Keep == (KeepBackups{}) {
			return err
		}
		if !b.mayForget() {
			return nil
		}
		return b.forgetOthers(ctx, lock)
	})
}

// snapshot does the steps. The manifest comes after all that it names.
func (b *backup) snapshot(ctx context.Context, lock *placeLock) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer b.spool.Close()
	if err := b.copyBlobs(ctx); err != nil {
		return fmt.Errorf("%w; what was copied stays, and the next backup goes on from there", err)
	}
	if err := b.lookAtSource(ctx); err != nil {
		return err
	}
	if err := b.putRecords(ctx); err != nil {
		return err
	}
	err := blob.CopyNotes(ctx, b.place, b.source, isCopiedNote, func(name string, err error) {
		b.unread = append(b.unread, fmt.Sprintf("%s: %v", name, err))
	})
	if err != nil {
		return err
	}
	if err := lock.check(ctx); err != nil {
		return err
	}
	b.endManifest()
	if err := b.putManifest(ctx); err != nil {
		return err
	}
	b.complete = true
	if err := b.putCopies(ctx); err != nil {
		return err
	}
	if err := b.note(ctx); err != nil {
		return err
	}
	if len(b.unread) > 0 {
		return fmt.Errorf("the snapshot %s lacks notes of the server's store, which could not be read: %s", b.done.Manifest.ID, strings.Join(b.unread, "; "))
	}
	return b.refuseMiscounted(ctx)
}

// stillThere fails if files are missing because the server's store is gone: of a disk that is not
// mounted any more nothing is left, not even its identity.
func (b *backup) stillThere(ctx context.Context) error {
	if b.done.Manifest.Lost.Count+b.done.OnlyInPlace.Count == 0 || !b.placed {
		return nil
	}
	note, err := b.source.Note(ctx, identityNote)
	if err != nil {
		return fmt.Errorf("the store %s, which was there when the backup began, is gone: %w; is its disk still mounted?", b.admin.cfg.Blobs, err)
	}
	return note.Close()
}

// prepare writes the records to a temporary file and looks at what is in the place.
func (b *backup) prepare(ctx context.Context) error {
	b.used = map[int64]bool{}
	m := &b.done.Manifest
	m.Granary, m.Format = "backup", records.ManifestFormat // as Encode writes them
	m.Identity, m.Version = b.identity, b.admin.server.api.Version
	m.Began = b.began.UTC().Truncate(time.Microsecond)
	if err := b.export(ctx); err != nil {
		return err
	}
	if b.target == nil {
		return nil
	}
	return b.lookAtPlace(ctx)
}

func (b *backup) putRecords(ctx context.Context) error {
	if _, err := b.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	m := b.done.Manifest
	return b.place.PutNote(ctx, recordsNoteOf(m.ID), b.spool, m.Records.Bytes)
}

// endManifest fills in what is known last.
func (b *backup) endManifest() {
	m := &b.done.Manifest
	for n, digest := range b.packs {
		if b.used[int64(n)+1] {
			m.Packs = append(m.Packs, digest)
		}
	}
	m.Ended = time.Now().UTC().Truncate(time.Microsecond)
}
