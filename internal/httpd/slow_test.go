package httpd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sendSlowly sends so many bytes in pieces, with a pause before each.
func sendSlowly(c net.Conn, length, pieces int, pause time.Duration) error {
	for n := range pieces {
		time.Sleep(pause)
		if _, err := io.Copy(c, zeros(length*(n+1)/pieces-length*n/pieces)); err != nil {
			return err
		}
	}
	return nil
}

// A client on a slow line is answered before it has sent its body, which may be
// as short as those that net/http reads to their end, and can send all of it.
func TestSlowSenderIsAnsweredAtOnce(t *testing.T) { plainAndTLS(t, testSlowSenderIsAnsweredAtOnce) }

func testSlowSenderIsAnsweredAtOnce(t *testing.T, start starter) {
	const length, pieces, pause = 250_000, 60, 20 * time.Millisecond
	for name, tt := range map[string]struct {
		handler              http.HandlerFunc
		header, before, want string
	}{
		"sized":        {refuse, fmt.Sprintf("Content-Length: %d", length), "", "401 no\n"},
		"chunked":      {refuse, "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n", length), "401 no\n"},
		"expecting":    {refuse, fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d", length), "", "401 no\n"},
		"sized stall":  {upload(0), fmt.Sprintf("Content-Length: %d", length), "abc", "408 stalled\n"},
		"chunks stall": {upload(0), "Transfer-Encoding: chunked", "3\r\nabc\r\n", "408 stalled\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The linger's idle is shorter than the sending takes, and longer than a pause.
			address, _ := start(t, tt.handler, Options{StallTimeout: 10 * pause, LingerIdle: 25 * pause}, nil)
			c := dial(t, address, "PUT / HTTP/1.1\r\nHost: x\r\n"+tt.header+"\r\n\r\n"+tt.before)
			in := bufio.NewReader(c)
			if strings.HasSuffix(name, "stall") {
				if _, err := in.Peek(1); err != nil {
					t.Fatal(err)
				}
			}
			sent := make(chan error, 1)
			go func() { sent <- sendSlowly(c, length-3, pieces, pause) }()
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if got := fmt.Sprint(resp.StatusCode, " ", string(text)); err != nil || got != tt.want || !resp.Close {
				t.Errorf("answer %q, %v, close is %v", got, err, resp.Close)
			}
			if len(sent) > 0 {
				t.Error("the answer came after the body")
			}
			if err := <-sent; err != nil {
				t.Errorf("sending on: %v", err)
			}
		})
	}
}

// A header that does not end is nobody's request: what follows it is not read.
func TestSlowHeadersAreNotLingeredFor(t *testing.T) { plainAndTLS(t, testSlowHeadersAreNotLingeredFor) }

func testSlowHeadersAreNotLingeredFor(t *testing.T, start starter) {
	address, _ := start(t, http.HandlerFunc(ok), Options{HeaderTimeout: 100 * time.Millisecond, LingerIdle: time.Minute}, nil)
	c := dial(t, address, "GET / HTTP/1.1\r\nHost: ")
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for time.Since(begun) < 10*time.Second {
		if _, err := c.Write([]byte("x")); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the client was listened to for 10 s")
}
