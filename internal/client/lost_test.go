package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"granary/internal/client"
)

// A file is lost where the server says so, and not where the server or what stands
// before it has a fault of its own.
func TestLost(t *testing.T) {
	const damaged = `{"message":"500 Internal Server Error - the bytes of this file are lost or damaged, please tell the administrator"}`
	for _, tt := range []struct {
		status int
		body   string
		want   bool
		fails  int // with this status, 0: not
	}{
		{200, "", false, 0},
		{404, `{"message":"404 Not Found"}`, true, 0},
		{500, damaged, true, 0},
		{500, `{"message":"500 Internal Server Error"}`, false, 500},
		{500, "<html>", false, 500},
		{502, damaged, false, 502},
		{503, `{"message":"503 Service Unavailable"}`, false, 503},
		{504, "", false, 504},
		{507, damaged, false, 507},
		{429, "", false, 429},
		{401, "", false, 0},
		{403, "", false, 0},
		{405, "", false, 0},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(tt.status)
			if r.Method == http.MethodGet {
				fmt.Fprint(w, tt.body)
			}
		})
		got, err := c.Lost(t.Context(), file())
		status := 0
		if err != nil {
			status = statusOf(t, err)
		}
		if got != tt.want || status != tt.fails {
			t.Errorf("%d %s: %v, %v", tt.status, tt.body, got, err)
		}
	}
}

// A server that fails once is asked again.
func TestLostAsksAgain(t *testing.T) {
	for _, first := range []int{500, 502, 503} {
		asked := map[string]int{}
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked[r.Method]++
			if asked[http.MethodHead] == 1 && r.Method == http.MethodHead {
				w.WriteHeader(first)
			}
		})
		if got, err := c.Lost(t.Context(), file()); got || err != nil || asked[http.MethodHead]+asked[http.MethodGet] != 2 {
			t.Errorf("%d: %v, %v, asked %v", first, got, err, asked)
		}
	}
}

func statusOf(t *testing.T, err error) int {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	return e.Status
}
