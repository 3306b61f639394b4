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

	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/records"
)

// Snapshot is one backup in a place.
type Snapshot struct {
	ID       string           `json:"id"`
	Manifest records.Manifest `json:"snapshot,omitzero"` // zero if there is damage
	Damage   string           `json:"damage,omitempty"`  // why the manifest cannot be believed, nor its copy
	Cure     string           `json:"cure,omitempty"`    // what to do about that

	// FromCopy is why the manifest was read from its copy; "" if it was not.
	FromCopy string `json:"from_copy,omitempty"`
}

// cureOf is what to do about a manifest or records that cannot be read or believed.
func cureOf(err error) string {
	switch {
	case errors.Is(err, records.ErrNewer):
		return "run the newer granary"
	case errors.Is(err, blob.ErrUnreadable):
		return "make it readable again (its owner, its mode, its disk), or forget this snapshot before others"
	}
	return "put it back from a copy of the place, or forget this snapshot before others"
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
	found, err := snapshotsIn(ctx, from)
	for _, s := range found {
		if s.FromCopy != "" {
			warn(fmt.Sprintf("of the snapshot %s %s; its copy was read, and the next backup writes it again", s.ID, s.FromCopy))
		}
	}
	return found, err
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

// snapshotIDs are those of all snapshots of a place, the oldest first; also of one that has only
// the copy of its manifest left, and of one that has something else in the place of it.
func snapshotIDs(ctx context.Context, from blob.Source) (ids []string, err error) {
	for note, err := range from.Notes(ctx, snapshotsPrefix) {
		name := strings.TrimPrefix(note.Name, snapshotsPrefix)
		if err != nil && !(errors.Is(err, blob.ErrUnreadable) && strings.Contains(name, "/")) {
			return nil, err
		}
		id, _, below := strings.Cut(name, "/")
		copied := name == id+manifestCopy
		id, is := strings.CutSuffix(id, manifestSuffix)
		switch {
		case !records.IsSnapshotID(id) || slices.Contains(ids, id):
			continue
		case note.Empty:
			continue // a manifest if there are records: see below; else what a forget leaves
		case below && is:
			return nil, fmt.Errorf("a directory with files is in the place of the manifest %s; move it away", manifestNote(id))
		case copied:
			is = true
		case below:
			if is, err = hidesManifest(ctx, from, id); err != nil {
				return nil, err
			}
		}
		if is {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// hidesManifest reports whether something that no list shows is in the place of a manifest.
// Else records without one are no snapshot.
func hidesManifest(ctx context.Context, from blob.Source, id string) (bool, error) {
	note, err := from.Note(ctx, manifestNote(id))
	switch {
	case err == nil:
		return false, note.Close() // it was put there since
	case errors.Is(err, blob.ErrNotFound):
		return false, nil
	case errors.Is(err, blob.ErrUnreadable):
		return true, nil
	}
	return false, err
}

// choose finds the snapshot of an id, or for "latest" the newest one of the identity whose
// manifest and records are whole, and fetches its records. skipped are newer ones that are not
// whole; warn is told of newer ones of another identity, which somebody put there. Another
// snapshot than the one that was asked for is never chosen.
func choose(ctx context.Context, from blob.Source, identity, id string, warn func(string)) (m records.Manifest, file *os.File, skipped []string, err error) {
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
		m, file, err = wholeSnapshot(ctx, from, identity, id)
		if errors.Is(err, errSnapshotDamaged) || errors.Is(err, errOtherRecords) {
			err = fmt.Errorf("%w; %s", err, othersThan(ids, id))
		}
		return m, file, nil, err
	}
	for _, id := range slices.Backward(ids) {
		m, file, err = wholeSnapshot(ctx, from, identity, id)
		switch {
		case errors.Is(err, errOtherRecords):
			warn(err.Error() + ", and is passed by")
		case errors.Is(err, errSnapshotDamaged):
			skipped = append(skipped, err.Error())
		default:
			return m, file, skipped, err
		}
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

// errOtherRecords is what the error of a snapshot of another identity is to errors.Is.
var errOtherRecords = errors.New("is of other records")

// wholeSnapshot reads the manifest and the records of a snapshot.
func wholeSnapshot(ctx context.Context, from blob.Source, identity, id string) (m records.Manifest, file *os.File, err error) {
	s, err := snapshotIn(ctx, from, id)
	switch {
	case err != nil:
	case s.Damage != "":
		err = fmt.Errorf("the snapshot %s %w: %s", id, errSnapshotDamaged, s.Damage)
	case s.Manifest.Identity != identity:
		err = fmt.Errorf("the snapshot %s %w than the place: their identity is %q, not %q", id, errOtherRecords, s.Manifest.Identity, identity)
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

// fetchRecords copies the records of a snapshot to a spool, and compares them with the manifest.
func fetchRecords(ctx context.Context, from blob.Source, m records.Manifest) (_ *os.File, err error) {
	damaged := func(why string, args ...any) error {
		return fmt.Errorf("the records of the snapshot %s %w: they "+why, append([]any{m.ID, errRecordsDamaged}, args...)...)
	}
	note, err := from.Note(ctx, recordsNoteOf(m.ID))
	if errors.Is(err, blob.ErrNotFound) {
		return nil, damaged("are missing")
	}
	if u, is := errors.AsType[*blob.UnreadableError](err); is {
		return nil, damaged("%w", u)
	}
	if err != nil {
		return nil, err
	}
	defer note.Close()
	file, err := records.NewSpool()
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, sum), io.LimitReader(note, m.Records.Bytes+1))
	if u, is := errors.AsType[*blob.UnreadableError](err); is {
		err = damaged("%w", u)
	}
	if err == nil && (size != m.Records.Bytes || fmt.Sprintf("%x", sum.Sum(nil)) != m.Records.SHA256) {
		err = damaged("are not the %d bytes with the SHA-256 %s of its manifest", m.Records.Bytes, m.Records.SHA256)
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
		if row.Files <= 0 {
			return nil // a publish has only begun, or the last file is gone: its bytes may not be there
		}
		return each(row)
	})
}
