package daemon

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"granary/internal/blob"
	"granary/internal/httpd"
	"granary/internal/registry"
)

// damage logs and counts requests for files whose bytes are lost or changed.
type damage struct {
	log  *slog.Logger
	seen *prometheus.CounterVec
}

func newDamage(log *slog.Logger) *damage {
	d := &damage{log, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "granary_blobs_damaged_total",
		Help: "Requests for files whose bytes are missing, or differ in size or digest from those published.",
	}, []string{"kind"})}
	for _, kind := range []blob.Damage{blob.Missing, blob.OtherSize, blob.OtherBytes} {
		d.seen.WithLabelValues(string(kind)) // so that an alert sees the first
	}
	return d
}

func (d *damage) tell(ctx context.Context, found registry.Damage) {
	d.seen.WithLabelValues(string(found.Kind)).Inc()
	d.log.LogAttrs(ctx, slog.LevelError, "a file is lost or damaged: restore its bytes from a backup, or publish it again",
		slog.String("kind", string(found.Kind)),
		slog.String("project", found.Project),
		slog.String("package", found.Package),
		slog.String("version", found.Version),
		slog.String("file", string(found.File)),
		slog.String("sha256", found.Digest.String()),
		slog.String("request_id", httpd.RequestID(ctx)),
		slog.String("error", found.Err.Error()))
}
