package api_test

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
)

// numbered is a body in which every eight bytes say where they are.
func numbered(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i += 8 {
		fmt.Fprintf(&b, "%07x\n", i)
	}
	return b.String()[:size]
}

// apart is a Range header for n ranges of size bytes, one every step.
func apart(n, size, step int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",%d-%d", i*step, i*step+size-1)
	}
	return "bytes=" + b.String()[1:]
}

// parts are the ranges of an answer, as Content-Range names them, after the bytes
// of each were compared with the file's. The whole file is "200".
func (a answer) parts(t *testing.T, file string) (ranges []string) {
	t.Helper()
	check := func(contentRange, body string) {
		var first, last, size int
		_, err := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &size)
		if err != nil || size != len(file) || first > last || last >= size || body != file[first:last+1] {
			t.Fatalf("%q has other bytes, or %v", contentRange, err)
		}
		ranges = append(ranges, fmt.Sprintf("%d-%d", first, last))
	}
	kind, params, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	switch {
	case a.StatusCode == 200:
		if a.body != file {
			t.Fatalf("%d bytes of %d", len(a.body), len(file))
		}
		return []string{"200"}
	case a.StatusCode != 206:
		return []string{fmt.Sprint(a.StatusCode)}
	case kind != "multipart/byteranges":
		check(a.Header.Get("Content-Range"), a.body)
		return ranges
	}
	if a.Header.Get("Content-Length") != fmt.Sprint(len(a.body)) || !strings.HasPrefix(a.body, "\r\n--") {
		t.Errorf("%d bytes, Content-Length %s, they begin with %q", len(a.body), a.Header.Get("Content-Length"), a.body[:4])
	}
	reader := multipart.NewReader(strings.NewReader(a.body), params["boundary"])
	for {
		part, err := reader.NextPart()
		if err == io.EOF {
			return ranges
		}
		var body []byte
		if err == nil {
			body, err = io.ReadAll(part)
		}
		if err != nil || part.Header.Get("Content-Type") != "application/gzip" {
			t.Fatalf("%v, %v", part, err)
		}
		check(part.Header.Get("Content-Range"), string(body))
	}
}

// TestManyRanges: which parts of a file come, and in which order: the same for a
// file in the database, on a disk and in S3.
func TestManyRanges(t *testing.T) {
	t.Run("disk", func(t *testing.T) { testManyRanges(t, newServer(t), 4000, 1_030_000) })
	t.Run("s3", func(t *testing.T) { testManyRanges(t, newServerOnS3(t), 4000, 1_030_000) })
}

