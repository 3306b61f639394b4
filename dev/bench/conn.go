package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// conn is one keep-alive HTTP/1.1 connection. The bench shares the machine's
// cores with the server it measures, so a connection does as little as it can:
// large bodies leave by sendfile and arriving ones are dropped in the kernel.
type conn struct {
	host   string
	token  string
	cookie string // of a session, "" for none
	tcp    *net.TCPConn
	raw    syscall.RawConn
	in     *bufio.Reader
	out    []byte // the request, reused
	drain  []byte
}

func dial(ctx context.Context, host, token string) (*conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	tcp := nc.(*net.TCPConn)
	raw, err := tcp.SyscallConn()
	if err != nil {
		tcp.Close()
		return nil, err
	}
	return &conn{host: host, token: token, tcp: tcp, raw: raw,
		in: bufio.NewReaderSize(tcp, 8<<10), drain: make([]byte, 1<<20)}, nil
}

func (c *conn) close() { c.tcp.Close() }

// publish implements session.
func (c *conn) publish(path string, b body) error {
	status, err := c.put(path, b)
	if err == nil && status != 201 {
		err = fmt.Errorf("PUT %s: status %d", path, status)
	}
	return err
}

// download implements session.
func (c *conn) download(path string, size int64, end time.Time) (int64, error) {
	if err := c.tcp.SetReadDeadline(end); err != nil {
		return 0, err
	}
	status, n, err := c.get(path)
	switch {
	case !end.IsZero() && errors.Is(err, os.ErrDeadlineExceeded):
		return n, nil
	case err != nil:
		return n, err
	case status != 200:
		return n, fmt.Errorf("GET %s: status %d", path, status)
	case n != size:
		return n, fmt.Errorf("GET %s: %d bytes of %d", path, n, size)
	}
	return n, nil
}

// get downloads a path and returns the status and how much of the body came.
func (c *conn) get(path string) (status int, n int64, err error) {
	c.begin("GET", path)
	c.out = append(c.out, "\r\n"...)
	if _, err := c.tcp.Write(c.out); err != nil {
		return 0, 0, err
	}
	return c.answer()
}

// put uploads a body. A small one leaves in one write with its header.
func (c *conn) put(path string, b body) (status int, err error) {
	c.begin("PUT", path)
	c.out = append(c.out, "Content-Length: "...)
	c.out = strconv.AppendInt(c.out, b.size(), 10)
	c.out = append(c.out, "\r\n\r\n"...)
	if b.head == nil {
		c.out = append(c.out, b.tail...)
	}
	if _, err = c.tcp.Write(c.out); err == nil && b.head != nil {
		err = c.send(b)
	}
	status, _, answerErr := c.answer()
	if answerErr == nil {
		return status, nil // also if the server refused before it had all
	}
	if err == nil {
		err = answerErr
	}
	return 0, err
}

// post sends a request without a body, and returns the status.
func (c *conn) post(path string) (int, error) {
	c.begin("POST", path)
	c.out = append(c.out, "Content-Length: 0\r\n\r\n"...)
	if _, err := c.tcp.Write(c.out); err != nil {
		return 0, err
	}
	status, _, err := c.answer()
	return status, err
}

func (c *conn) begin(method, path string) {
	c.out = append(c.out[:0], method...)
	c.out = append(c.out, ' ')
	c.out = append(c.out, path...)
	c.out = append(c.out, " HTTP/1.1\r\nHost: "...)
	c.out = append(c.out, c.host...)
	if c.token != "" {
		c.out = append(c.out, "\r\nPRIVATE-TOKEN: "...)
		c.out = append(c.out, c.token...)
	}
	if c.cookie != "" {
		c.out = append(c.out, "\r\nCookie: "...)
		c.out = append(c.out, c.cookie...)
	}
	c.out = append(c.out, "\r\n"...)
}

func (c *conn) send(b body) error {
	f, err := os.Open(b.head.file)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := c.tcp.ReadFrom(io.LimitReader(f, b.head.size)) // sendfile
	if err != nil {
		return err
	}
	if n != b.head.size {
		return fmt.Errorf("%s is short: %d of %d bytes", b.head.file, n, b.head.size)
	}
	_, err = c.tcp.Write(b.tail)
	return err
}

// answer reads one response and drops its body.
func (c *conn) answer() (status int, n int64, err error) {
	h, err := readHeader(c.in)
	for err == nil && h.status/100 == 1 {
		h, err = readHeader(c.in)
	}
	switch {
	case err != nil:
		return 0, 0, err
	case h.status == 204 || h.status == 304:
	case h.chunked:
		if n, err = io.Copy(io.Discard, httputil.NewChunkedReader(c.in)); err == nil {
			_, err = c.in.ReadSlice('\n') // no server here sends trailers
		}
	case h.length >= 0:
		n, err = c.drop(h.length)
	default:
		err = fmt.Errorf("a response without a length")
	}
	return h.status, n, err
}

// drop takes n bytes of a body off the connection and says how many came.
func (c *conn) drop(n int64) (int64, error) {
	buffered, err := c.in.Discard(int(min(n, int64(c.in.Buffered()))))
	got := int64(buffered)
	for got < n && err == nil {
		var k int
		k, err = c.truncate(c.drain[:min(n-got, int64(len(c.drain)))])
		got += int64(k)
	}
	return got, err
}

// truncate receives into nothing: with MSG_TRUNC, TCP only counts.
func (c *conn) truncate(buf []byte) (n int, err error) {
	waitErr := c.raw.Read(func(fd uintptr) bool {
		for {
			n, _, err = syscall.Recvfrom(int(fd), buf, syscall.MSG_TRUNC|syscall.MSG_DONTWAIT)
			if err != syscall.EINTR {
				return err != syscall.EAGAIN
			}
		}
	})
	switch {
	case waitErr != nil:
		return 0, waitErr
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}

// header is what the bench needs of a response's head.
type header struct {
	status  int
	length  int64 // -1: not said
	chunked bool
}

func readHeader(r *bufio.Reader) (header, error) {
	h := header{length: -1}
	line, err := r.ReadSlice('\n')
	if err != nil {
		return h, err
	}
	proto, rest, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	code, _, _ := strings.Cut(rest, " ")
	if h.status, err = strconv.Atoi(code); err != nil || !strings.HasPrefix(proto, "HTTP/1.") {
		return h, fmt.Errorf("no status line: %q", line)
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		name, value, found := strings.Cut(strings.TrimSpace(string(line)), ":")
		switch {
		case name == "":
			return h, nil
		case !found:
			return h, fmt.Errorf("no header line: %q", line)
		case strings.EqualFold(name, "Content-Length"):
			if h.length, err = strconv.ParseInt(strings.TrimSpace(value), 10, 64); err != nil {
				return h, err
			}
		case strings.EqualFold(name, "Transfer-Encoding"):
			h.chunked = strings.EqualFold(strings.TrimSpace(value), "chunked")
		}
	}
}
