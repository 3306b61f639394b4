package httpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"granary/internal/eventually"
)

// A connection that was accepted is answered, even if its request comes after the server was
// told to end; net/http alone would close it. One that stays silent does not hold up the end
// for long.
func TestAcceptedIsAnsweredAtTheEnd(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answer") }),
		Options{Log: slog.New(slog.DiscardHandler), ShutdownTimeout: 20 * time.Second})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	var clients [3]net.Conn
	for i := range clients {
		if clients[i], err = net.Dial("tcp", ln.Addr().String()); err != nil {
			t.Fatal(err)
		}
		defer clients[i].Close()
	}
	eventually.Holds(t, "all are accepted", func() bool { return s.silent.Load() == 3 })
	began := time.Now()
	stop()
	eventually.Holds(t, "nothing is accepted any more", func() bool {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	for i, c := range clients[:2] {
		if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // in two parts
		if _, err := fmt.Fprint(c, "\r\n"); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		_ = resp.Body.Close()
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("a silent connection held up the end for %v", took)
	}
	if n := s.silent.Load(); n != 0 {
		t.Errorf("%d connections count as silent, and all are closed", n)
	}
}
