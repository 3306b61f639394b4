// Package daemon builds the server from its settings, runs it and stops it.
package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"granary/internal/config"
	"granary/internal/httpd"
)

// Run serves until ctx is done and then drains; it returns nil after an orderly
// end. Logs go to stderr. An error says in plain words what to do about it.
func Run(ctx context.Context, cfg config.Config, _, stderr io.Writer) error {
	log := newLogger(cfg, stderr)
	options := httpd.Options{
		Log:             log,
		TrustedProxies:  cfg.TrustedProxies,
		StallTimeout:    cfg.StallTimeout,
		IdleTimeout:     cfg.IdleTimeout,
		ShutdownTimeout: cfg.ShutdownTimeout,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/liveness", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "GitLab OK")
	})
	if cfg.Metrics {
		options.Metrics = httpd.NewMetrics()
		mux.Handle("GET /-/metrics", options.Metrics.Handler())
	}
	if cfg.PprofListen != "" {
		stop, err := servePprof(ctx, cfg.PprofListen, log)
		if err != nil {
			return err
		}
		defer stop()
	}
	ln, err := httpd.Listen(ctx, cfg.Listen)
	if err != nil {
		return fmt.Errorf("%w; is another server running there? --listen chooses another address", err)
	}
	log.Info("listening", "address", ln.Addr().String())
	err = httpd.NewServer(mux, options).Serve(ctx, ln)
	if err == nil {
		log.Info("stopped")
	}
	return err
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
