package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"

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
		return nil, noListener(err, setting, address, "")
	}
	return &sideListener{ln}, nil
}

// noListener says what to do if an address of a setting cannot be taken. hint is what may
// be the cause, if it is none that the error tells.
func noListener(err error, setting, address, hint string) error {
	_, text, _ := net.SplitHostPort(address) // checked, as all settings are
	port, _ := strconv.Atoi(text)
	if errors.Is(err, fs.ErrPermission) && port < 1024 {
		return SettingError{fmt.Errorf("%w: a port below 1024 wants the capability CAP_NET_BIND_SERVICE, "+
			"by AmbientCapabilities= in a systemd unit or by setcap; --%s chooses another address", err, setting)}
	}
	return fmt.Errorf("%w;%s --%s chooses another address", err, hint, setting)
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
