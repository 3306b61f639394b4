package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"granary/internal/blob"
	"granary/internal/config"
)

// restoringNote is the first thing that a restore puts into a store, and the last that it
// removes: while it is there and the database is empty, the store is only half filled.
const restoringNote = "restoring"

// restoring is what the note says.
type restoring struct {
	Snapshot string    `json:"snapshot"`
	From     string    `json:"from"` // the place, without keys
	Began    time.Time `json:"began"`
}

// begin says in the store that a restore has begun. fresh reports that no earlier one had.
func (r *restore) begin(ctx context.Context, blobs store) (fresh bool, err error) {
	before, err := readRestoring(blobs.Note(ctx, restoringNote))
	if err != nil {
		return false, err
	}
	text, err := json.Marshal(restoring{r.done.Manifest.ID, placeText(r.o.From.Blobs), time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return false, err
	}
	return before == nil, blobs.PutNote(ctx, restoringNote, bytes.NewReader(text), int64(len(text)))
}

// end removes what begin put there.
func (r *restore) end(ctx context.Context) error {
	if r.target.blobs == nil {
		return nil // the files stay in the place
	}
	return r.target.blobs.DeleteNote(ctx, restoringNote)
}

// readRestoring is the note of a restore that has not ended; nil if there is none. One that
// cannot be understood tells of a restore all the same.
func readRestoring(note io.ReadCloser, err error) (*restoring, error) {
	if errors.Is(err, blob.ErrNotFound) {
		return nil, nil //nolint:nilnil // there is none
	}
	text, err := textOf(note, err, mostMarker)
	if err != nil {
		return nil, fmt.Errorf("cannot read the note %s of the store: %w", restoringNote, err)
	}
	var found restoring
	if json.Unmarshal(text, &found) != nil || found.From == "" {
		found = restoring{Snapshot: "latest", From: "PLACE"}
	}
	return &found, nil
}

// cutShort is the refusal of an empty database, the store of which has the note.
func (b *restoring) cutShort(place config.Location) error {
	return fmt.Errorf("a restore to %s was cut short, or still runs, and the database is empty: %s; "+
		"for a new server, choose another --data-dir and an empty store", place, b.again())
}

// again is how to continue the restore.
func (b *restoring) again() string {
	return fmt.Sprintf("run granary restore --from '%s' --snapshot %s again", b.From, b.Snapshot)
}

// refuseCutShort fails if the database is empty, and its store has the note of a restore.
func (s *server) refuseCutShort(ctx context.Context, place config.Location, from blob.Source) error {
	begun, err := readRestoring(from.Note(ctx, restoringNote))
	if err != nil || begun == nil {
		return err
	}
	empty, err := s.db.IsEmpty(ctx)
	if err != nil || !empty {
		return err
	}
	return begun.cutShort(place)
}

// refuseBegun is refuseCutShort for the store of the settings, if it answers.
func (s *server) refuseBegun(ctx context.Context, cfg config.Config) error {
	store, err := openSource(ctx, cfg)
	if err != nil {
		return nil // the database alone is needed, and its server looks again
	}
	defer closeStore(store)
	return s.refuseCutShort(ctx, cfg.Blobs, store)
}

// endRestored removes the note of a restore that died after the database was filled.
func (s *server) endRestored(ctx context.Context) error {
	begun, err := readRestoring(s.blobs.Note(ctx, restoringNote))
	if err != nil || begun == nil {
		return err
	}
	return s.blobs.DeleteNote(ctx, restoringNote)
}
