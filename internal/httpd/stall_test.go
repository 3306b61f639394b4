package httpd

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// upload reads the whole body, works for a while, looks at the body's end once
// more, works again, and says how all went.
func upload(work time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			http.Error(w, "stalled", http.StatusRequestTimeout)
			return
		}
		time.Sleep(work)
		_, _ = r.Body.Read(make([]byte, 1))
		time.Sleep(work)
		if err == nil {
			err = r.Context().Err()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, "whole")
	}
}

func TestStalledUploadIsCut(t *testing.T) { plainAndTLS(t, testStalledUploadIsCut) }

func testStalledUploadIsCut(t *testing.T, start starter) {
	tests := map[string]string{
		"sized":   "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
		"chunked": "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"nothing": "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
	}
	for name, request := range tests {
		t.Run(name, func(t *testing.T) {
			address, _ := start(t, upload(0), Options{StallTimeout: 200 * time.Millisecond}, nil)
			begun := time.Now()
			c := dial(t, address, request)
			in := bufio.NewReader(c)
			if got := answer(t, in); got != "408 stalled\n" {
				t.Errorf("answer %q", got)
			}
			if took := time.Since(begun); took < 200*time.Millisecond || took > 5*time.Second {
				t.Errorf("cut after %v", took)
			}
			if _, err := in.ReadByte(); err != io.EOF {
				t.Errorf("the connection goes on after a torn body: %v", err)
			}
		})
	}
}

// Slow is not stalled, even where the whole takes many times the limit.
func TestSlowUploadPasses(t *testing.T) { plainAndTLS(t, testSlowUploadPasses) }

func testSlowUploadPasses(t *testing.T, start starter) {
	address, _ := start(t, upload(0), Options{StallTimeout: 200 * time.Millisecond}, nil)
	c := dial(t, address, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
	for range 10 {
		time.Sleep(60 * time.Millisecond)
		if _, err := io.WriteString(c, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if got := answer(t, bufio.NewReader(c)); got != "200 whole" {
		t.Errorf("answer %q", got)
	}
}

// Neither a handler that works long after the body nor the next requests on the
// same connection meet the old deadline.
func TestGuardLeavesTheConnectionAlone(t *testing.T) {
	plainAndTLS(t, testGuardLeavesTheConnectionAlone)
}

func testGuardLeavesTheConnectionAlone(t *testing.T, start starter) {
	const stall = 100 * time.Millisecond
	address, _ := start(t, upload(3*stall), Options{StallTimeout: stall}, nil)
	c := dial(t, address, "")
	in := bufio.NewReader(c)
	for _, request := range []string{
		"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		if got := answer(t, in); got != "200 whole" {
			t.Fatalf("%.20q: answer %q", request, got)
		}
		time.Sleep(3 * stall)
	}
}

// A refusal that reads nothing spares the client its upload: no 100 Continue,
// and a large body is not swallowed either.
func TestRefusalDoesNotAskForTheBody(t *testing.T) { plainAndTLS(t, testRefusalDoesNotAskForTheBody) }

func testRefusalDoesNotAskForTheBody(t *testing.T, start starter) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	for _, expect := range []string{"Expect: 100-continue\r\n", ""} {
		address, _ := start(t, refuse, Options{StallTimeout: time.Minute}, nil)
		c := dial(t, address, "PUT / HTTP/1.1\r\nHost: x\r\n"+expect+"Content-Length: 9000000\r\n\r\n")
		begun := time.Now()
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || !strings.Contains(line, " 403 ") || time.Since(begun) > 5*time.Second {
			t.Errorf("%q: %q, %v after %v", expect, line, err, time.Since(begun))
		}
	}
}

// A refused client that promises a small body and never sends it is answered,
// and let go by the shorter limit.
func TestRefusalDoesNotWaitForEver(t *testing.T) { plainAndTLS(t, testRefusalDoesNotWaitForEver) }

func testRefusalDoesNotWaitForEver(t *testing.T, start starter) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	for _, o := range []Options{{StallTimeout: 100 * time.Millisecond}, {StallTimeout: time.Hour, LingerIdle: 100 * time.Millisecond}} {
		for _, header := range []string{"Content-Length: 100", "Transfer-Encoding: chunked", "Content-Length: 100\r\nExpect: 100-continue"} {
			address, _ := start(t, refuse, o, nil)
			begun := time.Now()
			in := bufio.NewReader(dial(t, address, "PUT / HTTP/1.1\r\nHost: x\r\n"+header+"\r\n\r\n"))
			got := answer(t, in)
			if _, err := in.ReadByte(); got != "403 " || err != io.EOF || time.Since(begun) > 4*time.Second {
				t.Errorf("%s: answer %q, then %v, after %v", header, got, err, time.Since(begun))
			}
		}
	}
}
