package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/config"
)

// identityNote is the note that holds the identity of a store.
const identityNote = "identity"

// lookAtStore is checkStore for a directory before anything is made in it. It needs
// no lock: the store is given its identity before the records note that.
func (s *server) lookAtStore(ctx context.Context, place config.Location) error {
	if place.Scheme != "file" {
		return nil
	}
	identity, placed, err := s.db.StoreIdentity(ctx)
	if err != nil {
		return err
	}
	found, err := readIdentity(disk.NoteIn(place.Path, identityNote))
	if err != nil {
		return err
	}
	store, err := disk.View(place.Path)
	if err != nil { // nothing of a store is there yet
		return sameIdentity(place, found, identity, placed)
	}
	if err := s.refuseCutShort(ctx, place, store); err != nil {
		return err
	}
	return s.refuseLost(ctx, place, found, identity, placed, store)
}

// takenBefore reports whether a server locks the directory of its blobs before it
// opens its database, so that the database stays unchanged if another process has the
// directory. It does so if a server has used the directory before, or if neither store
// nor database exist. Any other directory is checked first, and nothing is created in
// it until then.
func takenBefore(blobs, database string) bool {
	if _, err := os.Stat(filepath.Join(blobs, lockName)); err == nil {
		return true
	}
	identity, err := readIdentity(disk.NoteIn(blobs, identityNote))
	_, missing := os.Stat(database)
	return err == nil && identity == "" && errors.Is(missing, fs.ErrNotExist)
}

// checkStore refuses a store of blobs that is not the one of the records: a
// directory that is not shared by the nodes, or not mounted; another bucket; the
// store of another server, whose blobs this one's sweep would remove. The first
// start leaves the records' identity in the store.
func (s *server) checkStore(ctx context.Context, place config.Location) error {
	return s.db.Exclusive(ctx, "blob store", func(ctx context.Context) error {
		identity, placed, err := s.db.StoreIdentity(ctx)
		if err != nil {
			return err
		}
		if err := s.refuseCutShort(ctx, place, s.blobs); err != nil {
			return err
		}
		found, err := readIdentity(s.blobs.Note(ctx, identityNote))
		if err != nil {
			return err
		}
		if err := s.refuseLost(ctx, place, found, identity, placed, s.blobs); err != nil {
			return err
		}
		if found == "" {
			if err := putIdentity(ctx, s.blobs, identity); err != nil {
				return err
			}
		}
		if err := markStore(ctx, s.blobs); err != nil {
			return err
		}
		if err := s.endRestored(ctx); err != nil || placed {
			return err
		}
		return s.db.IdentityStored(ctx)
	})
}

// sameIdentity refuses a store with another identity, or one without an identity if
// the records say that the store has theirs.
func sameIdentity(place config.Location, found, identity string, placed bool) error {
	switch {
	case found == "" && placed:
		return fmt.Errorf("%s is not the store of these records: nothing in it is named identity; "+
			"correct the setting blobs, or mount the store, the same for all nodes; if it is a copy of the right store, write %q to a file or object identity in it", place, identity)
	case found != "" && found != identity:
		return fmt.Errorf("%s is the store of other records: its identity is %q, not %q; "+
			"correct the setting blobs or database; if those records are gone for good, write %[3]q to its file or object identity", place, found, identity)
	}
	return nil
}

// readIdentity is the text of an opened identity; "" if there is none.
func readIdentity(note io.ReadCloser, err error) (string, error) {
	if errors.Is(err, blob.ErrNotFound) {
		return "", nil
	}
	text, err := textOf(note, err, 1<<10)
	if err != nil {
		return "", fmt.Errorf("cannot read the identity of the store: %w", err)
	}
	return strings.TrimSpace(string(text)), nil // people may have written it
}

// textOf reads up to most bytes of a note, and closes it. err is that of opening it.
func textOf(note io.ReadCloser, err error, most int64) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(note, most))
	return text, errors.Join(err, note.Close())
}

func putIdentity(ctx context.Context, to blob.Notes, identity string) error {
	return to.PutNote(ctx, identityNote, strings.NewReader(identity), int64(len(identity)))
}

// checkTarget refuses to copy one store into the store of other records.
func checkTarget(ctx context.Context, to, from blob.Source) error {
	theirs, err := readIdentity(to.Note(ctx, identityNote))
	ours, failed := readIdentity(from.Note(ctx, identityNote))
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if theirs != "" && theirs != ours {
		return fmt.Errorf("it is the store of other records: its identity is %q, not %q; --to names another store", theirs, ours)
	}
	return nil
}

// copyNotes copies the notes, and at last the identity, by which the records know a
// store: so a copy that was interrupted is not taken for the store.
func copyNotes(ctx context.Context, to blob.Notes, from blob.Source) error {
	var unread error
	first := func(_ string, err error) { unread = cmp.Or(unread, err) }
	err := blob.CopyNotes(ctx, to, from, func(name string) bool { return name != identityNote }, first)
	if err = cmp.Or(err, unread); err != nil {
		return err
	}
	identity, err := readIdentity(from.Note(ctx, identityNote))
	if err == nil && identity != "" {
		err = putIdentity(ctx, to, identity)
	}
	return err
}
