package api_test

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestInstallHeaders is contract generic-packages 3.3.
func TestInstallHeaders(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	file := generic(p, "tool/1.0.0/f.tar.gz")
	before := time.Now().Truncate(time.Second)
	s.root("PUT", file, "hello").is(t, 201, created)
	got := s.do("GET", file, nil).header(t,
		"Content-Type: application/gzip",
		`Content-Disposition: attachment; filename="f.tar.gz"; filename*=UTF-8''f.tar.gz`,
		"Content-Transfer-Encoding: binary", "Content-Length: 5", "Accept-Ranges: bytes",
		"X-Checksum-Sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
		`ETag: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"`,
		"Cache-Control: max-age=0, private, must-revalidate", "Content-Encoding:",
		"X-Frame-Options: SAMEORIGIN", "X-Content-Type-Options: nosniff")
	got.is(t, 200, "hello")
	modified, err := http.ParseTime(got.Header.Get("Last-Modified"))
	if err != nil || modified.Before(before) || modified.After(time.Now()) {
		t.Errorf("Last-Modified %v, %v", modified, err)
	}
}

// TestContentTypes: by the extension where the type is on GitLab's list;
// nothing that a browser would run.
func TestContentTypes(t *testing.T) {
	s := newServer(t)
	p := s.relaxed("tool")
	for name, want := range map[string]string{
		"a.tar.gz": "application/gzip", "a.tgz": "application/gzip", "A.GZ": "application/gzip", "a.zip": "application/zip",
		"a.7z": "application/x-7z-compressed", "a.xz": "application/x-xz", "a.deb": "application/x-debian-package",
		"a.jar": "application/java-archive", "a.apk": "application/vnd.android.package-archive", "a.dmg": "application/x-apple-diskimage",
		"a.tar": "application/x-tar", "a.gtar": "application/x-gtar", "a.bz2": "application/x-bzip2", "a.iso": "application/x-iso9660-image",
		"a.html": "", "a.svg": "", "a.js": "", "a.txt": "", "a.json": "", "a.xml": "", "a.pdf": "", "a.bin": "", "a": "",
		"zip": "", "tar": "", ".zip": "", "a.": "", "dir.zip/a": "", "dir/a.zip": "application/zip",
	} {
		file := generic(p, "tool/1/"+name)
		s.root("PUT", file, "<html>").is(t, 201, created)
		if want == "" {
			want = "application/octet-stream"
		}
		s.do("GET", file, nil).header(t, "Content-Type: "+want, "X-Content-Type-Options: nosniff").is(t, 200, "<html>")
	}
}

// TestDisposition: a file in a directory is saved under its own name.
func TestDisposition(t *testing.T) { onEachStore(t, testDisposition) }

func testDisposition(t *testing.T, s *server) {
	p := s.relaxed("tool")
	for rest, want := range map[string]string{
		"f":                  "f",
		"a+b~c@d":            "a+b~c@d",
		"dir/f":              "f",
		"dir/a+b":            "a+b",
		"d%22';%20x/a@b":     "a@b",
		"d%C3%A9j%C3%A0/f.x": "f.x",
		"pasted%2Fback":      "back",
	} {
		file := generic(p, "tool/1/"+rest)
		s.root("PUT", file, "x").is(t, 201, created)
		got := s.do("GET", file, nil).Header.Get("Content-Disposition")
		kind, params, err := mime.ParseMediaType(got)
		if err != nil || kind != "attachment" || params["filename"] != want {
			t.Errorf("%s: %q, %v", rest, got, err)
		}
		if !strings.HasPrefix(got, `attachment; filename="`+want+`"; filename*=UTF-8''`) {
			t.Errorf("%s: %q", rest, got)
		}
	}
}

// TestRanges: what curl -C -, aria2 and delta tools ask for, of a file in the
// database and of one in the store.
func TestRanges(t *testing.T) {
	testRanges(t, newServer(t))
	testRanges(t, newServerOnS3(t))
}

