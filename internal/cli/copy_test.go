package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
)

// copyOf copies version 1.0.0 of tool, whose files are listed under these names and
// hold one byte each, to a project whose answers to HEAD, GET and PUT of files are
// those of target.
func copyOf(t *testing.T, names []string, target http.HandlerFunc, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	const sum = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // of x
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, of, _ := strings.Cut(r.URL.EscapedPath(), "/projects/")
		switch {
		case of == "src/packages/generic/tool/1.0.0/gone":
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"404 Not Found"}`)
		case strings.HasPrefix(of, "src/packages/generic/"):
			fmt.Fprint(w, "x")
		case r.URL.Query().Get("status") == "hidden", of == "dst/packages":
			fmt.Fprint(w, `[]`)
		case of == "src/packages":
			fmt.Fprint(w, `[{"id":1,"name":"tool","version":"1.0.0","package_type":"generic"}]`)
		case of == "src/packages/1/package_files":
			var rows []string
			for i, name := range names {
				rows = append(rows, fmt.Sprintf(`{"id":%d,"file_name":%q,"size":1,"file_sha256":"%s"}`, i+1, name, sum))
			}
			fmt.Fprintf(w, "[%s]", strings.Join(rows, ","))
		case strings.HasPrefix(of, "dst/packages/generic/"):
			w.Header().Set("X-Checksum-SHA256", sum)
			target(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	return run(t, []string{"HOME=" + t.TempDir(), "GRANARY_SERVER=" + s.URL, "GRANARY_TOKEN=secret"},
		append([]string{"copy", "src", "tool", "--to", "dst"}, args...)...)
}

// A source may list names that lead out of where files lie. No target takes them, and
// nothing is copied.
func TestCopyHostileName(t *testing.T) {
	for _, name := range []string{"../evil", "..%2Fevil", "a%2F..%2F..%2Fevil", "..", ""} {
		for _, args := range [][]string{nil, {"--dry-run"}} {
			target := func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPut {
					t.Errorf("%q: PUT %s", name, r.URL)
				}
				http.NotFound(w, r)
			}
			code, stdout, stderr := copyOf(t, []string{"a", "lib%2Fb", name}, target, args...)
			if code != exitRefused || stdout != "" || !strings.Contains(stderr, "is not the address of a file\ngranary: nothing was copied") {
				t.Errorf("%q %q: exit code %d: %s%s", name, args, code, stdout, stderr)
			}
		}
	}
}

// What was on its way when another file was refused, and has arrived, is counted.
func TestCopyCountsWhatArrived(t *testing.T) {
	var mu sync.Mutex
	stored := map[string]bool{}
	var others sync.WaitGroup
	others.Add(2)
	target := func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		mu.Lock()
		there := stored[name]
		mu.Unlock()
		if r.Method != http.MethodPut {
			w.Header().Set("Content-Length", "1")
			if !there {
				w.WriteHeader(http.StatusNotFound)
			}
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if name == "refused" {
			others.Wait()
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"message":"403 Forbidden"}`)
			return
		}
		mu.Lock()
		stored[name] = true
		mu.Unlock()
		if name != "a" { // the first goes alone
			others.Done()
			<-r.Context().Done() // its answer is never heard
		}
		fmt.Fprint(w, `{}`)
	}
	code, stdout, stderr := copyOf(t, []string{"a", "b", "c", "refused"}, target, "-j", "3")
	if code != exitRefused || stdout != "" || !strings.Contains(stderr, "3 of 4 files are copied; once the reason is gone") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

// What the source has no more is not said of the target.
func TestCopySourceRefuses(t *testing.T) {
	target := func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			fmt.Fprint(w, `{}`)
		}
	}
	code, stdout, stderr := copyOf(t, []string{"gone"}, target)
	if code != exitNotFound || stdout != "" || !strings.Contains(stderr, "/src lists the file but does not send it") || strings.Contains(stderr, "does not exist") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}
