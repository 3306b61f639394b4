package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"granary/internal/registry"
	"granary/internal/versions"
)

// TestSelectedRanges: a part of what a selector leads to is sent only to a client that
// names the file by its strong ETag; "bytes=0-" is the whole file.
func TestSelectedRanges(t *testing.T) { onEachStore(t, testSelectedRanges) }

func testSelectedRanges(t *testing.T, s *server) {
	p := s.projectID(s.project("tool", "private"))
	old, body := numbered(10_000), strings.ToUpper(numbered(10_001))
	s.root("PUT", generic(p, "app/1.0.0/f"), old).is(t, 201, created)
	stale := s.root("HEAD", generic(p, "app/latest/f"), nil).Header.Get("ETag")
	s.root("PUT", generic(p, "app/1.1.0/f"), body).is(t, 201, created)
	head := s.root("HEAD", generic(p, "app/1.1.0/f"), nil)
	tag, date := head.Header.Get("ETag"), head.Header.Get("Last-Modified")
	const long = "Sat, 01 Jan 2000 00:00:00 GMT"
	exact := s.url + generic(p, "app/1.1.0/f")
	refusal := `{"message":"412 Precondition Failed - latest is 1.1.0 now; resume at ` + exact + `, or start over"}`
	for _, tc := range []struct {
		conditions  []string
		none, first int // without Range; bytes=0-
		part, parts int // bytes=8-15; bytes=0-1,8-15
		file        string
	}{
		{nil, 200, 200, 412, 412, body},
		{[]string{"If-Range: " + tag}, 200, 206, 206, 206, body},
		{[]string{"If-Range: " + stale}, 200, 200, 200, 200, body},
		{[]string{"If-Range: W/" + tag}, 200, 200, 200, 200, body},
		{[]string{"If-Range: " + date}, 200, 200, 200, 200, body},
		{[]string{"If-Range: " + long}, 200, 200, 200, 200, body},
		{[]string{"If-Range: nonsense"}, 200, 200, 200, 200, body},
		{[]string{"If-Match: " + tag}, 200, 206, 206, 206, body},
		{[]string{"If-Match: " + stale + ", " + tag}, 200, 206, 206, 206, body},
		{[]string{"If-Match: " + stale}, 412, 412, 412, 412, body},
		{[]string{"If-Match: W/" + tag}, 412, 412, 412, 412, body},
		{[]string{"If-Match: *"}, 200, 200, 412, 412, body},
		{[]string{"If-None-Match: " + tag}, 304, 304, 304, 304, body},
		{[]string{"If-None-Match: " + stale}, 200, 200, 412, 412, body},
		{[]string{"If-None-Match: *"}, 304, 304, 304, 304, body},
		{[]string{"If-Modified-Since: " + long}, 200, 200, 412, 412, body},
		{[]string{"If-Unmodified-Since: " + long}, 412, 412, 412, 412, body},
		{[]string{"If-Match: " + tag, "If-Range: " + stale}, 200, 200, 200, 200, body},
	} {
		for ranges, want := range map[string]int{"": tc.none, "bytes=0-": tc.first, "bytes=8-15": tc.part, "bytes=0-1,8-15": tc.parts} {
			header := append([]string{"PRIVATE-TOKEN: " + rootToken}, tc.conditions...)
			if ranges != "" {
				header = append(header, "Range: "+ranges)
			}
			got := s.do("GET", generic(p, "app/latest/f"), nil, header...)
			if got.StatusCode == 206 && ranges == "bytes=0-" && s.redirected && got.body == tc.file {
				got.StatusCode = want // the store's word for the whole
			}
			if got.StatusCode != want {
				t.Errorf("%q %q: %d %.200s, want %d", ranges, tc.conditions, got.StatusCode, got.body, want)
				continue
			}
			if want == 200 && got.body != tc.file {
				t.Errorf("%q %q: %d bytes of another file", ranges, tc.conditions, len(got.body))
			}
			if want == 206 && ranges == "bytes=8-15" && got.body != tc.file[8:16] {
				t.Errorf("%q %q: %q", ranges, tc.conditions, got.body)
			}
			if want == 412 && tc.none == 200 {
				got.header(t, "Content-Location:", "X-Package-Version:", "Accept-Ranges:").is(t, 412, refusal)
			}
			if ranges != "" { // HEAD has no ranges
				s.do("HEAD", generic(p, "app/latest/f"), nil, header...).status(t, tc.none)
			}
		}
	}
}