func testRanges(t *testing.T, s *server) {
	t.Helper()
	p := s.project("tool", "public")
	for _, size := range []int{10, 50_000} {
		body := strings.Repeat("0123456789", size/10)
		length := itoa(int64(size))
		file := generic(p, "tool/1.0.0/f"+length)
		s.root("PUT", file, body).is(t, 201, created)
		tag, modified := s.do("HEAD", file, nil).Header.Get("ETag"), s.do("HEAD", file, nil).Header.Get("Last-Modified")
		for _, tc := range []struct {
			headers string
			status  int
			body    string
			rng     string
		}{
			{"Range: bytes=0-3", 206, "0123", "bytes 0-3/" + length},
			{"Range: bytes=7-", 206, body[7:], "bytes 7-" + itoa(int64(size-1)) + "/" + length},
			{"Range: bytes=-3", 206, "789", "bytes " + itoa(int64(size-3)) + "-" + itoa(int64(size-1)) + "/" + length},
			{"Range: bytes=0-999999", 206, body, "bytes 0-" + itoa(int64(size-1)) + "/" + length},
			{"Range: bytes=" + length + "-", 416, "invalid range: failed to overlap\n", "bytes */" + length},
			{"Range: bytes=x", 416, "invalid range\n", ""},
			{"Range: bytes=-0", 416, "invalid range: failed to overlap\n", "bytes */" + length},
			{"Range: Bytes=0-3", 206, "0123", "bytes 0-3/" + length},
			{"Range: lines=1-2", 200, body, ""},
			{"Range: bytes", 200, body, ""},
			{"Range: bytes=0-3|If-Range: " + tag, 206, "0123", "bytes 0-3/" + length},
			{"Range: bytes=0-3|If-Range: " + modified, 206, "0123", "bytes 0-3/" + length},
			{`Range: bytes=0-3|If-Range: "other"`, 200, body, ""},
			{"Range: bytes=0-3|If-Range: Mon, 02 Jan 2006 15:04:05 GMT", 200, body, ""},
			{"If-None-Match: " + tag, 304, "", ""},
			{"If-None-Match: *", 304, "", ""},
			{`If-None-Match: "other", W/` + tag, 304, "", ""},
			{`If-None-Match: "other"`, 200, body, ""},
			{"If-Modified-Since: " + modified, 304, "", ""},
			{"If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT", 200, body, ""},
			{"If-Modified-Since: Fri, 02 Jan 2099 15:04:05 GMT", 200, body, ""},
			{"If-Modified-Since: yesterday", 200, body, ""},
			{`If-None-Match: "other"|If-Modified-Since: ` + modified, 200, body, ""},
			{`If-Match: "other"`, 412, "", ""},
			{"If-Match: " + tag, 200, body, ""},
			{"If-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT", 412, "", ""},
			{"If-Unmodified-Since: Fri, 02 Jan 2099 15:04:05 GMT", 412, "", ""},
			{"If-Unmodified-Since: " + modified, 200, body, ""},
			{"If-Match: " + tag + "|If-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT", 200, body, ""},
			{"If-Unmodified-Since: yesterday", 200, body, ""},
		} {
			got := s.do("GET", file, nil, strings.Split(tc.headers, "|")...)
			got.is(t, tc.status, tc.body)
			got.header(t, "X-Content-Type-Options: nosniff")
			if tc.rng != "" {
				got.header(t, "Content-Range: "+tc.rng)
			}
			head := s.do("HEAD", file, nil, strings.Split(tc.headers, "|")...)
			status := tc.status
			if status == 206 || status == 416 {
				status = 200 // HEAD has no ranges
				head.header(t, "Content-Length: "+length, "Content-Range:")
			}
			if head.StatusCode != status || head.body != "" {
				t.Errorf("HEAD with %s: %d %q", tc.headers, head.StatusCode, head.body)
			}
		}
		multiRange(t, s.do("GET", file, nil, "Range: bytes=0-1,5-6,-2"), "01", "56", "89")
		// axel resumes over HTTP/1.0.
		s.raw("GET "+file+" HTTP/1.0\r\nRange: bytes=2-4\r\n\r\n").header(t, "Content-Range: bytes 2-4/"+length).is(t, 206, "234")
		s.raw("GET "+file+" HTTP/1.0\r\n\r\n").header(t, "Content-Length: "+length).is(t, 200, body)
	}
}

