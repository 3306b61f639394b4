package httpd

import (
	"errors"
	"net"
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
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // the test's own limit
	junk := make([]byte, 1<<20)
	for err == nil {
		_, err = c.Write(junk)
	}
	if !errors.Is(err, unix.ETIMEDOUT) {
		t.Errorf("the write ended with %v, want ETIMEDOUT", err)
	}
}
