package api_test

import (
	"net/http"
	"strings"
	"testing"

	"granary/internal/api"
	"granary/internal/blob/s3"
	"granary/internal/blob/s3/s3test"
)

// onEachStore runs a test over a disk, over S3, and over S3 where every download
// is sent there. On S3 nothing is kept in the database.
func onEachStore(t *testing.T, test func(t *testing.T, s *server)) {
	t.Run("disk", func(t *testing.T) { test(t, newServer(t)) })
	t.Run("s3", func(t *testing.T) { test(t, newServerOnS3(t)) })
	t.Run("s3 and redirects", func(t *testing.T) {
		s := newServerOnS3(t)
		s.api.Redirect, s.redirected = api.RedirectAll, true
		test(t, s)
	})
}

// newServerOnS3 is newServer, over a bucket of its own.
func newServerOnS3(t *testing.T) *server {
	t.Helper()
	return newServerOnS3Through(t, nil)
}

// newServerOnS3Through is newServerOnS3, whose line to the store is given.
func newServerOnS3Through(t *testing.T, line http.RoundTripper) *server {
	t.Helper()
	store, err := s3.Open(t.Context(), s3.Config{
		Bucket: s3test.Bucket, Endpoint: s3test.Start(t).URL, AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
		Transport: line,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	s := newServerOn(t, store)
	s.registry.InlineMax, s.registry.Links = 0, store
	return s
}

// stay is a client that does not follow redirects.
func (s *server) stay(method, path string, header ...string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, line := range header {
		if name, value, ok := strings.Cut(line, ": "); ok {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// TestRedirect: the answer that sends a download to the store tells what the file
// is, and holds nothing that came with the request.
func TestRedirect(t *testing.T) {
	s := newServerOnS3(t)
	s.registry.InlineMax = 10
	s.api.Redirect = api.RedirectAll
	file := generic(s.project("tool", "public"), "tool/1.0.0/f.tar.gz")
	body := strings.Repeat("0123456789", 10_000)
	s.root("PUT", file, body).is(t, 201, created)
	s.root("PUT", file+"2", "small").is(t, 201, created)
	head := s.do("HEAD", file, nil)

	got := s.stay("GET", file+"?private_token="+rootToken)
	answer{got, ""}.header(t,
		"X-Linked-Size: 100000", "Content-Length: 0", "Cache-Control: no-store", "Referrer-Policy: no-referrer",
		"X-Checksum-Sha256: "+head.Header.Get("X-Checksum-Sha256"), "ETag: "+head.Header.Get("ETag"),
		"Content-Type:", "Content-Disposition:", "X-Content-Type-Options: nosniff", "Content-Security-Policy: sandbox; default-src 'none'")
	link := got.Header.Get("Location")
	if got.StatusCode != http.StatusFound || strings.Contains(link, rootToken) || strings.Contains(link, s3test.SecretAccessKey) {
		t.Fatalf("%s to %s", got.Status, link)
	}
	s.redirected = true
	s.do("GET", file, nil).header(t, "Content-Length: 100000", "Content-Type: application/gzip",
		"Content-Disposition: "+head.Header.Get("Content-Disposition")).is(t, 200, body)
	head.header(t, "Content-Length: 100000", "Location:").is(t, 200, "")
	project, _, _ := strings.Cut(file, "/generic/")
	if got := s.stay("GET", project+"/1/package_files/1/download"); got.StatusCode != http.StatusFound || got.Header.Get("Location") == "" {
		t.Errorf("by id: %s", got.Status)
	}
	upload := s.upload(rootToken, "root%2Ftool", "x", []byte(body)).must(t, 201)
	for _, at := range []string{upload["url"].(string), "/uploads/" + id(upload)} {
		if got := s.stay("GET", v4+"/projects/root%2Ftool"+at+"?private_token="+rootToken); got.StatusCode != http.StatusFound || got.Header.Get("Location") == "" {
			t.Errorf("%s: %s", at, got.Status)
		}
	}
	if small := s.stay("GET", file+"2"); small.StatusCode != 200 || small.ContentLength != 5 {
		t.Errorf("a small file: %s", small.Status)
	}
}

// TestWhatIsNotRedirected: HEAD, conditions, and in safe mode whatever carries a
// credential that clients would carry on.
func TestWhatIsNotRedirected(t *testing.T) {
	s := newServerOnS3(t)
	file := generic(s.project("tool", "public"), "tool/1.0.0/f")
	s.root("PUT", file, strings.Repeat("x", 1000)).is(t, 201, created)
	tag := s.do("HEAD", file, nil).Header.Get("ETag")
	for _, tc := range []struct {
		method, query, header string
		none, safe, all       int
	}{
		{"GET", "", "", 200, 302, 302},
		{"GET", "?private_token=" + rootToken, "", 200, 302, 302},
		{"GET", "", "Range: bytes=1-2", 206, 302, 302},
		{"GET", "", "Range: bytes=1-2,5-6", 206, 206, 206},
		{"GET", "", "Range: bytes=1-2,2-6", 206, 206, 206},
		{"HEAD", "", "", 200, 200, 200},
		{"GET", "", "If-None-Match: " + tag, 304, 304, 304},
		{"GET", "", "If-None-Match: \"other\"", 200, 200, 200},
		{"GET", "", "If-Match: \"other\"", 412, 412, 412},
		{"GET", "", "If-Range: " + tag, 200, 200, 200},
		{"GET", "", "If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT", 200, 200, 200},
		{"GET", "", "PRIVATE-TOKEN: " + rootToken, 200, 200, 302},
		{"GET", "", "Authorization: Bearer " + rootToken, 200, 200, 302},
		{"GET", "", basic("root", rootToken), 200, 200, 302},
		{"GET", "", "DEPLOY-TOKEN: nonsense", 200, 200, 302},
		{"GET", "", "PRIVATE-TOKEN: nonsense", 401, 401, 401},
	} {
		for mode, want := range map[api.Redirect]int{api.RedirectNone: tc.none, api.RedirectSafe: tc.safe, api.RedirectAll: tc.all} {
			s.api.Redirect = mode
			if got := s.stay(tc.method, file+tc.query, tc.header); got.StatusCode != want || (got.Header.Get("Location") != "") != (want == 302) {
				t.Errorf("%s %s, mode %d: %s, want %d", tc.method, tc.header, mode, got.Status, want)
			}
		}
	}
	private := generic(s.project("secret", "private"), "tool/1.0.0/f")
	s.root("PUT", private, "x").is(t, 201, created)
	if got := s.stay("GET", private); got.StatusCode != 401 || got.Header.Get("Location") != "" {
		t.Errorf("anonymous, private: %s", got.Status)
	}
}
