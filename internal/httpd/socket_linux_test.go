package httpd

import (
	"errors"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A peer that takes nothing in is dropped, and does not hold its writer.
func TestPeerThatStopsReadingIsDropped(t *testing.T) {
	ln, err := listen(t.Context(), "127.0.0.1:0", 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := accepted(t, ln)
	_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // the test's own limit
	junk := make([]byte, 1<<20)
	for err == nil {
		_, err = c.Write(junk)
	}
	if !errors.Is(err, unix.ETIMEDOUT) {
		t.Errorf("the write ended with %v, want ETIMEDOUT", err)
	}
}

// A listener that another program opened is given what ours has: the limit that accepted
// connections inherit, the way in which small answers are sent at once, and keep-alive.
func TestTakeOver(t *testing.T) {
	options := map[string][2]int{
		"TCP_USER_TIMEOUT": {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}, "TCP_NODELAY": {unix.IPPROTO_TCP, unix.TCP_NODELAY},
		"SO_KEEPALIVE": {unix.SOL_SOCKET, unix.SO_KEEPALIVE}, "TCP_KEEPIDLE": {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	}
	ours, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	want := acceptedOptions(t, ours, options)
	if want["TCP_USER_TIMEOUT"] != int(userTimeout.Milliseconds()) {
		t.Errorf("ours have %v", want)
	}
	passed := handedOver(t, false)
	defer passed.Close()
	if got := acceptedOptions(t, passed, options); got["TCP_USER_TIMEOUT"] != 0 {
		t.Errorf("before it is taken over it has %v", got)
	}
	if err := TakeOver(passed); err != nil {
		t.Fatal(err)
	}
	if got := acceptedOptions(t, passed, options); !maps.Equal(got, want) {
		t.Errorf("one that was taken over has %v, ours have %v", got, want)
	}

	local, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	if err := TakeOver(local); err == nil || !strings.Contains(err.Error(), "want a TCP socket") {
		t.Errorf("a socket of another kind: %v", err)
	}
	multi := handedOver(t, true)
	defer multi.Close()
	if is, err := multi.(*net.TCPListener).SyscallConn(); err != nil {
		t.Fatal(err)
	} else if setUserTimeout(is, time.Second) == nil {
		t.Skip("this kernel has no MPTCP, or one that takes the limit")
	}
	if err := TakeOver(multi); err == nil || !strings.Contains(err.Error(), "want plain TCP, not MPTCP") {
		t.Errorf("MPTCP: %v", err)
	}
}

// handedOver is a listener made of a descriptor that another one had.
func handedOver(t *testing.T, multipath bool) net.Listener {
	t.Helper()
	var c net.ListenConfig
	c.SetMultipathTCP(multipath)
	first, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	f, err := first.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ln, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// acceptedOptions are the values of some options on a connection that ln accepts.
func acceptedOptions(t *testing.T, ln net.Listener, options map[string][2]int) map[string]int {
	t.Helper()
	c := accepted(t, ln)
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]int{}
	if cerr := raw.Control(func(fd uintptr) {
		for name, o := range options {
			if values[name], err = unix.GetsockoptInt(int(fd), o[0], o[1]); err != nil {
				return
			}
		}
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return values
}

// accepted is a connection that ln accepts, whose peer sends nothing and reads nothing. Both end
// with the test.
func accepted(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
