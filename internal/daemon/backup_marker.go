package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"granary/internal/blob"
)

// markerOf is the marker of a place; false if it is none. If the note is missing or damaged,
// the manifests tell whose backups are in the place: each of them has the identity, and a
// checksum, which the note has not.
func markerOf(ctx context.Context, from blob.Source) (m marker, has bool, _ error) {
	m, has, why := readMarker(from.Note(ctx, markerNote))
	if why != nil && !errors.Is(why, errMarker) {
		return m, false, why
	}
	identity, err := identityOfSnapshots(ctx, from, m.Identity)
	switch {
	case err != nil:
		return m, false, err
	case identity == "" || has && identity == m.Identity:
		return m, has, why
	case has:
		why = fmt.Errorf("the identity in %s is %q, and that of all snapshots another", markerNote, m.Identity)
	case why == nil:
		why = fmt.Errorf("%s is missing", markerNote)
	}
	return marker{Identity: identity, lost: why.Error()}, true, nil
}

// identityOfSnapshots is the one expected, if a snapshot of a place has it, else that of the
// newest snapshot whose manifest is whole; "" if there is none.
func identityOfSnapshots(ctx context.Context, from blob.Source, expected string) (newest string, _ error) {
	ids, err := snapshotIDs(ctx, from)
	if err != nil {
		return "", err
	}
	for _, id := range slices.Backward(ids) {
		s, err := snapshotIn(ctx, from, id)
		if errors.Is(err, blob.ErrNotFound) {
			continue // forgotten since
		}
		if err != nil {
			return "", err
		}
		if s.Damage == "" && s.Manifest.Identity == expected {
			return expected, nil
		}
		if newest == "" {
			newest = s.Manifest.Identity
		}
	}
	return newest, nil
}

// warning says that the marker was lost; "" if it was not.
func (m marker) warning() string {
	if m.lost == "" {
		return ""
	}
	return m.lost + "; the snapshots say whose they are, and the next backup writes it again"
}
