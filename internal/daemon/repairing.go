package daemon

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/registry"
)

// seldomRepair is the longest pause after which what could not be repaired is tried again.
const seldomRepair = time.Hour

// repairing is how damaged blobs are repaired in the background. Only the task scrub uses
// it, but for hurry.
type repairing struct {
	from  *config.Config // whose store has right bytes; nil: nothing is repaired
	next  time.Time      // not before
	pause time.Duration  // until the next try, if this one fails

	hurry atomic.Bool // there is a new mark
}

func newRepairing(cfg config.Config) *repairing {
	r := &repairing{pause: marksEvery}
	if from, ok := cfg.RepairPlace(); ok {
		r.from = &from
	}
	return r
}

// soon makes the next look at marks try to repair.
func (r *repairing) soon() { r.next, r.pause = time.Time{}, marksEvery }

// checkMarks looks at what is marked, and repairs it from elsewhere. What could not be
// repaired is tried again at the next look, then after twice the pause each time, up to an
// hour: each try is a line in the log.
func (s *server) checkMarks(ctx context.Context, log *slog.Logger) error {
	o, r := registry.MarksOptions{Rate: s.scrub.rate}, s.scrub.repairing
	if r.hurry.Swap(false) {
		r.soon()
	}
	if r.from == nil || time.Now().Before(r.next) {
		return s.registry.CheckMarks(ctx, o)
	}
	place := &otherStore{cfg: *r.from}
	defer place.close()
	o.From = place
	o.Repaired = func(d blob.Digest, where string) {
		log.LogAttrs(ctx, slog.LevelInfo, "damaged bytes were repaired, and are served again",
			slog.String("sha256", d.String()), slog.String("from", r.from.Blobs.String()), slog.String("where", where))
	}
	var refused int
	var first slog.Attr
	o.Refused = func(d blob.Digest, why error) {
		if refused++; refused == 1 {
			first = slog.Group("first", slog.String("sha256", d.String()), slog.String("error", why.Error()))
		}
	}
	err := s.registry.CheckMarks(ctx, o)
	if refused == 0 {
		r.soon()
		return err
	}
	log.LogAttrs(ctx, slog.LevelWarn, "damaged bytes could not be repaired; this is tried again",
		slog.Int("blobs", refused), slog.String("from", r.from.Blobs.String()), first, slog.Duration("again_in", r.pause))
	r.next = time.Now().Add(r.pause)
	r.pause = min(2*r.pause, seldomRepair)
	return err
}
