package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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
	Newer    bool             `json:"-"`                 // it is that of a newer granary
}

// ListBackups are the snapshots in a place, the oldest first. warn is told what is wrong with the
// place itself.
func ListBackups(ctx context.Context, cfg config.Config, warn func(string)) ([]Snapshot, error) {
	from, m, err := openPlaceToRead(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer closeStore(from)
	if m.lost != "" {
		warn(m.warning())
	}
	return snapshotsIn(ctx, from)
}

// snapshotsIn reads the manifests of a place. One that is damaged or of a later format is
// no error of the others.
func snapshotsIn(ctx context.Context, from blob.Source) (found []Snapshot, err error) {
	ids, err := snapshotIDs(ctx, from)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		s, err := snapshotIn(ctx, from, id)
		if err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	return found, nil
}

// snapshotIDs are those of all snapshots of a place, the oldest first.
func snapshotIDs(ctx context.Context, from blob.Source) (ids []string, err error) {
	for note, err := range from.Notes(ctx, snapshotsPrefix) {
		if err != nil {
			return nil, err
		}
		id, is := strings.CutSuffix(strings.TrimPrefix(note.Name, snapshotsPrefix), manifestSuffix)
		if is && records.IsSnapshotID(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
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
		s.Damage, s.Newer = err.Error(), errors.Is(err, records.ErrNewer)
	default: // the place does not answer
		return s, errors.Join(fmt.Errorf("the snapshot %s: %w", id, err), note.Close())
	}
	return s, note.Close()
}

// choose finds the snapshot of an id, or for "latest" the newest one whose manifest and records
// are whole, and fetches its records. skipped are newer ones that are not. Another snapshot
// than the one that was asked for is never chosen.
func choose(ctx context.Context, from blob.Source, id string) (m records.Manifest, file *os.File, skipped []string, err error) {
	if id != "latest" && !records.IsSnapshotID(id) {
		return m, nil, nil, fmt.Errorf("%q is no id of a snapshot; %w", id, ErrNoSnapshot)
	}
	ids, err := snapshotIDs(ctx, from)
	if err != nil {
		return m, nil, nil, err
	}
	if id != "latest" {
		if !slices.Contains(ids, id) {
			return m, nil, nil, fmt.Errorf("there is no snapshot %s; %w", id, ErrNoSnapshot)
		}
		m, file, err = wholeSnapshot(ctx, from, id)
		if errors.Is(err, errSnapshotDamaged) {
			err = fmt.Errorf("%w; %s", err, othersThan(ids, id))
		}
		return m, file, nil, err
	}
	for _, id := range slices.Backward(ids) {
		m, file, err = wholeSnapshot(ctx, from, id)
		if !errors.Is(err, errSnapshotDamaged) {
			return m, file, skipped, err
		}
		skipped = append(skipped, err.Error())
	}
	if len(skipped) > 0 {
		return m, nil, skipped, fmt.Errorf("no snapshot in it is whole: %s", strings.Join(skipped, "; "))
	}
	return m, nil, nil, errors.New("there is no snapshot in it")
}

// othersThan names the other snapshots, the newest first.
func othersThan(ids []string, id string) string {
	const most = 10
	var others []string
	for _, other := range slices.Backward(ids) {
		if other != id {
			others = append(others, other)
		}
	}
	switch {
	case len(others) == 0:
		return "there is no other one"
	case len(others) > most:
		return fmt.Sprintf("others are %s, and %d older ones", strings.Join(others[:most], ", "), len(others)-most)
	}
	return "others are " + strings.Join(others, ", ")
}

// errSnapshotDamaged is what the error of a snapshot whose manifest or records are damaged or
// missing is to errors.Is.
var errSnapshotDamaged = errors.New("is damaged")

// wholeSnapshot reads the manifest and the records of a snapshot.
func wholeSnapshot(ctx context.Context, from blob.Source, id string) (m records.Manifest, file *os.File, err error) {
	s, err := snapshotIn(ctx, from, id)
	if err == nil && s.Damage != "" {
		err = fmt.Errorf("the snapshot %s %w: %s", id, errSnapshotDamaged, s.Damage)
	}
	if err != nil {
		return m, nil, err
	}
	file, err = fetchRecords(ctx, from, s.Manifest)
	if errors.Is(err, errRecordsDamaged) {
		err = fmt.Errorf("the snapshot %s %w: %w", id, errSnapshotDamaged, err)
	}
	return s.Manifest, file, err
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
	if errors.Is(err, syscall.EIO) {
		err = fmt.Errorf("the records of the snapshot %s %w: the disk cannot read them", m.ID, errRecordsDamaged)
	}
	if err == nil && (size != m.Records.Bytes || fmt.Sprintf("%x", sum.Sum(nil)) != m.Records.SHA256) {
		err = fmt.Errorf("the records of the snapshot %s %w: they are not the %d bytes with the SHA-256 %s of its manifest", m.ID, errRecordsDamaged, m.Records.Bytes, m.Records.SHA256)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if e, ok := errors.AsType[*os.PathError](err); ok && e.Path == file.Name() {
		err = fmt.Errorf("writing the records of the snapshot %s to a temporary file: %w; TMPDIR names another directory", m.ID, err)
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
