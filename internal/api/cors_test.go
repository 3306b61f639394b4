package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"granary/internal/throttle"
)

const (
	origin  = "Origin: https://elsewhere.example"
	exposed = "Access-Control-Expose-Headers: Link, X-Total, X-Total-Pages, X-Per-Page, X-Page, X-Next-Page, X-Prev-Page, X-Request-Id, ETag, X-Checksum-SHA256, Content-Location, X-Package-Version, X-Package-Status, X-Granary-Features"
)

// TestCrossOrigin: pages of any origin may use the API without the browser's own
// credentials, and read every answer, refusals too.
func TestCrossOrigin(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	file := generic(p, "tool/1.0.0/f")
	s.root("PUT", file, "hello").header(t, "Access-Control-Allow-Origin:", "Vary: Origin").is(t, 201, created)
	allowed := []string{"Access-Control-Allow-Origin: *", "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", exposed,
		"Access-Control-Max-Age: 7200", "Access-Control-Allow-Credentials:", "Vary: Origin"}
	for _, tc := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", file, rootToken, 200}, {"HEAD", file, rootToken, 200}, {"PUT", file, rootToken, 201}, {"POST", file, rootToken, 405},
		{"GET", file, "wrong", 401}, {"GET", file + "x", rootToken, 404}, {"GET", "/api/v4/projects?per_page=0", rootToken, 400},
		{"GET", "/api//v4/projects/" + p + "/", rootToken, 200}, {"DELETE", "/api/v4/version", rootToken, 405}, {"GET", "/api/v4/none", rootToken, 404},
		{"GET", "/api/v4/./version", rootToken, 404}, {"GET", "/api/v3", rootToken, 410}, {"OPTIONS", file, rootToken, 204},
	} {
		s.do(tc.method, tc.path, nil, "PRIVATE-TOKEN: "+tc.token, origin).header(t, allowed...).must(t, tc.status)
	}
	for _, path := range []string{file, "/api/v4/projects", "/api/v4/none"} {
		s.do("OPTIONS", path, nil, origin, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: private-token, x-what").
			header(t, append(allowed, "Access-Control-Allow-Headers: private-token, x-what", "X-Content-Type-Options: nosniff")...).is(t, 200, "")
	}
	s.do("OPTIONS", file, nil, origin, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: "+strings.Repeat("x", 5000)).
		header(t, append(allowed, "Access-Control-Allow-Headers:")...).is(t, 200, "")
	for _, path := range []string{"/api", "/apis/v4", "/root/tool/uploads/" + strings.Repeat("0", 32) + "/f", "/-/liveness", "/"} {
		s.do("GET", path, nil, origin).header(t, "Access-Control-Allow-Origin:", "Vary:")
	}
}

// TestVaryByOrigin: an answer that a cache may keep for a page of another origin
// says so without an Origin, too.
func TestVaryByOrigin(t *testing.T) {
	s := newServer(t)
	file := generic(s.project("tool", "public"), "tool/1.0.0/f")
	s.root("PUT", file, "hello").must(t, 201)
	for path, status := range map[string]int{file: 200, file + "x": 404, "/api/v4/projects": 200, "/api/v4/none": 404, "/api/v4/./version": 404} {
		s.do("GET", path, nil).header(t, "Vary: Origin", "Access-Control-Allow-Origin:").must(t, status)
	}
}

// TestCrossOriginOfFailures: a 400 at the door, a 429 and a 500 are readable, too.
func TestCrossOriginOfFailures(t *testing.T) {
	s := newServer(t)
	s.raw("GET /api/v4/projects HTTP/1.1\r\nHost: "+strings.Repeat("x", 261)+"\r\n"+origin+"\r\n\r\n").
		header(t, "Access-Control-Allow-Origin: *", exposed, "Vary: Origin").must(t, 400)
	s.api.Rates.Anonymous = throttle.New("test", throttle.Rate{Requests: 1, Seconds: 86400}, time.Now)
	s.do("GET", "/api/v4/projects", nil, origin).must(t, 200)
	s.do("GET", "/api/v4/projects", nil, origin).header(t, "Access-Control-Allow-Origin: *", exposed).must(t, http.StatusTooManyRequests)
	at := "/api/v4/projects/" + s.project("tool", "private") + "/uploads"
	s.exec(`ALTER TABLE uploads RENAME COLUMN file_name TO gone`)
	s.root("GET", at, nil).header(t, "Access-Control-Allow-Origin:").must(t, 500)
	s.do("GET", at, nil, "PRIVATE-TOKEN: "+rootToken, origin).header(t, "Access-Control-Allow-Origin: *", "Vary: Origin").must(t, 500)
}
