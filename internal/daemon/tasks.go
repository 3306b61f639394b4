package daemon

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"granary/internal/trouble"
)

// tasks runs background tasks and keeps their metrics.
type tasks struct {
	leads    prometheus.Gauge // 1 while this node does the upkeep for all
	duration *prometheus.HistogramVec
	success  *prometheus.GaugeVec
	removed  *prometheus.CounterVec
	nodes    *prometheus.GaugeVec
	stored   *prometheus.GaugeVec // without labels: has a value only while this node does the upkeep
	swept    prometheus.Counter

	mu       sync.Mutex
	leader   bool                        // this node does the upkeep for all
	runs     map[string]lastRun          // by task
	troubles map[string]*trouble.Trouble // by task
}

// lastRun is how a task last went on this node.
type lastRun struct {
	ended   time.Time
	took    time.Duration
	failure string // "" if it went well
}

func newTasks() *tasks {
	return &tasks{
		runs:     map[string]lastRun{},
		troubles: map[string]*trouble.Trouble{},
		leads: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "granary_upkeep_running",
			Help: "1 on the node that runs the sweep and the other tasks for all nodes, 0 on the others.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "granary_task_duration_seconds",
			Help:    "Duration of background tasks on this node, by task and outcome: done, failed (and tried again at the next interval).",
			Buckets: []float64{.01, .1, 1, 10, 60, 600},
		}, []string{"task", "outcome"}),
		success: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "granary_task_last_success_timestamp_seconds",
			Help: "Time when a task last succeeded on this node.",
		}, []string{"task"}),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "granary_task_removed_total",
			Help: "Number of items that tasks removed: blobs and left-over uploads, audit events, webhook attempts, killed nodes.",
		}, []string{"task"}),
		nodes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "granary_nodes",
			Help: "Servers seen on the database within the last 30 s, including this one, by granary's version.",
		}, []string{"version"}),
		stored: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "granary_store_bytes",
			Help: "Bytes of all blobs on record, small ones too; only on the node that sweeps for all nodes.",
		}, nil),
		swept: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "granary_swept_bytes_total",
			Help: "Bytes of the blobs that sweeps of this node removed.",
		}),
	}
}

// collectors are what to register.
func (t *tasks) collectors() []prometheus.Collector {
	return []prometheus.Collector{t.leads, t.duration, t.success, t.removed, t.nodes, t.stored, t.swept}
}

// do runs a task once. work returns how much it removed, also if it failed.
func (t *tasks) do(ctx context.Context, log *slog.Logger, task string, work func(context.Context) (removed int, err error)) {
	began := time.Now()
	removed, err := work(ctx)
	if removed > 0 {
		t.removed.WithLabelValues(task).Add(float64(removed))
		log.Info("background task removed expired data", "task", task, "removed", removed)
	}
	if err == nil || ctx.Err() == nil {
		t.keep(task, began, err)
	}
	switch {
	case err == nil:
		t.duration.WithLabelValues(task, "done").Observe(time.Since(began).Seconds())
		t.success.WithLabelValues(task).SetToCurrentTime()
		t.trouble(log, task).Saw(nil, "task", task)
	case ctx.Err() == nil: // else it was cancelled, and the next node with the upkeep does it
		t.duration.WithLabelValues(task, "failed").Observe(time.Since(began).Seconds())
		t.trouble(log, task).Saw(err, "task", task)
	}
}

// keep remembers how a task went.
func (t *tasks) keep(task string, began time.Time, err error) {
	r := lastRun{ended: time.Now(), took: time.Since(began)}
	if err != nil {
		r.failure = err.Error()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs[task] = r
}

// lastRuns are the last runs of tasks on this node, by task.
func (t *tasks) lastRuns() map[string]lastRun {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.runs)
}

// lead says whether this node does the upkeep for all.
func (t *tasks) lead(leads bool) {
	t.mu.Lock()
	t.leader = leads
	t.mu.Unlock()
	if leads {
		t.leads.Set(1)
		return
	}
	t.leads.Set(0)
}

// leading reports whether this node does the upkeep for all.
func (t *tasks) leading() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.leader
}

// trouble is that of a task.
func (t *tasks) trouble(log *slog.Logger, task string) *trouble.Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.troubles[task] == nil {
		t.troubles[task] = trouble.New(log, "background task failed; it will run again at the next interval", "background task works again")
	}
	return t.troubles[task]
}
