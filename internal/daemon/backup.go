package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/fault"
	"granary/internal/records"
)

// BackupOptions say where to and how.
type BackupOptions struct {
	To        config.Config // its store is the place; of the other settings only those of the store count
	LimitRate int64         // bytes of blobs a second, 0 for no limit
	DryRun    bool          // say what would be copied, and change nothing
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
	Gone     Forgotten            `json:"forgotten"`     // by Keep
	KeySaved bool                 `json:"key_saved"`     // the place knows that the encryption key is kept elsewhere

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
	if sameStoreAs(a.cfg, o.To) {
		return done, fmt.Errorf("%s is the store of the server itself; --to names another place", o.To.Blobs)
	}
	if err := refuseNested(o.To, a.cfg); err != nil {
		return done, fmt.Errorf("cannot back up: %w", err)
	}
	b := &backup{admin: a, o: o, began: time.Now(), packed: records.NewKnown(), stored: records.NewKnown()}
	identity, placed, err := a.server.db.StoreIdentity(ctx)
	if err != nil {
		return done, err
	}
	if b.source, err = openSource(ctx, a.cfg); err != nil {
		return done, fmt.Errorf("cannot open the blobs in %s: %w", a.cfg.Blobs, err)
	}
	defer closeStore(b.source)
	if err := a.server.refuseRestoring(ctx, a.cfg.Blobs, b.source); err != nil {
		return done, err
	}
	found, err := readIdentity(b.source.Note(ctx, identityNote))
	if err == nil {
		err = a.server.refuseLost(ctx, a.cfg.Blobs, found, identity, placed, b.source)
	}
	if err != nil {
		return done, err
	}
	b.identity = identity
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
	source   blob.Source
	began    time.Time

	place  *backupPlace   // nil in a dry run
	target blob.Source    // the place to look at; nil in a dry run of the first backup
	packed *records.Known // bodies in packs of the place, with the number of the pack
	stored *records.Known // blobs in the place
	packs  []string       // digests; number 1 is the first
	used   map[int64]bool // packs that have a body of this snapshot
	packer records.Packer

	spool    *os.File // the records
	complete bool     // the manifest is there

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
	return b.eachWanted(ctx, func(row records.BlobRow) error {
		b.count(row)
		return ctx.Err()
	})
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
	b.target, b.done.KeySaved = b.place, b.place.marker.KeySaved
	return lock.hold(ctx, func(ctx context.Context) error {
		name := "backup " + b.done.Manifest.ID // of its own: a backup that was killed holds up the sweep, and no other backup
		err := b.admin.leased(ctx, name, func(ctx context.Context) error { return b.snapshot(ctx, lock) })
		if err != nil || b.o.Keep == (KeepBackups{}) {
			return err
		}
		return b.forgetOthers(ctx, lock)
	})
}

// snapshot does the steps, the manifest last.
func (b *backup) snapshot(ctx context.Context, lock *placeLock) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer b.spool.Close()
	if err := b.copyBlobs(ctx); err != nil {
		return fmt.Errorf("%w; what was copied stays, and the next backup goes on from there", err)
	}
	if err := b.putRecords(ctx); err != nil {
		return err
	}
	if err := blob.CopyNotes(ctx, b.place, b.source, isCopiedNote); err != nil {
		return err
	}
	if err := lock.check(ctx); err != nil {
		return err
	}
	if err := b.putManifest(ctx); err != nil {
		return err
	}
	b.complete = true
	if err := b.note(ctx); err != nil {
		return err
	}
	return b.refuseMiscounted(ctx)
}

