package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/config"
)

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
	found, err := disk.IdentityOf(place.Path)
	if err != nil {
		return err
	}
	return sameIdentity(place, found, identity, placed)
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
	identity, err := disk.IdentityOf(blobs)
	_, missing := os.Stat(database)
	return err == nil && identity == "" && errors.Is(missing, fs.ErrNotExist)
}

// checkStore refuses a store of blobs that is not the one of the records: a
// directory that is not shared by the nodes, or not mounted; another bucket; the
// store of another server, whose blobs this one's sweep would remove. The first
// start leaves the records' identity in the store.
func (s *server) checkStore(ctx context.Context, place config.Location) error {
	return s.db.Exclusive(ctx, "blob store", func(ctx context.Context) error {
		store, ok := s.blobs.(blob.Identified)
		if !ok {
			return nil
		}
		identity, placed, err := s.db.StoreIdentity(ctx)
		if err != nil {
			return err
		}
		found, err := store.Identity(ctx)
		if err != nil {
			return err
		}
		if err := sameIdentity(place, found, identity, placed); err != nil {
			return err
		}
		if found == "" {
			if err := store.SetIdentity(ctx, identity); err != nil {
				return err
			}
		}
		if placed {
			return nil
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

// identityOf is the identity that a store has; "" for none.
func identityOf(ctx context.Context, store any) (string, error) {
	if m, ok := store.(blob.Identified); ok {
		return m.Identity(ctx)
	}
	return "", nil
}

// checkTarget refuses to copy one store into the store of other records.
func checkTarget(ctx context.Context, to, from any) error {
	theirs, err := identityOf(ctx, to)
	ours, failed := identityOf(ctx, from)
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if theirs != "" && theirs != ours {
		return fmt.Errorf("it is the store of other records: its identity is %q, not %q; --to names another store", theirs, ours)
	}
	return nil
}

// passIdentity gives a copy of a store its identity, by which the records know it.
func passIdentity(ctx context.Context, to blob.Store, from blob.Source) error {
	identity, err := identityOf(ctx, from)
	if target, ok := to.(blob.Identified); ok && err == nil && identity != "" {
		err = target.SetIdentity(ctx, identity)
	}
	return err
}
