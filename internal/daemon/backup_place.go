package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/config"
	"granary/internal/records"
	"granary/internal/registry"
)

// A place of backups is a store. Blobs are in it under their digests, and notes beside
// them:
//
//	backup.json                      what makes it a place of backups
//	backup-lock.json                 who is writing to it
//	identity                         that of the records, as in their own store
//	packs/<digest>.pack              small bodies
//	snapshots/<id>/records.jsonl.zst records
//	snapshots/<id>.json              the manifest, which makes it a snapshot
//	snapshots/<id>/manifest.json     the manifest again, which comes last
const (
	markerNote      = "backup.json"
	lockNote        = "backup-lock.json"
	packsPrefix     = "packs/"
	packSuffix      = ".pack"
	snapshotsPrefix = "snapshots/"
	manifestSuffix  = ".json"

	recordsPrefix = "records/" // of the journal in a server's own store
)

func packNote(digest string) string { return packsPrefix + digest + packSuffix }

// digestOfPack is the digest in the name of a pack; false if the note is no pack.
func digestOfPack(note string) (blob.Digest, bool) {
	text, is := strings.CutSuffix(strings.TrimPrefix(note, packsPrefix), packSuffix)
	d, err := blob.ParseDigest(text)
	return d, is && err == nil
}

const manifestCopy = "/manifest.json"

func manifestNote(id string) string   { return snapshotsPrefix + id + manifestSuffix }
func recordsNoteOf(id string) string  { return snapshotsPrefix + id + "/records.jsonl.zst" }
func manifestCopyOf(id string) string { return snapshotsPrefix + id + manifestCopy }
func isBackupNote(name string) bool {
	return name == markerNote || name == lockNote || name == identityNote || name == restoringNote || name == rollCallNote ||
		strings.HasPrefix(name, packsPrefix) || strings.HasPrefix(name, snapshotsPrefix)
}

// isCopiedNote reports whether backup and restore copy a note: not those of a place, not those
// that tell what is going on, and not the journal, which tells of one database.
func isCopiedNote(name string) bool {
	return !isBackupNote(name) && !strings.HasPrefix(name, recordsPrefix)
}

const (
	placeFormat = 1
	mostMarker  = 4 << 10 // bytes
)

// marker is what the note backup.json says.
type marker struct {
	Granary  string `json:"granary"` // "backups"
	Format   int    `json:"format"`
	Identity string `json:"identity"`
	KeySaved bool   `json:"key_saved"`       // somebody has said that the encryption key is kept elsewhere
	Store    bool   `json:"store,omitempty"` // a server has it as its store: nothing is backed up to it any more

	lost string // why the note could not be read, and the manifests told the identity instead
}

// errMarker is what the error of a damaged marker is to errors.Is.
var errMarker = errors.New("it is no marker of a place of backups")

// readMarker is the marker of a place; false if it has none.
func readMarker(note io.ReadCloser, err error) (m marker, has bool, _ error) {
	if errors.Is(err, blob.ErrNotFound) {
		return m, false, nil
	}
	text, err := textOf(note, err, mostMarker)
	if u, is := errors.AsType[*blob.UnreadableError](err); is {
		return m, false, fmt.Errorf("%s %w: %w", markerNote, u, errMarker)
	}
	if err != nil {
		return m, false, fmt.Errorf("cannot read %s: %w", markerNote, err)
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Granary != "backups" {
		return m, false, fmt.Errorf("%s in it is damaged: %w", markerNote, errMarker)
	}
	if m.Format != placeFormat {
		return m, false, fmt.Errorf("it has format %d, and this granary knows only format %d; %w", m.Format, placeFormat, records.ErrNewer)
	}
	return m, true, nil
}

func putMarker(ctx context.Context, to blob.Notes, m marker) error {
	m.Granary, m.Format = "backups", placeFormat
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return to.PutNote(ctx, markerNote, strings.NewReader(string(text)+"\n"), int64(len(text))+1)
}

// backupPlace is a place of backups that is open for writing.
type backupPlace struct {
	store
	read   blob.Source // the same, as blob.Readable makes it
	at     config.Location
	marker marker
	fresh  bool // it has no marker, or a damaged one
	locks  server
}

// openPlace opens a place for the backups of an identity. It creates nothing in a place
// that is of another, or holds something else.
func openPlace(ctx context.Context, cfg config.Config, identity string, at crashPoints) (_ *backupPlace, err error) {
	p := &backupPlace{at: cfg.Blobs}
	if cfg.Blobs.Scheme == "file" {
		if err := p.takeDirectory(ctx, cfg.Blobs.Path, identity); err != nil {
			return nil, fmt.Errorf("cannot change the place %s: %w", p.at, err)
		}
	}
	if p.store, err = openBlobs(ctx, cfg, at); err == nil {
		p.read = blob.Readable(p.store)
		err = p.look(ctx, identity)
	}
	if t, ok := p.store.(blob.Tidier); ok && err == nil { // of backups that were killed
		_, err = t.Tidy(ctx, time.Now().Add(-registry.Grace))
	}
	if err == nil {
		err = refusePublic(ctx, p.at, p.store)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot change the place %s: %w", p.at, err), p.close())
	}
	return p, nil
}

// takeDirectory locks a directory: the lock is gone with the process.
func (p *backupPlace) takeDirectory(ctx context.Context, dir, identity string) error {
	if err := lookAtDirectory(ctx, dir, identity); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the directory: %w", plain(err))
	}
	err := p.locks.lock(dir, toFlag)
	if held, ok := errors.AsType[heldError](err); ok {
		return held.ofPlace()
	}
	return err
}