func testManyRanges(t *testing.T, s *server, sizes ...int) {
	p := s.project("tool", "public")
	for _, size := range sizes { // of which the server keeps the first in the database
		body, last := numbered(size), size-1
		file := generic(p, fmt.Sprintf("tool/1.0.0/f%d.gz", size))
		s.root("PUT", file, body).is(t, 201, created)
		end := fmt.Sprintf("%d-%d", size-2, last)
		for _, tc := range []struct{ ranges, want string }{
			{"bytes=0-1,5-6", "0-1 5-6"},
			{"bytes=5-6,0-1,-2", "5-6 0-1 " + end},
			{"bytes=0-1,2-3", "0-3"},
			{"bytes=0-3,2-5,1-1", "0-5"},
			{"bytes=9-10,0-1,8-8,2-3", "8-10 0-3"},
			{"bytes=0-,5-6", fmt.Sprintf("0-%d", last)},
			{fmt.Sprintf("bytes=0-1,%d-", size), "0-1"},
			{fmt.Sprintf("bytes=0-1,%d-99999999999999999999", last), fmt.Sprintf("0-1 %d-%d", last, last)},
			{fmt.Sprintf("bytes=%d-,-0", size), "416"},
			{"bytes=0-1,x", "416"},
			{"bytes=0-1,5-4", "416"},
			{"bytes=" + strings.Repeat("0-0,", 9999) + "0-0", "0-0"},
			{"bytes=" + strings.Repeat("0-9,5-19,30-39,", 2000) + "20-29", "0-39"},
			{"bytes=", "200"},
			{apart(1001, 1, 3), "200"},
			{apart(1001, 3, 3), "0-3002"},
		} {
			got := strings.Join(s.do("GET", file, nil, "Range: "+tc.ranges).parts(t, body), " ")
			if got != tc.want {
				t.Errorf("%.50s of %d bytes: %.100s, want %s", tc.ranges, size, got, tc.want)
			}
		}
		all := s.do("GET", file, nil, "Range: "+apart(1000, 2, size/1000))
		if got := len(all.parts(t, body)); all.StatusCode != 206 || got != 1000 {
			t.Errorf("%s, %d parts, want 1000", all.Status, got)
		}
		head := s.do("HEAD", file, nil, "Range: "+apart(1000, 2, size/1000))
		head.header(t, fmt.Sprintf("Content-Length: %d", size), "ETag: "+all.Header.Get("ETag"), "Last-Modified: "+all.Header.Get("Last-Modified"),
			"Accept-Ranges: bytes", "Content-Range:").is(t, 200, "")
		tag := all.Header.Get("ETag")
		s.do("GET", file, nil, "Range: bytes=0-1,5-6", "If-None-Match: "+tag).is(t, 304, "")
		s.do("GET", file, nil, "Range: bytes=0-1,5-6", `If-Match: "other"`).is(t, 412, "")
		s.do("GET", file, nil, "Range: bytes=0-1,5-6", `If-Range: "other"`).is(t, 200, body)
		s.do("GET", file, nil, "Range: "+apart(1001, 1, 3), "If-None-Match: "+tag).is(t, 304, "")
	}
}

// TestRangesOfTheDocument: the API's own description is no way around.
func TestRangesOfTheDocument(t *testing.T) {
	s := newServer(t)
	const document = "/api/v4/openapi.json"
	body := s.do("GET", document, nil).body
	s.do("GET", document, nil, "Range: bytes=0-1,1-3").header(t, fmt.Sprintf("Content-Range: bytes 0-3/%d", len(body))).is(t, 206, body[:4])
	s.do("GET", document, nil, "Range: "+apart(1001, 1, 3)).is(t, 200, body)
	s.do("GET", document, nil, "Range: bytes=x").header(t, "Content-Range:").is(t, 416, "invalid range\n")
}

// counted is a line to a store that keeps what is read from it.
type counted struct {
	http.RoundTripper

	mu   sync.Mutex
	gets []string // the Range header of each GET
	head int
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	switch r.Method {
	case http.MethodGet:
		c.gets = append(c.gets, r.Header.Get("Range"))
	case http.MethodHead:
		c.head++
	}
	c.mu.Unlock()
	return c.RoundTripper.RoundTrip(r)
}

// asked is what was read since it was asked last.
func (c *counted) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	gets := c.gets
	c.gets = nil
	return gets
}

