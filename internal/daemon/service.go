package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"granary/internal/systemd"
	"granary/internal/trouble"
)

// How systemd is told while it waits.
const (
	upgradeTold  = 5 * time.Second // how often
	upgradeMore  = 60 * time.Second
	stoppingMore = 30 * time.Second // beyond shutdown-timeout: the last records are written
)

// service tells systemd how the server is. Without systemd it does nothing.
type service struct {
	log    *slog.Logger
	untold *trouble.Trouble
}

func newService(log *slog.Logger) *service {
	return &service{log: log, untold: trouble.New(log, "cannot tell systemd how the server is", "systemd can be told again how the server is")}
}

func (s *service) tell(lines ...string) { s.untold.Saw(systemd.Notify(lines...)) }

// upgrading asks systemd for more time, again and again until over is called: an upgrade of the
// schema, or the wait for that of another node, may take longer than a start may.
func (s *service) upgrading() (over func()) {
	ended := make(chan struct{})
	go func() {
		tick := time.NewTicker(upgradeTold)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				s.tell("STATUS=upgrading the schema of the database, or waiting for a node that does",
					"EXTEND_TIMEOUT_USEC="+systemd.Microseconds(upgradeMore))
			}
		}
	}()
	return func() { close(ended) }
}

// serves tells systemd that the server accepts requests at a URL, and, when ctx ends, that
// it stops and how long that may take. From then on systemd wants no watchdog. stop waits until
// that is told, if ctx has ended.
func (s *service) serves(ctx context.Context, url string, shutdown time.Duration) (stop func()) {
	s.tell("READY=1", "STATUS=serving "+url)
	told := make(chan struct{})
	unless := context.AfterFunc(ctx, func() {
		defer close(told)
		s.tell("STOPPING=1", fmt.Sprintf("STATUS=stopping; running requests may take %v", shutdown),
			"EXTEND_TIMEOUT_USEC="+systemd.Microseconds(shutdown+stoppingMore))
	})
	return func() {
		if !unless() {
			<-told
		}
	}
}

// watch tells systemd that the server lives, twice in each period of its watchdog, as long as the
// server answers its own question whether it lives. It asks at its own address, as clients
// do, by a scheme, http or https. A database that is away is no reason to be killed, so liveness does not ask for it.
// stop returns when it has ended.
func (s *service) watch(ctx context.Context, scheme string, address net.Addr) (stop func()) {
	period := systemd.Watchdog()
	if period == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.watchEach(ctx, period, scheme+"://"+ownAddress(address)+"/-/liveness")
	}()
	return func() { cancel(); <-done }
}

// watchEach asks and tells until ctx is done. A question without an answer is asked again
// soon, for the period is not over yet.
func (s *service) watchEach(ctx context.Context, period time.Duration, url string) {
	client := http.Client{Timeout: period / 4, Transport: &http.Transport{ // no proxy, and a connection for each
		DisableKeepAlives: true, DialTLSContext: dialSelf,
	}}
	unanswered := trouble.New(s.log, "the server does not answer itself; systemd will kill it", "the server answers itself again")
	for {
		err := askLiveness(ctx, &client, url)
		if ctx.Err() != nil {
			return
		}
		unanswered.Saw(err, "url", url)
		pause := period / 8
		if err == nil {
			s.tell("WATCHDOG=1")
			pause = period / 2
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func askLiveness(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if errors.Is(err, errRefused) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 4096))
	_ = resp.Body.Close() // it was read
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer is %s", resp.Status)
	}
	return err
}

// errRefused is a handshake of TLS that the server ended, as one does that waits for its first
// certificate. That is an answer, too.
var errRefused = errors.New("the server ended the handshake")

// dialSelf connects to this process over TLS, whatever the names in its certificate are.
func dialSelf(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it asks itself
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		if ctx.Err() == nil {
			return nil, errRefused
		}
		return nil, err
	}
	return secure, nil
}

// ownAddress is where this process reaches its own listener.
func ownAddress(listening net.Addr) string {
	at, err := netip.ParseAddrPort(listening.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return listening.String()
	}
	if at.Addr().Is4() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), at.Port()).String()
}