// isOwnName reports whether a store, or a first backup that was cut short, makes a file or
// folder of this name. A new file system has lost+found.
func isOwnName(name string) bool {
	switch name {
	case "tmp", "lost+found", lockName, lockNote:
		return true
	}
	return len(name) == 2 && strings.Trim(name, "0123456789abcdef") == ""
}

// lookAtDirectory refuses a directory that is no place of these backups, without a change
// to it.
func lookAtDirectory(ctx context.Context, dir, identity string) error {
	if place, err := disk.View(dir); err == nil {
		m, has, err := markerOf(ctx, blob.Readable(place))
		if err == nil && has {
			err = m.sameIdentity(identity)
		}
		if err != nil || has {
			return err
		}
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !isOwnName(e.Name()) {
			return fmt.Errorf("the directory is not empty, and no place of backups: it has %s, but no %s; name a new directory",
				filepath.Join(dir, e.Name()), markerNote)
		}
	}
	return err
}

func (m marker) sameIdentity(identity string) error {
	if m.Identity != identity {
		return fmt.Errorf("it has the backups of other records: their identity is %q, not %q; name another place", m.Identity, identity)
	}
	return nil
}

// look reads the marker, or sees that the place is empty.
func (p *backupPlace) look(ctx context.Context, identity string) error {
	m, has, err := markerOf(ctx, p.read)
	if err != nil {
		return err
	}
	if has {
		p.marker, p.fresh = m, m.lost != ""
		return errors.Join(m.sameIdentity(identity), refuseStore(ctx, p, m))
	}
	for info, err := range p.Notes(ctx, "") {
		if err != nil {
			return err
		}
		if info.Name != lockNote && !info.Empty {
			return fmt.Errorf("it is not empty, and no place of backups: it has a note %s, but no %s; name an empty place", info.Name, markerNote)
		}
	}
	for info, err := range p.List(ctx, "") {
		if err != nil {
			return err
		}
		return fmt.Errorf("it is not empty, and no place of backups: it has the blob %s, but no %s; name an empty place", info.Digest, markerNote)
	}
	p.fresh, p.marker = true, marker{Identity: identity}
	return nil
}

// mark makes the place one of backups, and remembers that the key is saved. The identity
// is there for a server whose setting blobs names the place after a restore.
func (p *backupPlace) mark(ctx context.Context, keySaved bool) error {
	if p.fresh || keySaved && !p.marker.KeySaved {
		p.marker.KeySaved = p.marker.KeySaved || keySaved
		if err := putMarker(ctx, p, p.marker); err != nil {
			return err
		}
		p.fresh = false
	}
	wrong, err := wrongIdentity(ctx, p.read, p.marker)
	if err != nil || wrong == "" {
		return err
	}
	return putIdentity(ctx, p, p.marker.Identity)
}

// wrongIdentity says what is wrong with the identity of a place, without which no server can have
// it as its store; "" if nothing is.
func wrongIdentity(ctx context.Context, from blob.Source, m marker) (string, error) {
	found, err := readIdentity(from.Note(ctx, identityNote))
	switch {
	case errors.Is(err, blob.ErrUnreadable):
		return err.Error(), nil
	case err != nil:
		return "", err
	case found == "":
		return "the note " + identityNote + " is missing", nil
	case found != m.Identity:
		return fmt.Sprintf("the note %s says %.100q, and not %q", identityNote, found, m.Identity), nil
	}
	return "", nil
}

// close lets go of the place.
func (p *backupPlace) close() error {
	if p.store != nil {
		closeStore(p.store)
	}
	return p.locks.unlock()
}

var errNoPlace = errors.New("it is no place of backups")

// openPlaceToRead opens a place to look at its backups. The error is errNoPlace to errors.Is if
// it has no marker.
func openPlaceToRead(ctx context.Context, cfg config.Config) (blob.Source, marker, error) {
	fail := func(err error) (blob.Source, marker, error) {
		return nil, marker{}, fmt.Errorf("cannot read the backups in %s: %w", cfg.Blobs, err)
	}
	from, err := openSource(ctx, cfg)
	if err != nil {
		return fail(err)
	}
	from = blob.Readable(from)
	m, has, err := markerOf(ctx, from)
	if err == nil && !has {
		err = fmt.Errorf("%w: there is no %s in it", errNoPlace, markerNote)
	}
	if err != nil {
		closeStore(from)
		return fail(err)
	}
	return from, m, nil
}
