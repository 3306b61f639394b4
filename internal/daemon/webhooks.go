package daemon

import (
	"context"
	"log/slog"
	"time"

	"granary/internal/httpd"
	"granary/internal/webhooks/deliver"
)

// startHooks builds the webhooks service and starts to send waiting deliveries. url is
// the server's own address, for receivers; metrics may be nil. stop waits for running
// attempts, for a few seconds at most.
func (s *server) startHooks(ctx context.Context, url, version string, metrics *httpd.Metrics, log *slog.Logger) (stop func()) {
	sender := deliver.NewSender(s.webhooks.Guard, url, version, time.Now)
	s.webhooks.Sender = sender
	s.api.Hooks = s.webhooks
	worker := deliver.Worker{Outbox: s.db, Sender: sender, Log: log, Now: time.Now}
	if metrics != nil {
		worker.Metrics = deliver.NewMetrics()
		metrics.Register(worker.Metrics.Collectors()...)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); worker.Run(ctx) }()
	return func() { cancel(); <-done }
}