// TestOddRangesOfSelectors: whatever the header says, no part is sent unasked.
func TestOddRangesOfSelectors(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "public"))
	s.root("PUT", generic(p, "app/1.0.0/f"), "0123456789").is(t, 201, created)
	s.root("PUT", generic(p, "app/1.0.0/empty"), "").is(t, 201, created)
	for ranges, want := range map[string]int{
		"bytes=0-": 200, "bytes= 0-": 200, "bytes=0-9": 412, "bytes=0-100": 412, "bytes=-1": 412, "bytes=5-": 412, "bytes=10-": 412, "bytes=99-": 412, "bytes=0-,0-": 412,
	} {
		for _, file := range []string{"f", "empty", "@SHA256SUMS", "@all.tar", "@all.zip"} {
			got := s.do("GET", generic(p, "app/latest/"+file), nil, "Range: "+ranges)
			if got.StatusCode != want {
				t.Errorf("%s %s: %d %.200s, want %d", file, ranges, got.StatusCode, got.body, want)
			}
		}
	}
	for _, ranges := range []string{"bytes=nonsense", "items=0-1", "bytes=5-4", "5-", "bytes"} { // never a part
		if got := s.do("GET", generic(p, "app/latest/f"), nil, "Range: "+ranges); got.StatusCode != 412 && (got.StatusCode != 200 || got.body != "0123456789") {
			t.Errorf("%s: %d %s", ranges, got.StatusCode, got.body)
		}
	}
	at := generic(p, "app/latest/@all.tar")
	whole := s.do("GET", at, nil)
	tag := whole.Header.Get("ETag")
	s.do("GET", at, nil, "Range: bytes=512-", "If-Range: "+tag).is(t, 206, whole.body[512:])
	s.do("GET", at, nil, "Range: bytes=512-", "If-Match: "+tag).is(t, 206, whole.body[512:])
	s.do("GET", at, nil, "Range: bytes=512-", `If-Range: "other"`).is(t, 200, whole.body)
	s.do("GET", at, nil, "Range: bytes=512-", `If-Match: "other"`).status(t, 412)
	s.do("GET", at, nil, "Range: bytes=512-", "If-None-Match: "+tag).status(t, 304)
	s.do("GET", at, nil, `If-Match: "other"`).status(t, 412)
	s.do("GET", generic(p, "app/latest/@all.tar.zst"), nil, "Range: bytes=5-").status(t, 412)
	stream := generic(p, "app/1.0.0/@all.tar.zst")
	s.do("GET", stream, nil, "Range: bytes=5-").is(t, 412, `{"message":"412 Precondition Failed - @all.tar.zst is made while it is sent and cannot be continued; start over, or ask for @all.tar"}`)
	for _, header := range []string{"Range: bytes=0-", "Range: lines=5-", "If-Range: x"} {
		s.do("GET", stream, nil, header).status(t, 200)
	}
	s.do("GET", stream, nil, "Range: bytes=5-", `If-Range: "other"`).status(t, 200)
	s.do("GET", stream, nil, "Range: bytes=5-", "If-None-Match: *").status(t, 304)
	s.do("GET", generic(p, "app/1.0.0/@all.tar.zst"), nil, `If-Match: "other"`).status(t, 412)
}

// TestMovingSelector: clients that resume while latest moves get bytes of one version, or
// a refusal.
func TestMovingSelector(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "public"))
	bodies := map[string]bool{}
	publish := func(n int) {
		body := strings.Repeat(string(rune('a'+n)), 5000)
		bodies[body] = true
		s.root("PUT", generic(p, "app/1.0."+itoa(int64(n))+"/f"), body).is(t, 201, created)
	}
	publish(0)
	at := generic(p, "app/latest/f")
	for n := 1; n < 20; n++ {
		first := s.do("GET", at, nil)
		publish(n)
		for header, want := range map[string]int{"X-None: ": 412, "If-Range: " + first.Header.Get("ETag"): 200, "If-Match: " + first.Header.Get("ETag"): 412} {
			got := s.do("GET", at, nil, "Range: bytes=2500-", header)
			if got.StatusCode != want || want == 200 && !bodies[got.body] || want == 412 && len(got.body) > 300 {
				t.Errorf("%s: %d, %d bytes", header, got.StatusCode, len(got.body))
			}
		}
		where := strings.TrimPrefix(first.Header.Get("Content-Location"), s.url)
		s.do("GET", where, nil, "Range: bytes=2500-").is(t, http.StatusPartialContent, first.body[2500:])
	}
	if !bodies[s.do("GET", at, nil).body] || len(bodies) != 20 {
		t.Error("latest is none of what was published")
	}
}

// goneBetween are records in which a version is deleted after a selector chose it.
type goneBetween struct {
	registry.Records
	remove func()
}

func (r *goneBetween) ChooseVersion(ctx context.Context, projectID int64, name registry.Name, text registry.Version, s versions.Selector) (registry.Version, error) {
	chosen, err := r.Records.ChooseVersion(ctx, projectID, name, text, s)
	if remove := r.remove; remove != nil {
		r.remove = nil
		remove()
	}
	return chosen, err
}

// TestSelectedVersionIsDeleted: if the version goes before its file is found, the next one
// is chosen.
func TestSelectedVersionIsDeleted(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "public"))
	s.versionsIn(p, "app", "1.0.0", "1.1.0")
	records := &goneBetween{Records: s.registry.Records}
	s.registry.Records = records
	records.remove = func() { s.root("DELETE", generic(p, "app/1.1.0"), nil).status(t, 204) }
	s.do("GET", generic(p, "app/latest/f"), nil).header(t, "X-Package-Version: 1.0.0").is(t, 200, "1.0.0")
	records.remove = func() { s.root("DELETE", generic(p, "app/1.0.0"), nil).status(t, 204) }
	s.do("GET", generic(p, "app/latest/f"), nil).is(t, 404, `{"message":"404 Not Found - no version of app is latest"}`)
}
