package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// pushDraft runs push against a server with drafts that has no version yet. post is the
// answer to a call that makes one final.
func pushDraft(t *testing.T, put func(r *http.Request) (status int), post http.HandlerFunc, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Granary-Features", "drafts, versions, selectors")
		switch {
		case r.Method == http.MethodPost:
			post(w, r)
		case r.Method == http.MethodPut:
			data, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Package-Status", r.URL.Query().Get("status"))
			w.WriteHeader(put(r))
			fmt.Fprintf(w, `{"file_sha256":%q}`, sumOfBytes(data))
		case strings.HasSuffix(r.URL.Path, "/packages"):
			fmt.Fprint(w, `[]`)
		default:
			w.WriteHeader(404)
			fmt.Fprint(w, `{"message":"404 Not Found - there is no draft tool 1.0.0"}`)
		}
	}))
	defer s.Close()
	return run(t, []string{"HOME=" + t.TempDir(), "GRANARY_SERVER=" + s.URL, "GRANARY_TOKEN=secret"}, append([]string{"push"}, args...)...)
}

// A draft that has become a mixture ends the push, with as many names as fit a line.
func TestPushMixture(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "a"), "a")
	var extra []string
	for i := range 100 {
		extra = append(extra, fmt.Sprintf(`"x%02d\n"`, i))
	}
	code, stdout, stderr := pushDraft(t, func(*http.Request) int { return 200 }, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(409)
		lists := ""
		if r.Header.Get("Content-Type") == "text/plain" {
			lists = `,"missing":["a"],"extra":[` + strings.Join(extra, ",") + `],"differs":[]`
		}
		fmt.Fprintf(w, `{"message":"409 Conflict - tool 1.0.0 is not what was expected: 1 missing, 4000 extra, 0 with other bytes"%s}`, lists)
	}, "p", "tool", "1.0.0", file)
	want := `granary: the server answered 409 Conflict: tool 1.0.0 is not what was expected: 1 missing, 4000 extra, 0 with other bytes
granary: missing: a
granary: not expected: x00, x01, x02, x03, x04 and 95 more
granary: nothing was published: another push puts files into this draft
granary: --force discards the draft and begins anew; or give the package a new version
`
	if code != exitRefused || stdout != "" || stderr != want {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

// Who meets other bytes at the first file sends no other, and makes nothing final.
func TestPushMeetsDraft(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), "x")
	}
	puts := ""
	code, stdout, stderr := pushDraft(t, func(r *http.Request) int {
		puts += r.URL.Path[len(r.URL.Path)-1:]
		if r.Header.Get("If-None-Match") != "*" || r.URL.Query().Get("status") != "draft" {
			t.Errorf("PUT %s %v", r.URL, r.Header)
		}
		return 412
	}, func(http.ResponseWriter, *http.Request) { t.Error("it was made final") }, "p", "tool", "1.0.0", dir)
	if code != exitRefused || stdout != "" || puts != "0" || !strings.Contains(stderr, "another push puts other bytes into the draft") || !strings.Contains(stderr, "--force") {
		t.Errorf("exit code %d, PUT of %s: %s%s", code, puts, stdout, stderr)
	}
}

// With --draft files of others stay, and their own are replaced: without a condition.
func TestPushIntoDraft(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "a"), "a")
	code, stdout, stderr := pushDraft(t, func(r *http.Request) int {
		if r.Header.Get("If-None-Match") != "" || r.URL.Query().Get("status") != "draft" {
			t.Errorf("PUT %s %v", r.URL, r.Header)
		}
		return 200
	}, func(http.ResponseWriter, *http.Request) { t.Error("it was made final") }, "--draft", "p", "tool", "1.0.0", file)
	if code != 0 || stderr != "" || !strings.Contains(stdout, "tool 1.0.0 is a draft; granary finalise p tool@1.0.0 publishes it\n") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

// More files than a final version may have are published one by one, and that is said.
func TestPushTooManyForDraft(t *testing.T) {
	dir := t.TempDir()
	for i := range 10_001 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), "")
	}
	var mu sync.Mutex
	puts := 0
	put := func(r *http.Request) int {
		mu.Lock()
		defer mu.Unlock()
		if puts++; r.URL.Query().Has("status") {
			t.Errorf("PUT %s", r.URL)
		}
		return 200
	}
	never := func(http.ResponseWriter, *http.Request) { t.Error("it was made final") }
	code, _, stderr := pushDraft(t, put, never, "p", "tool", "1.0.0", dir)
	if code != 0 || puts != 10_001 || !strings.Contains(stderr, "10001 files are too many for a final version, which may have 10000: they are published one by one") {
		t.Errorf("exit code %d, %d files: %s", code, puts, stderr)
	}
	puts = 0
	code, _, stderr = pushDraft(t, put, never, "--draft", "p", "tool", "1.0.0", dir)
	if code != exitRefused || puts != 0 || !strings.Contains(stderr, "10001 files are too many: a version may have 10000; nothing was sent") {
		t.Errorf("exit code %d, %d files: %s", code, puts, stderr)
	}
}
