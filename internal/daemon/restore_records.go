package daemon

import (
	"context"
	"fmt"
	"io"
	"time"

	"granary/internal/blob"
	"granary/internal/metadb"
	"granary/internal/records"
)

// replay fills the database, with the bodies of the packs.
func (r *restore) replay(ctx context.Context) error {
	m := r.done.Manifest
	from := fmt.Sprintf("snapshot %s in %s", m.ID, placeText(r.o.From.Blobs))
	if r.done.Missing > 0 {
		from = fmt.Sprintf("%s, without %d files", from, r.done.Missing)
	}
	database := &metadb.Rebuilding{
		DB: r.target.db, KeyLater: true, Event: rebuiltEvent(r.newest, from, m.Began),
		Backup: &metadb.LastBackup{Snapshot: m.ID, Place: placeText(r.o.From.Blobs), Began: m.Began},
	}
	into := &records.JournalTarget{Target: database, Packs: r.packs}
	file := records.File{Name: "the records of snapshot " + m.ID, Open: func() (io.ReadCloser, error) {
		_, err := r.file.Seek(0, io.SeekStart)
		return io.NopCloser(r.file), err
	}}
	if _, err := records.Replay(ctx, into, []records.File{file}); err != nil {
		return err
	}
	r.done.Missing += r.done.Bodies - into.Used
	r.done.Bodies = into.Used
	return nil
}

// replaceRecords replaces the records that the store has.
func (r *restore) replaceRecords(ctx context.Context) error {
	if r.newest == 0 {
		return nil // the server begins them
	}
	j := records.Journal{
		Store: blob.ReadableNotes(r.target.blobs), Database: r.target.db, Identity: r.marker.Identity, Now: time.Now, Retention: r.cfg.AuditRetention,
	}
	if _, err := j.Base(ctx); err != nil {
		return err
	}
	r.done.Replaced = r.until()
	return nil
}

// until is the time of the last event in the records that the store has; nil if it has none.
func (r *restore) until() *time.Time {
	if r.newest == 0 {
		return nil
	}
	at := time.UnixMicro(r.newest).UTC()
	return &at
}

// tellNewer says what a restore to a store that is kept takes away, and what does not.
func (r *restore) tellNewer() {
	began, until := r.done.Manifest.Began, r.until()
	if until != nil && until.After(began) {
		r.o.Warn(fmt.Sprintf("the store has records up to %s, later than the snapshot, which is of %s: a restore replaces them; granary rebuild, instead of it, makes the database again from them, and keeps what came after the snapshot",
			until.Format(time.RFC3339Nano), began.Format(time.RFC3339Nano)))
	}
}
