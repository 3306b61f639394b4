package api

import (
	"net/http/httptest"
	"slices"
	"testing"
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
		if h.Known(host) != want {
			t.Errorf("%q: known is %v", host, !want)
		}
	}
	if none := (&Hosts{}); none.Known("packages.example.com") || !none.Known("[::1]:80") {
		t.Error("without settings only localhost and addresses are known")
	}
}

// TestUnknownHostIsTold: each of them, with what links name in its place.
func TestUnknownHostIsTold(t *testing.T) {
	var told []string
	tell := func(host, link string) { told = append(told, host+" "+link) }
	for address, want := range map[string]string{"http://127.0.0.1:8080": "http://127.0.0.1:8080", "": "http://localhost"} {
		told = nil
		s := Server{Hosts: Hosts{Address: address, Unknown: tell}}
		for _, host := range []string{"evil.example", "localhost", "other.example"} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Host = host
			if got := s.base(r); host != "localhost" && got != want {
				t.Errorf("links name %q, want %q", got, want)
			}
		}
		if all := []string{"evil.example " + want, "other.example " + want}; !slices.Equal(told, all) {
			t.Errorf("told %q, want %q", told, all)
		}
		s.Hosts.Unknown = nil
		if got := s.Hosts.fallback("evil.example"); got != want {
			t.Errorf("links name %q, want %q", got, want)
		}
	}
}
