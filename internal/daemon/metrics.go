package daemon

import (
	"io"
	"net/http"
	"net/netip"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"granary/internal/httpd"
	"granary/internal/throttle"
)

// metrics are what the server counts.
func (s *server) metrics() *httpd.Metrics {
	m := httpd.NewMetrics()
	m.Register(slices.Concat(s.tasks.collectors(), s.space.collectors(), s.scrub.collectors(), s.sizes.collectors())...)
	m.Register(s.damage.seen, s.records.lag, s.backup.age, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "granary_ready",
		Help: "1 if /-/readiness answers 200, else 0. It is asked at each scrape.",
	}, s.ready))
	for _, t := range []*throttle.Throttle{s.api.Rates.Anonymous, s.api.Rates.Authenticated, s.api.Rates.Writes, s.auth.Logins.Failures()} {
		if t != nil {
			m.CountThrottled(t.Name(), t.Refused)
		}
	}
	m.ShowAnswers(s.api.Answers.Held)
	return m
}

// onlyMetrics is the handler of the separate address for metrics; m may be nil if
// there is no such address.
func onlyMetrics(m *httpd.Metrics) http.Handler {
	mux := http.NewServeMux()
	if m != nil {
		mux.Handle("GET /-/metrics", m.Handler())
	}
	return mux
}

// toThisMachine answers requests from this machine that came through no proxy. A
// client that sends a proxy's headers itself is only refused.
func toThisMachine(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fromThisMachine(r) {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"403 Forbidden - metrics are only for this machine; the settings metrics-listen or metrics=on allow other clients"}`)
	})
}

func fromThisMachine(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} {
		if _, sent := r.Header[name]; sent {
			return false
		}
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && at.Addr().Unmap().IsLoopback()
}
