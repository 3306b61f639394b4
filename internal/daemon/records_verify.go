package daemon

import (
	"context"
	"io"
	"iter"
	"log/slog"
	"strings"
	"time"

	"granary/internal/blob"
	"granary/internal/records"
)

const (
	verifyRecordsEvery = 24 * time.Hour
	retryVerifying     = time.Hour // after the store did not answer
)

// verifyRecords reads the records in the store at once and once a day, until ctx is done. Of
// what is damaged or missing the next step writes anew.
func (s *server) verifyRecords(ctx context.Context, log *slog.Logger) {
	var verified time.Time
	verify := func() {
		if time.Since(verified) < verifyRecordsEvery {
			return
		}
		s.tasks.do(ctx, log, "records check", func(ctx context.Context) (int, error) {
			identity, _, err := s.db.StoreIdentity(ctx)
			if err != nil {
				return 0, err
			}
			notes := pacedNotes{blob.ReadableNotes(s.blobs), &pace{rate: s.scrub.rate}}
			damage, err := records.Verify(ctx, notes, identity, s.db)
			if err != nil {
				return 0, err
			}
			verified = time.Now()
			if damage.Found() {
				tellRecords(ctx, log)(damage)
				s.records.renew(damage)
			}
			return 0, nil
		})
	}
	verify()
	every(ctx, retryVerifying, verify)
}

// tellRecords logs what is damaged or missing.
func tellRecords(ctx context.Context, log *slog.Logger) func(records.Damage) {
	return func(d records.Damage) {
		log.LogAttrs(ctx, slog.LevelWarn, "records in the store are damaged or missing: a new base is written in their place",
			slog.String("damaged", strings.Join(d.What, "; ")))
	}
}

// pacedNotes are notes that are read at a pace.
type pacedNotes struct {
	from records.Notes
	pace *pace
}

// Notes implements records.Notes.
func (n pacedNotes) Notes(ctx context.Context, prefix string) iter.Seq2[blob.NoteInfo, error] {
	return n.from.Notes(ctx, prefix)
}

// Note implements records.Notes.
func (n pacedNotes) Note(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	note, err := n.from.Note(ctx, name)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Seeker
		io.Closer
	}{n.pace.reader(ctx, note), note, note}, nil
}

// renew has the next step replace what is damaged.
func (k *recordKeeper) renew(d records.Damage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.damaged = d
}

// takeDamaged is what is to be replaced, once.
func (k *recordKeeper) takeDamaged() records.Damage {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.damaged
	k.damaged = records.Damage{}
	return d
}

// fallBack notes until when a rebuild would have everything, of damaged records that could not
// be replaced: until the first event of all, if it would have nothing. It reads them, once.
func (k *recordKeeper) fallBack(ctx context.Context, j *records.Journal) {
	if k.fell {
		return
	}
	k.fell = true
	until := int64(0)
	found, err := records.Find(ctx, j.Store, j.Identity)
	if err == nil {
		until = found.To
	} else if first, err := j.Database.EventsAround(ctx, 0); err == nil {
		until = first.Next
	}
	if until > 0 {
		k.reached(time.UnixMicro(until))
	}
}
