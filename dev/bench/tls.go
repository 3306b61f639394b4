package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"granary/dev/servers"
)

// tlsScenarios are asked of granary and of nginx, both with TLS by themselves.
func tlsScenarios(o options) []scenario {
	return o.chosen("tls", []scenario{{large: true, clients: 1}, {large: true, clients: 4}, {clients: 1}, {clients: o.clients}})
}

// compareTLS prints the table of downloads over TLS 1.3, with the same certificate and the
// same cipher.
func compareTLS(ctx context.Context, w io.Writer, d *driver, o options) (err error) {
	list := tlsScenarios(o)
	if len(list) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*o.limit)
	defer cancel()
	dir := filepath.Join(d.dir, "tls")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }() // the next table needs the room
	cert, key, err := servers.SelfSigned(dir, time.Now().AddDate(0, 0, 1), "127.0.0.1")
	if err != nil {
		return err
	}
	ours, err := startGranary(ctx, filepath.Join(dir, "data"), o, "--tls-cert", cert, "--tls-key", key)
	if err != nil {
		return err
	}
	defer ours.stop()
	ours.token, ours.prefix, ours.data = o.token, o.packages(), "granary tls"
	nginx, err := startNginx(ctx, dir, "ssl_certificate "+cert+"; ssl_certificate_key "+key+
		"; ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;")
	if err != nil {
		return err
	}
	defer nginx.stop()
	nginx.data = "nginx tls"
	for _, s := range []*server{ours, nginx} {
		s.open = func(ctx context.Context) (session, error) { return dialTLS(ctx, s.host, s.token) }
	}
	results, err := measure(ctx, d, o, list, []*server{ours, nginx})
	fmt.Fprintln(w, "\nTLS 1.3, TLS_AES_128_GCM_SHA256")
	return errors.Join(err, printTable(w, ours.name, results))
}

// tlsConn is a keep-alive connection of HTTP/1.1 over TLS.
type tlsConn struct {
	text conn // which only writes requests
	tls  *tls.Conn
	in   *bufio.Reader
	room []byte
}

func dialTLS(ctx context.Context, host, token string) (session, error) {
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it was started here
	c, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	secure := c.(*tls.Conn)
	if suite := secure.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		_ = c.Close()
		return nil, fmt.Errorf("%s chose %s, with which the others cannot be compared", host, tls.CipherSuiteName(suite))
	}
	return &tlsConn{text: conn{host: host, token: token}, tls: secure, in: bufio.NewReaderSize(c, 64<<10), room: make([]byte, 1<<20)}, nil
}

func (c *tlsConn) close() { _ = c.tls.Close() }

// download implements session.
func (c *tlsConn) download(path string, size int64, end time.Time) (int64, error) {
	if err := c.tls.SetReadDeadline(end); err != nil {
		return 0, err
	}
	c.text.begin("GET", path)
	n, err := c.exchange(200, strings.NewReader(""))
	switch {
	case !end.IsZero() && errors.Is(err, os.ErrDeadlineExceeded):
		return n, nil
	case err == nil && n != size:
		err = fmt.Errorf("%d bytes of %d", n, size)
	}
	if err != nil {
		return n, fmt.Errorf("GET %s: %w", path, err)
	}
	return n, nil
}

// publish implements session.
func (c *tlsConn) publish(path string, b body) error {
	from, file, err := b.open()
	if err != nil {
		return err
	}
	defer file.Close()
	c.text.begin("PUT", path)
	c.text.out = fmt.Appendf(c.text.out, "Content-Length: %d\r\n", b.size())
	if _, err := c.exchange(201, from); err != nil {
		return fmt.Errorf("PUT %s: %w", path, err)
	}
	return nil
}

// exchange sends the request that was begun, and drops the body of the answer, whose
// bytes it counts.
func (c *tlsConn) exchange(status int, body io.Reader) (int64, error) {
	c.text.out = append(c.text.out, "\r\n"...)
	if _, err := c.tls.Write(c.text.out); err != nil {
		return 0, err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{c.tls}, struct{ io.Reader }{body}, c.room); err != nil {
		return 0, err
	}
	h, err := readHeader(c.in)
	switch {
	case err != nil:
		return 0, err
	case h.length < 0:
		return 0, errors.New("an answer without a length")
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{io.LimitReader(c.in, h.length)}, c.room)
	if err == nil && h.status != status {
		err = fmt.Errorf("status %d", h.status)
	}
	return n, err
}
