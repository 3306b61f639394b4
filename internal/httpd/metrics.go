package httpd

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts requests, for Prometheus. Its labels are bounded: methods that
// are not HTTP's own are "other", requests no pattern matched are "unmatched".
type Metrics struct {
	registry *prometheus.Registry
	inFlight prometheus.Gauge
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewMetrics makes Metrics on a registry of their own, together with those of
// the Go runtime and of the process.
func NewMetrics() *Metrics {
	labels := []string{"method", "route", "status"}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "granary_http_requests_in_flight",
			Help: "Requests in progress.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "granary_http_requests_total",
			Help: "Requests served, by method, route and status class.",
		}, labels),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "granary_http_request_duration_seconds",
			Help:    "Time from the header of a request to the end of its answer, bodies included.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 60, 300},
		}, labels),
	}
	m.registry.MustRegister(m.inFlight, m.requests, m.seconds,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Register adds collectors of other packages; it panics if a name is taken.
func (m *Metrics) Register(cs ...prometheus.Collector) { m.registry.MustRegister(cs...) }

// CountThrottled adds a metric of how many requests a throttle has refused; it panics
// if the name is taken.
func (m *Metrics) CountThrottled(name string, refused func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name:        "granary_throttled_requests_total",
		Help:        "Requests answered with 429, by throttle.",
		ConstLabels: prometheus.Labels{"throttle": name},
	}, func() float64 { return float64(refused()) }))
}

// ShowAnswers adds metrics of how much memory large answers take, and how many
// requests wait for some; it panics if the names are taken.
func (m *Metrics) ShowAnswers(held func() (taken int64, waiting int)) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "granary_answers_memory_bytes",
			Help: "Bytes of memory reserved by answers above 64 KiB.",
		}, func() float64 { taken, _ := held(); return float64(taken) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "granary_answers_waiting",
			Help: "Requests that wait for memory for their answers.",
		}, func() float64 { _, waiting := held(); return float64(waiting) }))
}

// Handler serves the metrics in Prometheus' format; for /-/metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *Metrics) observe(method, route string, status int, took time.Duration) {
	method, class := methodLabel(method), statusClass(status)
	if route == "" {
		route = "unmatched"
	}
	m.requests.WithLabelValues(method, route, class).Inc()
	m.seconds.WithLabelValues(method, route, class).Observe(took.Seconds())
}

func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost,
		http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// statusClass is "2xx" and so on; "none" for a request that was dropped before
// it had a status.
func statusClass(status int) string {
	switch status / 100 {
	case 1:
		return "1xx"
	case 2:
		return "2xx"
	case 3:
		return "3xx"
	case 4:
		return "4xx"
	case 5:
		return "5xx"
	}
	return "none"
}