func multiRange(t *testing.T, got answer, want ...string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if got.StatusCode != 206 || kind != "multipart/byteranges" || err != nil {
		t.Fatalf("%d %s %v", got.StatusCode, kind, err)
	}
	parts := multipart.NewReader(strings.NewReader(got.body), params["boundary"])
	for _, text := range want {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(part); string(body) != text || err != nil {
			t.Errorf("part %q, %v, want %q", body, err, text)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
}

// TestDownloadsAreCounted: GET notes a download and when it was, HEAD does not; nothing is
// written before Flush.
func TestDownloadsAreCounted(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	s.root("PUT", generic(p, "tool/1.0.0/f"), "x").is(t, 201, created)
	s.root("PUT", generic(p, "tool/2.0.0/f"), "x").is(t, 201, created)
	s.root("PUT", generic(p, "other/1.0.0/f"), "x").is(t, 201, created)
	// written is whatever a download may have written.
	written := func() string {
		return ask[string](s, `SELECT CAST(COALESCE(MAX(last_downloaded_at), 0) AS TEXT) || ' ' || CAST(SUM(downloads) AS TEXT) || ' '
			|| (SELECT CAST(COALESCE(SUM(downloads), 0) AS TEXT) FROM package_downloads) || ' ' || (SELECT CAST(COALESCE(SUM(downloads), 0) AS TEXT) FROM name_downloads)
			|| ' ' || (SELECT CAST(COUNT(*) AS TEXT) FROM audit_events) FROM packages`)
	}
	flush := func() {
		if err := s.registry.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := written()
	s.do("HEAD", generic(p, "tool/1.0.0/f"), nil).must(t, 200)
	s.do("GET", generic(p, "tool/1.0.0/none"), nil).must(t, 404)
	flush()
	wantValue(t, "after HEAD", written(), before)

	s.skew = 24 * time.Hour
	s.do("GET", generic(p, "tool/1.0.0/f"), nil).must(t, 200)
	flush()
	s.skew = 48 * time.Hour
	before = written()
	for range 3 {
		s.do("GET", generic(p, "tool/1.0.0/f"), nil).must(t, 200)
	}
	s.do("GET", generic(p, "tool/2.0.0/f"), nil).must(t, 200)
	wantValue(t, "before Flush", written(), before)
	list := v4 + "/projects/" + p + "/packages"
	count := func(name string) (all string) {
		for _, row := range s.root("GET", list+"?package_name="+name+"&order_by=version&sort=asc", nil).rows(t) {
			all += fmt.Sprint(row["downloads"], " ")
		}
		return all
	}
	wantValue(t, "before Flush, told at once", count("tool"), "4 1 ")
	flush()
	wantValue(t, "after Flush", count("tool"), "4 1 ")
	wantValue(t, "another package", count("other"), "0 ")
	if at := time.UnixMicro(ask[int64](s, `SELECT MAX(last_downloaded_at) FROM packages`)); time.Until(at) < 47*time.Hour {
		t.Errorf("last downloaded at %v", at)
	}

	first := s.now().UTC().Add(-24 * time.Hour).Format(time.DateOnly)
	second := s.now().UTC().Format(time.DateOnly)
	day := func(day string, n int) string { return `{"day":"` + day + `","downloads":` + strconv.Itoa(n) + `}` }
	days := v4 + "/projects/" + p + "/downloads"
	s.root("GET", days, nil).is(t, 200, "["+day(first, 1)+","+day(second, 4)+"]")
	s.root("GET", days+"?since="+second, nil).is(t, 200, "["+day(second, 4)+"]")
	s.root("GET", days+"?package_name=tool", nil).is(t, 200, "["+day(first, 1)+","+day(second, 4)+"]")
	s.root("GET", days+"?package_name=other", nil).is(t, 200, "[]")
	one := s.firstID(list + "?package_name=tool&order_by=version&sort=asc")
	s.root("GET", days+"?package_id="+one, nil).is(t, 200, "["+day(first, 1)+","+day(second, 3)+"]")
	s.root("GET", days+"?package_name=other&package_id="+one, nil).must(t, 404)
	for _, bad := range []string{"?since=soon", "?package_id=0", "?package_id=x"} {
		s.root("GET", days+bad, nil).must(t, 400)
	}
	s.root("DELETE", list+"/"+one, nil).must(t, 204)
	s.root("GET", days, nil).is(t, 200, "["+day(first, 1)+","+day(second, 4)+"]")
}

// TestLostBytes: a record without its bytes is a 500 to everybody who may read,
// logged in or not: a 404 would say that nothing was published.
func TestLostBytes(t *testing.T) { onEachStore(t, testLostBytes) }

func testLostBytes(t *testing.T, s *server) {
	file := generic(s.project("tool", "public"), "tool/1.0.0/f")
	s.root("PUT", file, strings.Repeat("x", 50_000)).is(t, 201, created)
	for info, err := range s.registry.Blobs.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if err := s.registry.Blobs.Delete(t.Context(), info.Digest); err != nil {
			t.Fatal(err)
		}
	}
	s.root("GET", file, nil).is(t, 500, damaged)
	s.do("GET", file, nil).header(t, "WWW-Authenticate:").is(t, 500, damaged)
	// The bytes published again are there again: the row is never believed.
	s.root("PUT", file+"2", strings.Repeat("x", 50_000)).is(t, 201, created)
	s.root("GET", file, nil).must(t, 200)
}
