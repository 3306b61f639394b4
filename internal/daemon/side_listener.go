package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"granary/internal/httpd"
)

// sideListener is a second address of the server; nil if the settings name none.
type sideListener struct{ ln net.Listener }

// listenBeside takes the address of a setting.
func listenBeside(ctx context.Context, setting, address string) (*sideListener, error) {
	if address == "" {
		return nil, nil
	}
	ln, err := httpd.Listen(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("%w; --%s chooses another address", err, setting)
	}
	return &sideListener{ln}, nil
}

// close frees the address, also if it was never served.
func (l *sideListener) close() {
	if l != nil {
		_ = l.ln.Close() // a second time, if it was served
	}
}

// serve answers there until ctx is done or stop is called; stop returns when it has
// ended.
func (l *sideListener) serve(ctx context.Context, h http.Handler, what string, log *slog.Logger) (stop func()) {
	if l == nil {
		return func() {}
	}
	log.Info("serving "+what, "address", l.ln.Addr().String())
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := httpd.NewServer(h, httpd.Options{Log: log}).Serve(ctx, l.ln); err != nil {
			log.Error(what+" stopped", "error", err)
		}
	}()
	return func() { cancel(); <-done }
}
