package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"granary/internal/blob/blobtest"
)

// TestContent is contract generic-packages 3.3: what a file is served with,
// whole and in parts. 100 bytes ride with their record, 100,000 lie on disk.
func TestContent(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	for _, size := range []int{100, 100_000} {
		body := string(blobtest.Bytes(1, size))
		file := generic(p, fmt.Sprintf("tool/1.0.0/f%d.tar.gz", size))
		s.root("PUT", file, body).is(t, 201, created)
		whole := s.root("GET", file, nil)
		whole.is(t, 200, body)
		digest := blobtest.Digest([]byte(body)).String()
		for name, want := range map[string]string{
			"Content-Type": "application/gzip", "Content-Transfer-Encoding": "binary", "Accept-Ranges": "bytes",
			"Content-Disposition": fmt.Sprintf(`attachment; filename="f%d.tar.gz"; filename*=UTF-8''f%d.tar.gz`, size, size),
			"X-Checksum-Sha256":   digest, "Etag": `"` + digest + `"`, "Content-Length": fmt.Sprint(size),
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN",
		} {
			if got := whole.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		modified, etag := whole.Header.Get("Last-Modified"), whole.Header.Get("Etag")
		for _, tc := range []struct {
			header string
			status int
			body   string
		}{
			{"Range: bytes=10-19", 206, body[10:20]},
			{"Range: bytes=90-", 206, body[90:]},
			{"Range: bytes=-5", 206, body[size-5:]},
			{"Range: bytes=" + fmt.Sprint(size) + "-", 416, ""},
			{"If-None-Match: " + etag, 304, ""},
			{`If-None-Match: "other"`, 200, body},
			{"If-Modified-Since: " + modified, 304, ""},
			{`If-Match: "other"`, 412, ""},
		} {
			got := s.do("GET", file, nil, "PRIVATE-TOKEN: "+rootToken, tc.header)
			if got.StatusCode != tc.status || tc.status < 300 && got.body != tc.body {
				t.Errorf("%s: %d, %d bytes", tc.header, got.StatusCode, len(got.body))
			}
		}
		s.do("GET", file, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=0-9", `If-Range: "other"`).is(t, 200, body)
		many := s.do("GET", file, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=0-1,5-6")
		if !strings.HasPrefix(many.Header.Get("Content-Type"), "multipart/byteranges") {
			t.Errorf("many ranges: %d %s", many.StatusCode, many.Header.Get("Content-Type"))
		}
		head := s.root("HEAD", file, nil)
		if head.StatusCode != 200 || head.Header.Get("Content-Length") != fmt.Sprint(size) || head.body != "" {
			t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
		}
	}
}

// TestVerbatim: the body is stored as it comes, whatever it calls itself and
// however it is framed.
func TestVerbatim(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	file := generic(p, "tool/1.0.0/f")
	for _, body := range []string{"", "a=b&c=d", "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhello\r\n--x--\r\n", strings.Repeat("z", 70_000)} {
		for _, kind := range []string{"", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"} {
			for _, reader := range []io.Reader{strings.NewReader(body), unsized(body)} {
				s.do("PUT", file, reader, "PRIVATE-TOKEN: "+rootToken, "Content-Type: "+kind).is(t, 201, created)
				s.root("GET", file, nil).is(t, 200, body)
			}
		}
	}
}

// TestDeclaredDigest: a body that is not what its publisher declared is not
// stored.
func TestDeclaredDigest(t *testing.T) {
	const right = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"
	s := newServer(t)
	p := s.project("tool", "private")
	file := generic(p, "tool/1.0.0/f")
	for _, tc := range []struct {
		header string
		status int
	}{
		{"X-Checksum-SHA256: " + strings.Replace(right, "2", "3", 1), 400},
		{"X-Checksum-SHA256: nonsense", 400},
		{"Content-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCU=:", 400},
		{"Content-Digest: sha-256=nonsense", 400},
		{"X-Checksum-SHA256: " + right, 201},
		{"X-Checksum-SHA256: " + strings.ToUpper(right), 201},
		{"Content-Digest: sha-512=:x:, sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:", 201},
		{"Content-Digest: md5=:x:", 201},
	} {
		s.do("PUT", file, strings.NewReader("hello"), "PRIVATE-TOKEN: "+rootToken, tc.header).must(t, tc.status)
		if tc.status == 400 && s.count("packages") != 0 {
			t.Errorf("%s: something was stored", tc.header)
		}
	}
}

// TestExpectContinue: who will be refused is never asked for the body.
func TestExpectContinue(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	file := generic(p, "tool/1.0.0/f")
	head := " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
	for _, tc := range []struct {
		request string
		status  int
	}{
		{"PUT " + file + head + "PRIVATE-TOKEN: nonsense\r\n\r\n", 401},
		{"PUT " + generic(p, "tool/x/f") + head + "PRIVATE-TOKEN: " + rootToken + "\r\n\r\n", 400},
		{"PUT " + file + strings.Replace(head, "5", "9999999", 1) + "PRIVATE-TOKEN: " + rootToken + "\r\n\r\n", 400},
		{"PUT " + file + head + "PRIVATE-TOKEN: " + rootToken + "\r\n\r\n", 100},
	} {
		if resp := s.raw(tc.request); resp.StatusCode != tc.status {
			t.Errorf("%d, want %d: %s", resp.StatusCode, tc.status, tc.request)
		}
	}
}

// TestCutShort: of a body that ends early nothing is kept, small or large.
func TestCutShort(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	for _, promised := range []int{100, 100_000} {
		conn := s.dial()
		_, err := fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: x\r\nPRIVATE-TOKEN: %s\r\nContent-Length: %d\r\n\r\nshort",
			generic(p, "tool/1.0.0/f"), rootToken, promised)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := readAnswer(t, bufio.NewReader(conn), "PUT"); got.StatusCode != 400 {
			t.Errorf("5 of %d bytes: %d", promised, got.StatusCode)
		}
	}
	if s.count("packages") != 0 || s.count("blobs") != 0 {
		t.Error("something of it was kept")
	}
}

// TestTogether: many publishers into one new version make one package.
func TestTogether(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			s.root("PUT", generic(p, fmt.Sprintf("tool/1.0.0/f%d", i%20)), fmt.Sprint("body ", i)).is(t, 201, created)
		})
	}
	wg.Wait()
	if packages, files := s.count("packages"), s.count("package_files"); packages != 1 || files != 32 {
		t.Errorf("%d packages, %d files", packages, files)
	}
}

// TestLastDownloaded: a GET is noted, a HEAD is not.
func TestLastDownloaded(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	file := generic(p, "tool/1.0.0/f")
	s.root("PUT", file, "x").must(t, 201)
	noted := func() int {
		if err := s.registry.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		return s.count("packages WHERE last_downloaded_at IS NOT NULL")
	}
	s.root("HEAD", file, nil).must(t, 200)
	if noted() != 0 {
		t.Error("HEAD counts as a download")
	}
	s.root("GET", file, nil).must(t, 200)
	if noted() != 1 {
		t.Error("GET does not count as a download")
	}
}
