package api

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestKnownHosts: what net/http lets through as a Host is not always one.
func TestKnownHosts(t *testing.T) {
	h := &Hosts{Names: []string{"packages.example.com", "*.corp.example"}}
	for host, want := range map[string]bool{
		"localhost": true, "localhost:": true, "127.0.0.1:8080": true, "[::1]:8080": true, "packages.example.com:1": true, "a.corp.example": true,
		"127.0.0.1:x@evil.example": false, "localhost@evil.example": false, "localhost:1@evil.example": false, "evil@x.corp.example": false,
		"evil:x.corp.example": false, "evil/x.corp.example": false, "2001:db8::1": false, "[10.1.2.3]": false, "[fe80::1%25eth0]": false,
		"[::1": false, "::1]": false, "packages.example.com.": false, "*.corp.example": false, ".": false, ":80": false,
	} {
		if h.known(host) != want {
			t.Errorf("%q: known is %v", host, !want)
		}
	}
	if (*Hosts)(nil).known("packages.example.com") || !(*Hosts)(nil).known("[::1]:80") {
		t.Error("without settings only localhost and addresses are known")
	}
}

// TestUnknownHostIsTold: the log names the host and both cures, once a minute
// however many names are called.
func TestUnknownHostIsTold(t *testing.T) {
	var log bytes.Buffer
	h := &Hosts{Address: "http://127.0.0.1:8080", Log: slog.New(slog.NewTextHandler(&log, nil))}
	now := time.Now()
	for _, after := range []time.Duration{0, time.Second, 59 * time.Second} {
		if got := h.instead("evil.example", now.Add(after)); got != h.Address {
			t.Errorf("links name %q", got)
		}
	}
	h.instead("other.example", now.Add(time.Minute))
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines:\n%s", len(lines), log.String())
	}
	for i, host := range []string{"host=evil.example", "host=other.example"} {
		for _, want := range []string{"level=WARN", host, "external-url", "trusted-hosts", "links=http://127.0.0.1:8080"} {
			if !strings.Contains(lines[i], want) {
				t.Errorf("no %s in %s", want, lines[i])
			}
		}
	}
	if got := (*Hosts)(nil).instead("evil.example", now); got != "http://localhost" {
		t.Errorf("without settings links name %q", got)
	}
}
