package deliver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts deliveries, for Prometheus.
type Metrics struct{ attempts *prometheus.HistogramVec }

// NewMetrics makes Metrics.
func NewMetrics() *Metrics {
	return &Metrics{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "granary_webhook_attempt_duration_seconds",
		Help:    "Attempts to deliver a webhook, by outcome: delivered, failed (and tried again), abandoned.",
		Buckets: []float64{.01, .05, .25, 1, 5, 10},
	}, []string{"outcome"})}
}

// Collectors are what to register.
func (m *Metrics) Collectors() []prometheus.Collector { return []prometheus.Collector{m.attempts} }

func (m *Metrics) observe(outcome string, took time.Duration) {
	if m != nil {
		m.attempts.WithLabelValues(outcome).Observe(took.Seconds())
	}
}
