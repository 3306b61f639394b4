package daemon

import (
	"context"
	"crypto/tls"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"granary/internal/certs"
	"granary/internal/config"
	"granary/internal/httpd"
)

// secure is what the server needs to speak TLS; nil for plain HTTP.
type secure struct {
	certificates
	acme *certs.ACME // nil for certificates in files
}

// certificates are those of files, or of an ACME authority.
type certificates interface {
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Expires() map[string]time.Time
}

// openTLS reads the certificate, if it is in files. It makes nothing, and asks nobody.
func openTLS(cfg config.Config, log *slog.Logger) (*secure, error) {
	switch {
	case cfg.TLSCert != "":
		files, err := certs.OpenFiles(cfg.TLSCert, cfg.TLSKey, log)
		if err != nil {
			return nil, SettingError{err}
		}
		return &secure{certificates: files}, nil
	case len(cfg.ACME) > 0:
		acme := certs.NewACME(certs.ACMEOptions{
			Domains: cfg.ACME, Directory: cfg.ACMEDirectory, Email: cfg.ACMEEmail,
			Cache: filepath.Join(cfg.DataDir, "acme"), Log: log,
		})
		return &secure{certificates: acme, acme: acme}, nil
	}
	return nil, nil
}

// serve makes a server speak TLS, and its metrics say when certificates expire.
func (s *secure) serve(o *httpd.Options) {
	if s == nil {
		return
	}
	o.TLS = &tls.Config{GetCertificate: s.GetCertificate}
	if s.acme != nil {
		o.TLS.NextProtos = []string{s.acme.Protocol()}
	}
	if o.Metrics != nil {
		o.Metrics.Register(expiry{s, prometheus.NewDesc("granary_tls_certificate_expires_timestamp_seconds",
			"When the certificate that clients are shown expires, in seconds since 1970, by its first name.", []string{"domain"}, nil)})
	}
}

// keep gets certificates from the ACME authority, if there is one, until stop is called.
// stop does not wait for what the authority has been asked: that may take minutes.
func (s *secure) keep(ctx context.Context) (stop func()) {
	if s == nil || s.acme == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	go s.acme.Keep(ctx)
	return cancel
}

// expiry is the metric of certificates.
type expiry struct {
	s    *secure
	desc *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (e expiry) Describe(to chan<- *prometheus.Desc) { to <- e.desc }

// Collect implements prometheus.Collector.
func (e expiry) Collect(to chan<- prometheus.Metric) {
	for domain, at := range e.s.Expires() {
		to <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(at.Unix()), domain)
	}
}
