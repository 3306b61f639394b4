package deliver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts deliveries, for Prometheus.
type Metrics struct {
	attempts *prometheus.HistogramVec
	lateness prometheus.Gauge
}

// NewMetrics makes Metrics.
func NewMetrics() *Metrics {
	return &Metrics{
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "granary_webhook_attempt_duration_seconds",
			Help:    "Attempts to deliver a webhook, by outcome: delivered, failed (and tried again), abandoned.",
			Buckets: []float64{.01, .05, .25, 1, 5, 10},
		}, []string{"outcome"}),
		lateness: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "granary_webhook_lateness_seconds",
			Help: "Time since the oldest waiting webhook delivery was due, as this node last saw it; 0 if none waits.",
		}),
	}
}

// Collectors are what to register.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.attempts, m.lateness}
}

func (m *Metrics) observe(outcome string, took time.Duration) {
	if m != nil {
		m.attempts.WithLabelValues(outcome).Observe(took.Seconds())
	}
}

func (m *Metrics) late(by time.Duration) {
	if m != nil {
		m.lateness.Set(by.Seconds())
	}
}
