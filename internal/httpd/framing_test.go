package httpd

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A length that can be read in two ways ends the connection.
func TestDoubtfulLengthEndsTheConnection(t *testing.T) {
	plainAndTLS(t, testDoubtfulLengthEndsTheConnection)
}

func testDoubtfulLengthEndsTheConnection(t *testing.T, start starter) {
	const chunked, sized, kept = "Transfer-Encoding: chunked\r\n", "Content-Length: 3\r\n", "Connection: keep-alive\r\n"
	tests := map[string]struct {
		parts []string // written one after the other
		goes  bool
	}{
		"chunked":         {[]string{"PUT / HTTP/1.1\r\nHost: x\r\n" + chunked + "\r\n3\r\nabc\r\n0\r\n\r\n"}, true},
		"sized":           {[]string{"PUT / HTTP/1.1\r\nHost: x\r\n" + sized + "\r\nabc"}, true},
		"both":            {[]string{"PUT / HTTP/1.1\r\nHost: x\r\n" + sized + chunked + "\r\n3\r\nabc\r\n0\r\n\r\n"}, false},
		"both, turned":    {[]string{"PUT / HTTP/1.1\r\nHost: x\r\n" + chunked + "content-lENGTH: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n"}, false},
		"both, no body":   {[]string{"GET / HTTP/1.1\r\nHost: x\r\n" + sized + chunked + "\r\n0\r\n\r\n"}, false},
		"both, in pieces": {[]string{"PUT / HTTP/1.1\r\nHost: x\r\n" + sized, chunked + "\r\n3\r\nabc\r\n0\r\n\r\n"}, false},
		// Behind a whole request, the header of the next begins in what is read already.
		"both, behind": {[]string{"PUT / HTTP/1.1\r\nHost: x\r\n" + sized + "\r\nabcPUT / HTTP/1.1\r\nHost: x\r\n" + sized, chunked + "\r\n3\r\nabc\r\n0\r\n\r\n"}, false},
		"1.0 sized":    {[]string{"PUT / HTTP/1.0\r\n" + kept + sized + "\r\nabc"}, true},
		"1.0 empty":    {[]string{"GET / HTTP/1.0\r\n" + kept + "\r\n"}, true},
		"1.0 chunked":  {[]string{"GET / HTTP/1.0\r\n" + kept + chunked + "\r\n", "\r\n"}, false},
		"1.0 both":     {[]string{"PUT / HTTP/1.0\r\n" + kept + chunked + sized + "\r\nabc"}, false},
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		_, _ = w.Write(text)
	})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			address, _ := start(t, h, Options{StallTimeout: time.Minute}, nil)
			c := dial(t, address, "")
			for _, part := range tt.parts {
				_, _ = io.WriteString(c, part)
				time.Sleep(30 * time.Millisecond)
			}
			in := bufio.NewReader(c)
			for range strings.Count(strings.Join(tt.parts, ""), " / HTTP") {
				if got := answer(t, in); got != "200 abc" && got != "200 " {
					t.Fatalf("answer %q", got)
				}
			}
			_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok")
			if !tt.goes {
				if rest, _ := io.ReadAll(in); len(rest) > 0 {
					t.Errorf("the connection goes on: %q", rest)
				}
			} else if got := answer(t, in); got != "200 ok" {
				t.Errorf("next answer %q", got)
			}
		})
	}
}
