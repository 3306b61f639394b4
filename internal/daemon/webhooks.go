package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"granary/internal/config"
	webhooks "granary/internal/hooks"
	"granary/internal/hooks/deliver"
	"granary/internal/httpd"
)

// startHooks opens the deeds of webhooks and begins to send what waits for
// them. url is the server's own address, as receivers are told it; metrics may
// be nil. stop waits for what is being sent, for a few seconds at most.
func (s *server) startHooks(ctx context.Context, cfg config.Config, url, version string, metrics *httpd.Metrics, log *slog.Logger) (stop func()) {
	guard := webhooks.Guard{Allow: cfg.WebhookAllowNetworks}
	sender := deliver.NewSender(guard, url, version, time.Now)
	service := &webhooks.Service{Store: s.db, Log: s.db, Sender: sender, Places: s.projects, Guard: guard, Now: time.Now}
	s.api.Hooks = service
	worker := deliver.Worker{Outbox: s.db, Sender: sender, Log: log, Now: time.Now}
	if metrics != nil {
		worker.Metrics = deliver.NewMetrics()
		metrics.Register(worker.Metrics.Collectors()...)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { worker.Run(ctx) })
	running.Go(func() {
		every(ctx, sweepEvery, func() {
			if err := service.Prune(ctx); err != nil {
				log.Warn("the log of webhooks was not shortened", "error", err)
			}
		})
	})
	return func() { cancel(); running.Wait() }
}
