package daemon

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"granary/internal/blob"
	"granary/internal/httpd"
	"granary/internal/registry"
	"granary/internal/trace"
)

// damage logs and counts requests for files whose bytes are lost or changed, and remembers which
// of these nobody has marked yet.
type damage struct {
	log  *slog.Logger
	seen *prometheus.CounterVec

	mu      sync.Mutex
	suspect map[blob.Digest]bool // at most mostSuspects
}

// mostSuspects bounds what is remembered: a download of any other tells of it again.
const mostSuspects = 1000

func newDamage(log *slog.Logger) *damage {
	d := &damage{log: log, suspect: map[blob.Digest]bool{}, seen: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "granary_blobs_damaged_total",
		Help: "Requests for files whose bytes are missing, or differ in size or digest from those published.",
	}, []string{"kind"})}
	for _, kind := range []blob.Damage{blob.Missing, blob.OtherSize, blob.OtherBytes} {
		d.seen.WithLabelValues(string(kind)) // so that an alert sees the first
	}
	return d
}

func (d *damage) tell(ctx context.Context, found registry.Damage) {
	d.seen.WithLabelValues(string(found.Kind)).Inc()
	attrs := []slog.Attr{
		slog.String("kind", string(found.Kind)),
		slog.String("project", found.Project),
		slog.String("package", found.Package),
		slog.String("version", found.Version),
		slog.String("file", string(found.File)),
		slog.String("sha256", found.Digest.String()),
		slog.String("request_id", httpd.RequestID(ctx)),
		slog.String("error", found.Err.Error()),
	}
	d.log.LogAttrs(ctx, slog.LevelError, "a file is lost or damaged: granary fsck --repair-from PLACE restores its bytes from a backup or a copy of the store; or publish it again",
		append(attrs, trace.Of(ctx).LogAttrs()...)...)
	if found.Marked {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.suspect) < mostSuspects {
		d.suspect[found.Digest] = true
	}
}

// suspects returns the digests that are remembered, and forgets them.
func (d *damage) suspects() []blob.Digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := slices.Collect(maps.Keys(d.suspect))
	clear(d.suspect)
	return all
}

// recheckSuspects marks what downloads on this node found to be lost or damaged, so that it is
// repaired soon, whenever the scrub would come to it.
func (s *server) recheckSuspects(ctx context.Context, log *slog.Logger) {
	if digests := s.damage.suspects(); len(digests) > 0 {
		s.tasks.do(ctx, log, "damaged downloads", func(ctx context.Context) (int, error) {
			return 0, s.registry.Recheck(ctx, digests, registry.ScrubOptions{Rate: s.scrub.rate, Found: s.tellDamage(ctx, log)})
		})
	}
}
