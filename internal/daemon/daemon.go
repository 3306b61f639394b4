// Package daemon builds the server from its settings, runs it and stops it.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"granary/internal/api"
	"granary/internal/blob/disk"
	"granary/internal/config"
	"granary/internal/httpd"
	"granary/internal/metadb"
	"granary/internal/throttle"
)

// Run serves until ctx is done and then drains; it returns nil after an orderly
// end. What a person wants to read once goes to stdout, logs go to stderr. An
// error says in plain words what to do about it.
func Run(ctx context.Context, cfg config.Config, version string, stdout, stderr io.Writer) error {
	return run(ctx, cfg, version, stdout, stderr, hooks{})
}

// hooks are called at the named points of metadb.Options and disk.Store. The
// crash test ends the process there.
type hooks struct {
	commit func(point string)
	store  func(disk.Point)
}

func run(ctx context.Context, cfg config.Config, version string, stdout, stderr io.Writer, h hooks) error {
	log := newLogger(cfg, stderr)
	// The addresses first: where one is taken nothing is created.
	ln, err := httpd.Listen(ctx, cfg.Listen)
	if err != nil {
		return fmt.Errorf("%w; is another server running there? --listen chooses another address", err)
	}
	defer func() { _ = ln.Close() }() // again, where it was served
	if cfg.PprofListen != "" {
		stop, err := servePprof(ctx, cfg.PprofListen, log)
		if err != nil {
			return err
		}
		defer stop()
	}
	s, err := open(ctx, cfg, version, log, h)
	if err != nil {
		return err
	}
	defer s.close(log)
	ctx, current := s.whileCurrent(ctx)
	defer current()
	s.greet(ctx, log)
	url := reachable(cfg, ln.Addr().String())
	if err := s.firstStart(ctx, cfg, url, stdout); err != nil {
		return fmt.Errorf("first start: %w", err)
	}
	handler, options := s.handler(cfg, url, log)
	defer s.startHooks(ctx, url, version, options.Metrics, log)()
	defer startMemory(ctx)()
	defer s.startUpkeep(ctx, log, cfg.AuditRetention)()
	log.Info("listening", "address", ln.Addr().String(), "url", url, "version", version, "node", s.db.NodeID())
	err = httpd.NewServer(handler, options).Serve(ctx, ln)
	if cause := context.Cause(ctx); errors.Is(cause, metadb.ErrOutdated) {
		return fmt.Errorf("the server ended: %w", cause)
	}
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// handler is everything the server answers. url is where it can be reached.
func (s *server) handler(cfg config.Config, url string, log *slog.Logger) (http.Handler, httpd.Options) {
	s.api.Hosts = &api.Hosts{Names: cfg.TrustedHosts, Address: url, Log: log}
	options := httpd.Options{
		Log:             log,
		TrustedProxies:  cfg.TrustedProxies,
		StallTimeout:    cfg.StallTimeout,
		IdleTimeout:     cfg.IdleTimeout,
		ShutdownTimeout: cfg.ShutdownTimeout,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/liveness", liveness)
	mux.HandleFunc("GET /-/readiness", s.readiness)
	if cfg.Metrics {
		options.Metrics = httpd.NewMetrics()
		options.Metrics.Register(s.tasks.collectors()...)
		options.Metrics.Register(s.damage.seen)
		for _, t := range []*throttle.Throttle{s.api.Anonymous, s.api.Authenticated, s.api.Writes, s.auth.Logins.Failures()} {
			if t != nil {
				options.Metrics.CountThrottled(t.Name(), t.Refused)
			}
		}
		options.Metrics.ShowAnswers(s.api.Answers.Held)
		mux.Handle("GET /-/metrics", options.Metrics.Handler())
	}
	return s.api.Handler(mux), options
}

// servePprof serves profiles beside the server until ctx is done or stop is
// called; stop returns when it has ended.
func servePprof(ctx context.Context, address string, log *slog.Logger) (stop func(), err error) {
	ln, err := httpd.Listen(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("%w; --pprof-listen chooses another address", err)
	}
	log.Info("serving profiles", "address", ln.Addr().String())
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := httpd.NewServer(httpd.Pprof(), httpd.Options{Log: log}).Serve(ctx, ln); err != nil {
			log.Error("profiles are no longer served", "error", err)
		}
	}()
	return func() { cancel(); <-done }, nil
}

func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