// refuseMiscounted fails if a blob has files, and its row says that it has none: the snapshot
// leaves out such blobs, as if their last file was removed.
func (b *backup) refuseMiscounted(ctx context.Context) error {
	db := b.admin.server.db
	left := 0
	for after := int64(0); ; {
		wrong, last, err := db.Miscounted(ctx, after, countedAtOnce)
		if err != nil {
			return err
		}
		for _, d := range wrong {
			k, err := db.KeptBlob(ctx, d) // others publish and delete meanwhile
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			if err == nil && k.Files <= 0 && k.Uses > 0 {
				left++
			}
		}
		if after = last; last == 0 {
			break
		}
	}
	if left > 0 {
		return fmt.Errorf("the snapshot %s lacks %d blobs that have files, because their number of files on record is wrong; granary fsck --repair-records puts it right: run that, and then this again", b.done.Manifest.ID, left)
	}
	return nil
}

// countedAtOnce is how many rows one query counts.
const countedAtOnce = 1000

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

// export writes the records of one snapshot to a file that is gone with the process.
func (b *backup) export(ctx context.Context) (err error) {
	if b.spool, err = os.CreateTemp("", "granary-records-*"); err != nil {
		return fmt.Errorf("cannot make a temporary file for the records: %w; TMPDIR names another directory", err)
	}
	defer os.Remove(b.spool.Name()) // it stays readable until it is closed
	sum := sha256.New()
	s, err := records.Export(ctx, io.MultiWriter(b.spool, sum), b.admin.server.db, records.ExportOptions{Kind: records.KindBase})
	if err == nil {
		_, err = b.spool.Seek(0, io.SeekStart)
	}
	size := int64(0)
	if err == nil {
		size, err = b.spool.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return errors.Join(exportFailed(b.spool.Name(), err), b.spool.Close())
	}
	m := &b.done.Manifest
	m.Schema = s.Schema
	m.Records = records.FileInBackup{Bytes: size, SHA256: fmt.Sprintf("%x", sum.Sum(nil)), Rows: s.Rows()}
	for _, t := range s.Tables {
		if t.Name == records.BlobsTable {
			b.progress.Of = t.Checksum.Rows
		}
	}
	return nil
}

// exportFailed says what to do about an error of the temporary file, or of the database.
func exportFailed(spool string, err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok && e.Path == spool {
		return fmt.Errorf("writing the records to a temporary file, %s: %w; TMPDIR names another directory", spool, err)
	}
	if cure(err) != "" {
		return fmt.Errorf("reading the records: %w; the database is damaged: granary fsck says what is, and granary rebuild, from the store, or granary restore, from a backup, makes it again", err)
	}
	return fmt.Errorf("reading the records: %w", err)
}

// lookAtPlace lists the blobs of the place, and reads the indexes of its packs. The bodies
// of a damaged pack are packed again.
func (b *backup) lookAtPlace(ctx context.Context) error {
	for note, err := range b.target.Notes(ctx, packsPrefix) {
		if err != nil {
			return err
		}
		digest, is := digestOfPack(note.Name)
		if !is {
			continue // somebody else put it there
		}
		index, err := records.PackIndexIn(ctx, b.target, packNote(digest))
		if errors.Is(err, records.ErrPack) {
			b.done.BadPacks = append(b.done.BadPacks, digest)
			continue
		}
		if err != nil {
			return err
		}
		b.packs = append(b.packs, digest)
		for _, e := range index {
			b.packed.Add(e.Digest, e.Size, int64(len(b.packs)))
		}
	}
	for info, err := range b.target.List(ctx, "") {
		if err != nil {
			return err
		}
		b.stored.Add(info.Digest, info.Size, 1)
	}
	return nil
}

func (b *backup) putRecords(ctx context.Context) error {
	if _, err := b.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	m := b.done.Manifest
	return b.place.PutNote(ctx, recordsNoteOf(m.ID), b.spool, m.Records.Bytes)
}

func (b *backup) putManifest(ctx context.Context) error {
	m := &b.done.Manifest
	for n, digest := range b.packs {
		if b.used[int64(n)+1] {
			m.Packs = append(m.Packs, digest)
		}
	}
	m.Ended = time.Now().UTC().Truncate(time.Microsecond)
	text, err := m.Encode()
	if err != nil {
		return err
	}
	return b.place.PutNote(ctx, manifestNote(m.ID), bytes.NewReader(text), int64(len(text)))
}
