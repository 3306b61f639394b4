package daemon

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"granary/internal/config"
	"granary/internal/httpd"
	"granary/internal/systemd"
)

// The names of sockets from systemd: FileDescriptorName= of a socket unit, by default the
// unit's name.
const (
	webSocket     = "http"
	metricsSocket = "metrics"
)

// isWeb reports whether a socket of that name is for the address of listen. One that
// systemd-socket-activate passes has no name, or "unknown".
func isWeb(name string) bool {
	return slices.Contains([]string{webSocket, "granary.socket", "", "unknown"}, name)
}

// listeners are all addresses of the server.
type listeners struct {
	web                          net.Listener
	redirects, metrics, profiles *sideListener // nil if the settings name none
}

// openListeners takes all addresses, or none: from systemd what it passed, the others as
// the settings say.
func openListeners(ctx context.Context, cfg config.Config) (l listeners, err error) {
	passed, err := passedSockets()
	if err != nil {
		return l, err
	}
	defer passed.close()
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.web, err = passed.listen(ctx, cfg.Listen); err != nil {
		return l, err
	}
	if l.redirects, err = listenBeside(ctx, "http-redirect-listen", cfg.HTTPRedirectListen); err != nil {
		return l, err
	}
	if l.metrics, err = passed.listenMetrics(ctx, cfg.MetricsListen); err != nil {
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

// sockets are the listeners that systemd passed and nobody has taken yet.
type sockets struct{ left []systemd.Socket }

// passedSockets takes over what systemd passed to this process, which may be nothing.
func passedSockets() (*sockets, error) {
	passed, err := systemd.Listeners()
	if err != nil {
		return nil, SettingError{fmt.Errorf("cannot use what systemd passed: %w", err)}
	}
	s := &sockets{passed}
	for _, one := range passed {
		if name := one.Name; !isWeb(name) && name != metricsSocket {
			err = SettingError{fmt.Errorf("systemd passed the socket %q (%s), which nothing here wants; there are %q, or granary.socket, for listen and %q for metrics-listen: FileDescriptorName= in its unit names it",
				name, one.Listener.Addr(), webSocket, metricsSocket)}
			break
		}
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close frees what nobody has taken.
func (s *sockets) close() {
	for _, one := range s.left {
		_ = one.Listener.Close() // it was not served
	}
	s.left = nil
}

// take is the socket whose name is the wanted one, for a setting; nil if systemd passed none.
func (s *sockets) take(setting string, wanted func(name string) bool) (net.Listener, error) {
	var found []systemd.Socket
	var addresses []string
	s.left = slices.DeleteFunc(s.left, func(one systemd.Socket) bool {
		if !wanted(one.Name) {
			return false
		}
		found, addresses = append(found, one), append(addresses, one.Listener.Addr().String())
		return true
	})
	if len(found) == 0 {
		return nil, nil
	}
	var err error
	if len(found) > 1 {
		err = fmt.Errorf("systemd passed %d sockets for %s (%s), and it takes one; ListenStream=8080 listens on all addresses",
			len(found), setting, strings.Join(addresses, ", "))
	} else if err = httpd.TakeOver(found[0].Listener); err == nil {
		return found[0].Listener, nil
	}
	(&sockets{found}).close()
	return nil, SettingError{err}
}

// listen is the listener of the setting listen: systemd's, if it passed one, else a new one.
func (s *sockets) listen(ctx context.Context, address string) (net.Listener, error) {
	ln, err := s.take("listen", isWeb)
	if ln != nil || err != nil {
		return ln, err
	}
	ln, err = httpd.Listen(ctx, address)
	if err != nil {
		return nil, noListener(err, "listen", address, " is another server running there?")
	}
	return ln, nil
}

// listenMetrics is the listener of metrics-listen: systemd's, or a new one; nil if there is neither
// a socket nor an address.
func (s *sockets) listenMetrics(ctx context.Context, address string) (*sideListener, error) {
	ln, err := s.take("metrics-listen", func(name string) bool { return name == metricsSocket })
	if err != nil {
		return nil, err
	}
	if ln != nil {
		return &sideListener{ln}, nil
	}
	return listenBeside(ctx, "metrics-listen", address)
}
