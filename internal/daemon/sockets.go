package daemon

import (
	"context"
	"net"

	"granary/internal/config"
	"granary/internal/httpd"
)

// listeners are all addresses of the server.
type listeners struct {
	web                          net.Listener
	redirects, metrics, profiles *sideListener // nil if the settings name none
}

// openListeners takes all addresses, or none.
func openListeners(ctx context.Context, cfg config.Config) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.web, err = httpd.Listen(ctx, cfg.Listen); err != nil {
		return l, noListener(err, "listen", cfg.Listen, " is another server running there?")
	}
	if l.redirects, err = listenBeside(ctx, "http-redirect-listen", cfg.HTTPRedirectListen); err != nil {
		return l, err
	}
	if l.metrics, err = listenBeside(ctx, "metrics-listen", cfg.MetricsListen); err != nil {
		return l, err
	}
	l.profiles, err = listenBeside(ctx, "pprof-listen", cfg.PprofListen)
	return l, err
}

// close frees the addresses, also if they were never served.
func (l listeners) close() {
	if l.web != nil {
		_ = l.web.Close() // a second time, if it was served
	}
	l.redirects.close()
	l.metrics.close()
	l.profiles.close()
}
