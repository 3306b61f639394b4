package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/records"
)

// Snapshot is one backup in a place.
type Snapshot struct {
	ID       string           `json:"id"`
	Manifest records.Manifest `json:"snapshot,omitzero"` // zero if there is damage
	Damage   string           `json:"damage,omitempty"`  // why the manifest cannot be believed
}

// ListBackups are the snapshots in a place, the oldest first.
func ListBackups(ctx context.Context, cfg config.Config) ([]Snapshot, error) {
	from, _, err := openPlaceToRead(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer closeStore(from)
	return snapshotsIn(ctx, from)
}

// snapshotsIn reads the manifests of a place. One that is damaged or of a later format is
// no error of the others.
func snapshotsIn(ctx context.Context, from blob.Source) (found []Snapshot, err error) {
	for note, err := range from.Notes(ctx, snapshotsPrefix) {
		if err != nil {
			return nil, err
		}
		id, is := strings.CutSuffix(strings.TrimPrefix(note.Name, snapshotsPrefix), manifestSuffix)
		if !is || !records.IsSnapshotID(id) {
			continue
		}
		s, err := snapshotIn(ctx, from, id)
		if err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	return found, nil
}

// snapshotIn reads one manifest.
func snapshotIn(ctx context.Context, from blob.Source, id string) (Snapshot, error) {
	s := Snapshot{ID: id}
	note, err := from.Note(ctx, manifestNote(id))
	if err != nil {
		return s, err
	}
	m, err := records.ReadManifest(note)
	if err == nil && m.ID != id {
		err = fmt.Errorf("%w: it is that of the snapshot %s", records.ErrManifest, m.ID)
	}
	switch {
	case err == nil:
		s.Manifest = m
	case errors.Is(err, records.ErrManifest) || errors.Is(err, records.ErrNewer) || errors.Is(err, syscall.EIO):
		s.Damage = err.Error()
	default: // the place does not answer
		return s, errors.Join(fmt.Errorf("the snapshot %s: %w", id, err), note.Close())
	}
	return s, note.Close()
}

// choose finds the snapshot of an id, or the newest one whose manifest is whole for
// "latest". skipped are newer ones that are not.
func choose(ctx context.Context, from blob.Source, id string) (m records.Manifest, skipped []string, err error) {
	if id != "latest" {
		if !records.IsSnapshotID(id) {
			return m, nil, fmt.Errorf("%q is no id of a snapshot; %w", id, ErrNoSnapshot)
		}
		s, err := snapshotIn(ctx, from, id)
		if errors.Is(err, blob.ErrNotFound) {
			return m, nil, fmt.Errorf("there is no snapshot %s; %w", id, ErrNoSnapshot)
		}
		if err == nil && s.Damage != "" {
			err = fmt.Errorf("the snapshot %s: %s", id, s.Damage)
		}
		return s.Manifest, nil, err
	}
	all, err := snapshotsIn(ctx, from)
	if err != nil {
		return m, nil, err
	}
	for len(all) > 0 {
		last := all[len(all)-1]
		all = all[:len(all)-1]
		if last.Damage == "" {
			return last.Manifest, skipped, nil
		}
		skipped = append(skipped, last.ID+": "+last.Damage)
	}
	if len(skipped) > 0 {
		return m, nil, fmt.Errorf("no snapshot in it is whole: %s", strings.Join(skipped, "; "))
	}
	return m, nil, errors.New("there is no snapshot in it")
}

var errRecordsDamaged = errors.New("are damaged")

// fetchRecords copies the records of a snapshot to a temporary file that is gone with the
// process, and compares them with the manifest.
func fetchRecords(ctx context.Context, from blob.Source, m records.Manifest) (_ *os.File, err error) {
	note, err := from.Note(ctx, recordsNoteOf(m.ID))
	if errors.Is(err, blob.ErrNotFound) {
		return nil, fmt.Errorf("the records of the snapshot %s %w: they are missing", m.ID, errRecordsDamaged)
	}
	if err != nil {
		return nil, err
	}
	defer note.Close()
	file, err := os.CreateTemp("", "granary-records-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a temporary file for the records: %w; TMPDIR names another directory", err)
	}
	defer os.Remove(file.Name()) // it stays readable until it is closed
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, sum), io.LimitReader(note, m.Records.Bytes+1))
	if err == nil && (size != m.Records.Bytes || fmt.Sprintf("%x", sum.Sum(nil)) != m.Records.SHA256) {
		err = fmt.Errorf("the records of the snapshot %s %w: they are not the %d bytes with the SHA-256 %s of its manifest", m.ID, errRecordsDamaged, m.Records.Bytes, m.Records.SHA256)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// blobsOf reads the blobs of records from their start.
func blobsOf(file io.ReadSeeker, each func(records.BlobRow) error) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r, err := records.NewReader("the records", file)
	if err != nil {
		return err
	}
	defer r.Close()
	return records.EachBlob(r, func(row records.BlobRow) error {
		if !row.Used {
			return nil // a publish has only begun, or the last file is gone: its bytes may not be there
		}
		return each(row)
	})
}
