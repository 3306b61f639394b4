package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// handshakeTime is how long a client may take to agree on TLS.
const handshakeTime = 10 * time.Second

// handshakes is a listener whose connections have agreed on TLS already. net/http would
// do that itself, but only for a *tls.Conn: of what HTTP/1.1 says inside of one, a conn
// would know nothing (conn.go). So those of HTTP/1.1 are conns, and only those of HTTP/2,
// which need none, are as net/http wants them.
type handshakes struct {
	conns
	config *tls.Config
	time   time.Duration // for a handshake
	log    *slog.Logger
	came   chan arrival
	open   context.Context
	close  context.CancelFunc

	shaking sync.WaitGroup
}

// arrival is what Accept returns.
type arrival struct {
	conn net.Conn
	err  error
}

// overTLS begins to accept from ln. Close ends that, with all handshakes. If what ln listens on
// is closed instead, those that have begun have silenceAtEnd to end.
func overTLS(ln conns, config *tls.Config, limit time.Duration, log *slog.Logger) *handshakes {
	h := &handshakes{conns: ln, config: config, time: limit, log: log, came: make(chan arrival)}
	h.open, h.close = context.WithCancel(context.Background())
	go h.run()
	return h
}

// run gives each connection a goroutine of its own: a client that is slow keeps no other
// waiting.
func (h *handshakes) run() {
	for h.open.Err() == nil {
		c, err := h.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			late := time.AfterFunc(silenceAtEnd, h.close)
			h.shaking.Wait()
			late.Stop()
			h.hand(nil, err)
			return
		case err != nil:
			h.hand(nil, err) // net/http waits before it asks again
		default:
			h.shaking.Go(func() { h.shake(c) })
		}
	}
}

// hand gives Accept a connection, which is closed if nobody accepts any more.
func (h *handshakes) hand(c net.Conn, err error) {
	select {
	case h.came <- arrival{c, err}:
	case <-h.open.Done():
		if c != nil {
			_ = c.Close()
		}
	}
}

// Accept implements net.Listener.
func (h *handshakes) Accept() (net.Conn, error) {
	select {
	case a := <-h.came:
		return a.conn, a.err
	case <-h.open.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handshakes) Close() error {
	err := h.Listener.Close()
	h.close()
	return err
}

func (h *handshakes) shake(c net.Conn) {
	ctx, cancel := context.WithTimeout(h.open, h.time)
	defer cancel()
	secure := tls.Server(c, h.config)
	if err := secure.HandshakeContext(ctx); err != nil {
		h.log.Debug("no TLS with a client", "remote_address", c.RemoteAddr().String(), "error", err)
		h.refuse(c, err)
		return
	}
	switch state := secure.ConnectionState(); state.NegotiatedProtocol {
	case "h2":
		h.hand(secure, nil)
	case "http/1.1", "":
		h.hand(secureConn{h.take(secure), state}, nil)
	default: // such as acme-tls/1, which asks for the handshake alone
		_ = secure.Close()
	}
}

// refuse closes a connection without TLS. If the client speaks plain HTTP, it is told.
func (h *handshakes) refuse(c net.Conn, err error) {
	plain, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || plain.Conn == nil || !beginsHTTP(plain.RecordHeader) {
		_ = c.Close()
		return
	}
	told := h.take(c)
	told.on(refused)
	_ = c.SetDeadline(time.Now().Add(h.time))
	_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+
		"400 Bad Request: this address speaks TLS; call it with https://\n")
	_ = told.Close()
}

func beginsHTTP(sent [5]byte) bool {
	return slices.Contains([]string{"GET", "HEA", "POS", "PUT", "PAT", "DEL", "OPT"}, string(sent[:3]))
}

// withProtocols is a config for a server of HTTP/2 and HTTP/1.1, and of what config names.
// Its records are as large as may be: small ones first, as Go has it, would make four
// records of an answer of 4 KiB.
func withProtocols(config *tls.Config) *tls.Config {
	if config == nil {
		return nil
	}
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.NextProtos = append([]string{"h2", "http/1.1"}, config.NextProtos...)
	config.DynamicRecordSizingDisabled = true
	return config
}

// secureConn is a conn over TLS. net/http asks it for the state.
type secureConn struct {
	*conn
	state tls.ConnectionState
}

// ConnectionState is what the handshake agreed on.
func (c secureConn) ConnectionState() tls.ConnectionState { return c.state }
