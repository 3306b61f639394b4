package api_test

import (
	"net/http"
	"testing"
	"time"
)

// TestDatesNameOneFile: a date is ours only if it is exactly the Last-Modified of the
// file that is there now, and no other file of the name can have been told to have it.
func TestDatesNameOneFile(t *testing.T) { onEachStore(t, testDatesNameOneFile) }

func testDatesNameOneFile(t *testing.T, s *server) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 1e8, time.UTC)
	s.registry.Now = func() time.Time { return at }
	project := s.project("tool", "public")
	put := func(file, body string, later time.Duration) (modified string) {
		t.Helper()
		at = at.Add(later)
		s.root("PUT", file, body).is(t, 201, created)
		return at.Format(http.TimeFormat)
	}
	// holds asks with the date in each of the headers that take one.
	holds := func(file, date, body string, want bool) {
		t.Helper()
		unchanged, rest, some := 200, 412, 200
		if want {
			unchanged, rest, some = 304, 200, 206
		}
		for _, method := range []string{"GET", "HEAD"} {
			s.do(method, file, nil, "If-Modified-Since: "+date).status(t, unchanged)
			s.do(method, file, nil, "If-Unmodified-Since: "+date).status(t, rest)
		}
		s.do("GET", file, nil, "If-Range: "+date, "Range: bytes=1-1").status(t, some)
		s.do("GET", file, nil, "If-Range: "+date, "Range: bytes=0-0,2-2").status(t, some)
		s.do("GET", file, nil, "If-Unmodified-Since: "+date, "Range: bytes=0-0,2-2").status(t, map[bool]int{true: 206, false: 412}[want])
		s.do("GET", file, nil, "If-None-Match: \"other\"", "If-Modified-Since: "+date).is(t, 200, body)
		s.do("GET", file, nil, "If-Match: *", "If-Unmodified-Since: "+date).is(t, 200, body)
	}

	file := generic(project, "tool/1.0.0/f")
	first := put(file, "one", 0)
	s.do("HEAD", file, nil).header(t, "Last-Modified: "+first)
	holds(file, first, "one", true)
	holds(file, at.Add(time.Second).Format(http.TimeFormat), "one", false)
	put(file, "two", 500*time.Millisecond) // in the same second
	s.do("HEAD", file, nil).header(t, "Last-Modified:")
	holds(file, first, "two", false)
	byID := v4 + "/projects/" + project + "/packages/" + itoa(ask[int64](s, `SELECT id FROM packages`)) + "/package_files/"
	ones, twos := itoa(ask[int64](s, `SELECT MIN(id) FROM package_files`)), itoa(ask[int64](s, `SELECT MAX(id) FROM package_files`))
	holds(byID+ones+"/download", first, "one", true) // under its id there never is another
	s.root("DELETE", byID+twos, nil).must(t, 204)
	s.do("HEAD", file, nil).header(t, "Last-Modified:").is(t, 200, "")
	holds(file, first, "one", false)

	third := put(file, "three", 2*time.Second)
	holds(file, third, "three", true)
	fourth := put(file, "four", time.Second)
	holds(file, third, "four", false)
	holds(file, fourth, "four", true)
	s.root("DELETE", byID+itoa(ask[int64](s, `SELECT MAX(id) FROM package_files`)), nil).must(t, 204)
	holds(file, fourth, "three", false) // which is older than what the client has
	holds(file, third, "three", true)

	fifth := put(file, "five", time.Second) // gone with its package, and another at once
	holds(file, fifth, "five", true)
	packageAt := v4 + "/projects/" + project + "/packages/"
	s.root("DELETE", packageAt+itoa(ask[int64](s, `SELECT MAX(id) FROM packages`)), nil).must(t, 204)
	put(file, "six", 100*time.Millisecond)
	purge := func() {
		t.Helper()
		if _, err := s.registry.Sweep(t.Context(), 24*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	unknown := func() {
		t.Helper()
		s.do("HEAD", file, nil).header(t, "Last-Modified:")
		holds(file, fifth, "six", false)
	}
	unknown()
	purge() // the records of the first go
	unknown()
	at = at.Add(48 * time.Hour)
	purge()
	unknown()

	seventh := put(file, "seven", 0) // replaced at once, and its record gone before anybody asks
	sevens := itoa(ask[int64](s, `SELECT MAX(id) FROM package_files`))
	put(file, "eight", 100*time.Millisecond)
	s.root("DELETE", packageAt+itoa(ask[int64](s, `SELECT MAX(id) FROM packages`))+"/package_files/"+sevens, nil).must(t, 204)
	for range 2 {
		purge()
		s.do("HEAD", file, nil).header(t, "Last-Modified:")
		holds(file, seventh, "eight", false)
		at = at.Add(48 * time.Hour)
	}
	holds(file, put(file, "nine", 0), "nine", true)
}
