package daemon

import (
	"context"
	"errors"

	"granary/internal/blob"
)

// errPlaceIsStore refuses what writes to a place of backups that is a server's store.
var errPlaceIsStore = errors.New("a server uses this place as its store: backups do not know what the server needs of it, and a forget would remove it; name another place (ls, check and restore still read this one)")

// refuseStore refuses a place that a server has, or once had, as its store: after restore
// --database-only, or because the setting blobs was set to it. It also knows the server by its
// journal, if a marker that was lost or put back does not tell.
func refuseStore(ctx context.Context, place blob.Source, m marker) error {
	if m.Store {
		return errPlaceIsStore
	}
	for note, err := range place.Notes(ctx, recordsPrefix) {
		if err != nil {
			return err
		}
		if !note.Empty {
			return errPlaceIsStore
		}
	}
	return nil
}

// refuseStoreNow is refuseStore for a place that has been open for long: a server may have
// begun to use it since.
func (p *backupPlace) refuseStoreNow(ctx context.Context) error {
	m, _, err := markerOf(ctx, p.read)
	return errors.Join(err, refuseStore(ctx, p, m))
}

// markStore remembers in a place of backups that it is a server's store from now on. A marker
// that is damaged, in a place without snapshots, is left alone: the journal tells, too.
func markStore(ctx context.Context, in store) error {
	m, has, err := markerOf(ctx, blob.Readable(in))
	if errors.Is(err, errMarker) || err == nil && (!has || m.Store) {
		return nil
	}
	if err != nil {
		return err
	}
	m.Store = true
	return putMarker(ctx, in, m)
}
