package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"granary/internal/config"
	"granary/internal/registry"
)

const (
	scrubEvery = 10 * time.Second
	marksEvery = time.Minute // each costs a look at the store
)

// scrub is how stored bytes are verified in the background, and what is shown of it: on
// the node that does the upkeep for all.
type scrub struct {
	period  time.Duration // 0: never
	rate    int64         // bytes a second
	damaged *prometheus.GaugeVec
	oldest  *prometheus.GaugeVec
	checked time.Time // when the marks were; only the task knows it

	repairing *repairing
}

func newScrub(cfg config.Config) *scrub {
	return &scrub{
		period: cfg.ScrubPeriod, rate: cfg.ScrubRate, repairing: newRepairing(cfg),
		damaged: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "granary_blobs_damaged",
			Help: "Number of blobs that are known to be lost or damaged; only on the node that runs the upkeep for all nodes.",
		}, nil),
		oldest: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "granary_scrub_oldest_seconds",
			Help: "Age of the oldest verification of stored bytes, at most: all were read or published since, but for those that cannot be read, which the log names. Until the first whole cycle it is the time since scrubbing began. Only on the node that runs the upkeep for all nodes, and with scrub-period.",
		}, nil),
	}
}

func (c *scrub) collectors() []prometheus.Collector {
	return []prometheus.Collector{c.damaged, c.oldest}
}

// forget shows nothing more: another node does the upkeep.
func (c *scrub) forget() {
	c.damaged.Reset()
	c.oldest.Reset()
}

// scrubStored verifies the stored bytes that are due, and looks at what is marked.
func (s *server) scrubStored(ctx context.Context, log *slog.Logger) {
	s.tasks.do(ctx, log, "scrub", func(ctx context.Context) (int, error) {
		var err error
		if time.Since(s.scrub.checked) >= marksEvery || s.scrub.repairing.hurry.Load() {
			err = s.checkMarks(ctx, log)
			s.scrub.checked = time.Now()
		}
		if s.scrub.period > 0 && ctx.Err() == nil {
			err = errors.Join(err, s.registry.Scrub(ctx, registry.ScrubOptions{Period: s.scrub.period, Rate: s.scrub.rate, Found: s.tellDamage(ctx, log)}))
		}
		return 0, errors.Join(err, s.showScrub(ctx))
	})
}

// learnMarks sees to it that this node does not serve what any other has marked.
func (s *server) learnMarks(ctx context.Context, log *slog.Logger) {
	s.tasks.do(ctx, log, "marks", func(ctx context.Context) (int, error) { return 0, s.registry.LearnMarks(ctx) })
}

// tellDamage logs a damaged blob with its files. It is repaired soon, if that is possible.
func (s *server) tellDamage(ctx context.Context, log *slog.Logger) func(registry.DamageMark, error, []registry.FileAt) {
	return func(m registry.DamageMark, damage error, files []registry.FileAt) {
		s.scrub.repairing.hurry.Store(true)
		var names []string
		for _, f := range files {
			names = append(names, fmt.Sprintf("%s %s/%s %s", f.Project, f.Package, f.Version, f.File))
		}
		log.LogAttrs(ctx, slog.LevelError, "stored bytes are lost or damaged, and are not served: restore them from a backup, or publish one of these files again",
			slog.String("kind", string(m.Kind)), slog.String("sha256", m.Digest.String()),
			slog.String("files", strings.Join(names, ", ")), slog.String("error", damage.Error()))
	}
}

// showScrub sets the metrics.
func (s *server) showScrub(ctx context.Context) error {
	n, err := s.db.CountMarks(ctx)
	if err != nil {
		return err
	}
	s.scrub.damaged.WithLabelValues().Set(float64(n))
	state, err := s.db.FindScrub(ctx)
	if err == nil && s.scrub.period > 0 && !state.Since.IsZero() {
		s.scrub.oldest.WithLabelValues().Set(time.Since(state.Since).Seconds())
	}
	return err
}
