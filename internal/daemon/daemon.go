// Package daemon builds the server from its settings, runs it and stops it.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"granary/internal/api"
	"granary/internal/blob/disk"
	"granary/internal/config"
	"granary/internal/httpd"
	"granary/internal/metadb"
	"granary/internal/sqldb"
	"granary/internal/trouble"
)

// Run serves until ctx is done and then drains; it returns nil after an orderly
// end. Text for a person to read once, with secrets, goes to terminal, which is nil
// without one; logs go to stderr. An error says in plain words what to do about it.
func Run(ctx context.Context, cfg config.Config, version string, terminal, stderr io.Writer) error {
	if err := supported(); err != nil {
		return err
	}
	return run(ctx, cfg, version, terminal, stderr, crashPoints{})
}

// SettingError is a setting that is wrong, found before anything was made. Its text says
// what would be right.
type SettingError struct{ error }

// Unwrap is the cause.
func (e SettingError) Unwrap() error { return e.error }

// crashPoints are what tests set: what is called at the named points of sqldb.Options, disk.Store
// and records.Journal, where the crash test ends the process.
type crashPoints struct {
	commit  func(point string)
	store   func(disk.Point)
	records func(point string)

	askFor time.Duration // a shorter answerIn; 0: answerIn
}

func run(ctx context.Context, cfg config.Config, version string, terminal, stderr io.Writer, at crashPoints) (err error) {
	log := NewLogger(cfg, stderr)
	defer func() {
		if err == nil { // the last line: the background tasks write the last records before
			log.Info("stopped")
		}
	}()
	// What may be wrong outside of the settings first: then nothing is created.
	secure, err := openTLS(cfg, log)
	if err != nil {
		return err
	}
	addresses, err := openListeners(ctx, cfg)
	if err != nil {
		return err
	}
	defer addresses.close()
	defer addresses.profiles.serve(ctx, httpd.Pprof(), "profiles", log)()
	s, err := open(ctx, cfg, version, log, at)
	if err != nil {
		return err
	}
	defer s.close(log)
	ctx, end := s.whileCurrent(ctx)
	defer end(nil)
	s.greet(ctx, log)
	s.nameReserved(ctx, log)
	if err := s.registry.LearnMarks(ctx); err != nil { // before it serves
		return fmt.Errorf("cannot read which stored bytes are damaged: %w", err)
	}
	url := reachable(cfg, addresses.web.Addr().String())
	if err := s.firstStart(ctx, cfg, url, terminal, log); err != nil {
		return fmt.Errorf("first start: %w", err)
	}
	if err := s.servePages(cfg, version); err != nil {
		return err
	}
	handler, options := s.handler(cfg, addresses.metrics != nil, url, log)
	secure.serve(&options)
	defer addresses.redirects.serve(ctx, secure.redirects(cfg, addresses.web.Addr()), "redirects to https", log)()
	defer secure.keep(ctx)()
	defer addresses.metrics.serve(ctx, onlyMetrics(options.Metrics), "metrics", log)()
	defer s.startHooks(ctx, url, version, options.Metrics, log)()
	defer startMemory(ctx)()
	alone := func(ctx context.Context) error { return s.refuseStrangers(ctx, cfg.Blobs, at.askFor, log) }
	defer s.startUpkeep(ctx, log, cfg.AuditRetention, alone, end)()
	log.Info("listening", "address", addresses.web.Addr().String(), "url", url, "version", version, "node", s.db.NodeID())
	defer s.service.serves(ctx, url, cfg.ShutdownTimeout)()
	defer s.service.watch(ctx, cfg.Scheme(), addresses.web.Addr())()
	err = httpd.NewServer(handler, options).Serve(ctx, addresses.web)
	if cause := context.Cause(ctx); errors.Is(cause, sqldb.ErrOutdated) || errors.Is(cause, errStranger) {
		return fmt.Errorf("the server ended: %w", cause)
	}
	return err
}

// handler is everything the server answers. url is the server's own address; metricsBeside
// says that metrics have an address of their own.
func (s *server) handler(cfg config.Config, metricsBeside bool, url string, log *slog.Logger) (http.Handler, httpd.Options) {
	unknown := trouble.NewSeldom(log, "a client called this server by an unknown name, so links name the server's address; "+
		"set external-url to the address that clients use, or add the name to trusted-hosts")
	s.api.Hosts = api.Hosts{Names: slices.Concat(cfg.TrustedHosts, cfg.ACME), Address: url, Unknown: func(host, link string) { unknown.Tell("host", host, "links", link) }}
	options := httpd.Options{
		Log:             log,
		TrustedProxies:  cfg.TrustedProxies,
		StallTimeout:    cfg.StallTimeout,
		IdleTimeout:     cfg.IdleTimeout,
		ShutdownTimeout: cfg.ShutdownTimeout,
	}
	s.api.Probes = api.Probes{Liveness: http.HandlerFunc(liveness), Readiness: http.HandlerFunc(s.readiness)}
	if cfg.Metrics != "off" || metricsBeside {
		options.Metrics = s.metrics()
	}
	switch cfg.Metrics {
	case "on":
		s.api.Probes.Metrics = options.Metrics.Handler()
	case "loopback":
		s.api.Probes.Metrics = toThisMachine(options.Metrics.Handler())
	}
	if s.db.Shared() {
		options.Context = metadb.WithRequest
	}
	return s.api.Handler(), options
}

// NewLogger writes the log as the settings say.
func NewLogger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