// TestRangesCostTheStoreLittle: ranges with gaps below 64 KiB are one request to the
// store, for their bytes alone; no answer takes more than 16, beside the HEAD.
func TestRangesCostTheStoreLittle(t *testing.T) {
	line := &counted{RoundTripper: http.DefaultTransport}
	s := newServerOnS3Through(t, line)
	s.registry.MaxFileSize = 4 << 20
	body := numbered(3 << 20)
	file := generic(s.project("tool", "public"), "tool/1.0.0/f.gz")
	s.root("PUT", file, body).is(t, 201, created)
	const far = 10 + 64<<10 // a gap of 64 KiB after ten bytes
	var reversed []string
	for i := range 1000 {
		at := (999 - i) * 1024
		reversed = append(reversed, fmt.Sprintf("%d-%d", at, at+99))
	}
	for _, tc := range []struct {
		name, ranges string
		parts, gets  int
		first, last  string // asked of the store
	}{
		{"one", "bytes=1000-1099", 1, 1, "bytes=1000-1099", "bytes=1000-1099"},
		{"a thousand, 1 KiB apart", apart(1000, 100, 1024), 1000, 1, "bytes=0-1023075", "bytes=0-1023075"},
		{"the same backwards", "bytes=" + strings.Join(reversed, ","), 1000, 1, "bytes=0-1023075", "bytes=0-1023075"},
		{"a gap just below 64 KiB", apart(2, 11, far), 2, 1, "bytes=0-65556", "bytes=0-65556"},
		{"a gap of 64 KiB", apart(2, 10, far), 2, 2, "bytes=0-9", "bytes=65546-65555"},
		{"sixteen far apart", apart(16, 10, far), 16, 16, "bytes=0-9", "bytes=983190-983199"},
		{"seventeen far apart", apart(17, 10, far), 1, 1, "", ""},
		{"a thousand and one", apart(1001, 100, 1024), 1, 1, "", ""},
		{"none that is there", "bytes=9999999-", 1, 0, "", ""},
	} {
		line.asked()
		got := s.do("GET", file, nil, "Range: "+tc.ranges)
		parts, gets := got.parts(t, body), line.asked()
		if len(parts) != tc.parts || len(gets) != tc.gets || len(gets) > 0 && (gets[0] != tc.first || gets[len(gets)-1] != tc.last) {
			t.Errorf("%s: %s with %d parts, and %d requests to the store: %.200q", tc.name, got.Status, len(parts), len(gets), gets)
		}
		before := line.head
		s.do("HEAD", file, nil, "Range: "+tc.ranges).status(t, 200)
		if gets := line.asked(); len(gets) != 0 || line.head != before+1 {
			t.Errorf("%s: HEAD makes %d requests to read, %d to look", tc.name, len(gets), line.head-before)
		}
	}
	line.asked()
	s.do("GET", file, nil, "Range: bytes=0-9", `If-Range: "other"`).is(t, 200, body)
	if gets := line.asked(); len(gets) != 1 {
		t.Errorf("the whole file instead of a range: %q", gets)
	}
}

// spy is a listener whose connections tell what they are asked to copy from.
type spy struct {
	net.Listener
	seen chan io.Reader
}

type spyConn struct {
	*net.TCPConn
	seen chan io.Reader
}

func (s spy) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return spyConn{c.(*net.TCPConn), s.seen}, nil
}

func (c spyConn) ReadFrom(src io.Reader) (int64, error) {
	c.seen <- src
	return c.TCPConn.ReadFrom(src)
}

// TestRangesAreSentByTheKernel: whole files, single ranges and large parts reach
// the connection as the file itself (sendfile).
func TestRangesAreSentByTheKernel(t *testing.T) {
	s := newServer(t)
	body := numbered(1 << 20)
	file := generic(s.project("tool", "public"), "tool/1.0.0/f.gz")
	s.root("PUT", file, body).is(t, 201, created)
	seen := make(chan io.Reader, 10)
	web := httptest.NewUnstartedServer(s.api.Handler())
	web.Listener = spy{web.Listener, seen}
	web.Start()
	defer web.Close()
	s.url = web.URL
	for ranges, want := range map[string]int{
		"": 1, "bytes=1000-900000": 1, "bytes=0-,5-6": 1, "bytes=0-299999,400000-899999": 2, "bytes=0-9,20-29": 0, "bytes=0-9,20-900000": 1,
	} {
		s.do("GET", file, nil, "Range: "+ranges).parts(t, body)
		if len(seen) != want {
			t.Errorf("range %q: the connection was asked to copy %d times, want %d", ranges, len(seen), want)
		}
		for range len(seen) {
			src := <-seen
			for limited, ok := src.(*io.LimitedReader); ok; limited, ok = src.(*io.LimitedReader) {
				src = limited.R
			}
			if _, isFile := src.(*os.File); !isFile {
				t.Errorf("range %q: the connection reads from a %T", ranges, src)
			}
		}
	}
}
