package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// pushTo runs push against a server that lists nothing, and whose answers to PUT and
// HEAD are put's.
func pushTo(t *testing.T, put http.HandlerFunc, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut || r.Method == http.MethodHead:
			put(w, r)
		case strings.HasSuffix(r.URL.Path, "/packages"):
			fmt.Fprint(w, `[]`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	return run(t, []string{"HOME=" + t.TempDir(), "GRANARY_SERVER=" + s.URL, "GRANARY_TOKEN=secret"}, append([]string{"push"}, args...)...)
}

func write(t *testing.T, path, data string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour) // a file system's clock may be coarse
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	return path
}

// Who publishes a new version at the same time as somebody else is told so by the
// first file whose bytes differ, and sends no other. Until then files go alone.
func TestPushLoses(t *testing.T) {
	dir := t.TempDir()
	for i := range 9 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), "x")
	}
	const x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // its SHA-256
	for same, want := range map[string]string{
		"":   "nothing was published; another push publishes this version at the same time",
		"01": "2 of 9 files are published; the version is incomplete",
	} {
		puts := "" // each waits for the one before, or the test is a race
		code, stdout, stderr := pushTo(t, func(w http.ResponseWriter, r *http.Request) {
			name := r.URL.Path[len(r.URL.Path)-1:]
			if r.Method == http.MethodHead {
				if strings.Contains(same, name) {
					w.Header().Set("X-Checksum-SHA256", x)
				}
				return
			}
			puts += name
			if r.Header.Get("If-None-Match") != "*" {
				t.Errorf("PUT %s %v", r.URL.Path, r.Header)
			}
			w.WriteHeader(412)
			fmt.Fprint(w, `{"message":"412 Precondition Failed - the file is there"}`)
		}, "p", "tool", "1.0.0", dir)
		if code != exitRefused || stdout != "" || puts != same+fmt.Sprint(len(same)) || !strings.Contains(stderr, want) {
			t.Errorf("the same are %q: exit code %d, PUT of %s: %s%s", same, code, puts, stdout, stderr)
		}
	}
}

// With --force the names that are taken go first: a server that takes none twice, and
// lets nobody look whether it does, ends the push before anything is published.
func TestPushForceRefused(t *testing.T) {
	dir, puts := t.TempDir(), ""
	for _, name := range []string{"a", "b", "c"} {
		write(t, filepath.Join(dir, name), name)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		switch {
		case r.Method == http.MethodHead && name == "b":
			w.Header().Set("X-Checksum-SHA256", strings.Repeat("0", 64))
		case r.Method == http.MethodPut:
			puts += name // one that is not alone would be a race
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"message":"400 Bad request - Duplicate package is not allowed"}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	code, stdout, stderr := run(t, []string{"HOME=" + t.TempDir(), "GRANARY_SERVER=" + s.URL, "GRANARY_TOKEN=gldt-secret"},
		"push", "--force", "p", "tool", "1.0.0", dir)
	if code != exitRefused || stdout != "" || puts != "b" || !strings.Contains(stderr, "nothing was published") {
		t.Errorf("exit code %d, PUT of %q: %s%s", code, puts, stdout, stderr)
	}
}

// What was on its way when another file was refused, and has arrived, is counted.
func TestPushCountsWhatArrived(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c", "refused"} {
		write(t, filepath.Join(dir, name), name)
	}
	var stored sync.Map
	var others sync.WaitGroup
	others.Add(2)
	put := func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		_, there := stored.Load(name)
		switch {
		case r.Method == http.MethodHead && !there:
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodHead:
			w.Header().Set("X-Checksum-SHA256", sumOfBytes([]byte(name)))
			w.Header().Set("Content-Length", fmt.Sprint(len(name)))
		case name == "refused":
			others.Wait()
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"message":"403 Forbidden"}`)
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			stored.Store(name, true)
			if name != "a" { // the first goes alone
				others.Done()
				<-r.Context().Done() // its answer is never heard
			}
			fmt.Fprint(w, `{}`)
		}
	}
	code, stdout, stderr := pushTo(t, put, "p", "tool", "1.0.0", "-j", "3", dir)
	want := "3 of 4 files are published; the version is incomplete\ngranary: not published: refused\n"
	if code != exitRefused || stdout != "" || !strings.Contains(stderr, want) {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

// A file that is overwritten in place while it is sent never arrives whole, whether
// its digest was declared or not, and its time put back or not.
func TestPushChangedFile(t *testing.T) {
	for _, tt := range []struct {
		size int64
		back bool
	}{{32 << 20, false}, {declareBelow + 1, false}, {32 << 20, true}, {declareBelow + 1, true}} {
		if tt.back && runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
			continue // only the time that can be put back is known there
		}
		size := tt.size
		file := write(t, filepath.Join(t.TempDir(), "big"), "")
		old := time.Now().Add(-time.Hour)
		for _, err := range []error{os.Truncate(file, size), os.Chtimes(file, old, old)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		var once sync.Once
		code, stdout, stderr := pushTo(t, func(_ http.ResponseWriter, r *http.Request) {
			once.Do(func() {
				time.Sleep(20 * time.Millisecond) // a file system's clock may be coarse
				overwrite(t, file)
				if tt.back {
					if err := os.Chtimes(file, old, old); err != nil {
						t.Error(err)
					}
				}
			})
			if n, err := io.Copy(io.Discard, r.Body); err == nil {
				t.Errorf("all %d bytes arrived", n)
			}
		}, "p", "tool", "1.0.0", file)
		if code != exitFailure || stdout != "" || !strings.Contains(stderr, file+": the file changed") || !strings.Contains(stderr, "nothing was published") {
			t.Errorf("%+v: exit code %d: %s%s", tt, code, stdout, stderr)
		}
	}
}

func overwrite(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("other"), 20<<20); err != nil {
		t.Error(err)
	}
}

// A file is read as it was found, or not at all.
func TestSourceOpen(t *testing.T) {
	dir := t.TempDir()
	for name, change := range map[string]func(file string) error{
		"":          func(string) error { return nil },
		"appended":  func(file string) error { return os.Truncate(file, 5) },
		"cut":       func(file string) error { return os.Truncate(file, 3) },
		"touched":   func(file string) error { return os.Chtimes(file, time.Now(), time.Now()) },
		"replaced":  func(file string) error { return os.Rename(write(t, file+".new", "data"), file) },
		"taken off": os.Remove,
	} {
		for _, during := range []bool{false, true} {
			file := write(t, filepath.Join(dir, "file"), "data")
			found, err := sourcesAt(t, file)
			if err != nil {
				t.Fatal(err)
			}
			if during { // what is open stays, whatever its name leads to
				in, err := found[0].open()
				if err != nil {
					t.Fatal(err)
				}
				if err := change(file); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(in)
				whole := name == "" || name == "replaced" || name == "taken off"
				if (err == nil) != whole || whole && string(got) != "data" {
					t.Errorf("%s while it was read: %q %v", name, got, err)
				}
				_ = in.Close() // it was only read
				continue
			}
			if err := change(file); err != nil {
				t.Fatal(err)
			}
			if _, err := found[0].sum(); (err == nil) != (name == "") {
				t.Errorf("%s before it was read: %v", name, err)
			}
		}
	}
}

func TestGlobs(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		isDir, want   bool
	}{
		{"*.o", "a.o", false, true},
		{"*.o", "lib/deep/a.o", false, true},
		{"*.o", "a.op", false, false},
		{"lib", "lib/deep/a", false, true},
		{"lib", "deep/lib/a", false, true},
		{"lib/", "lib", false, false},
		{"lib/", "lib", true, true},
		{"lib/", "lib/a", false, true},
		{"/lib", "lib/a", false, true},
		{"/lib", "deep/lib/a", false, false},
		{"lib/*.o", "lib/a.o", false, true},
		{"lib/*.o", "lib/deep/a.o", false, false},
		{"lib/**/*.o", "lib/deep/a.o", false, true},
		{"**/deep/*", "lib/deep/a.o", false, true},
		{"{a,b}", "b", false, true},
		{"*.{o" + strings.Repeat(",x", 998) + ",a}", "lib.a", false, true},
		{strings.Repeat("{a,b}", 9), "abababaab", false, true},
	} {
		g, err := newGlobs([]string{"nothing", tt.pattern})
		if err != nil || g.match(tt.name, tt.isDir) != tt.want {
			t.Errorf("%q leaves %q out: %v, want %v; %v", tt.pattern, tt.name, !tt.want, tt.want, err)
		}
	}
	for _, bad := range []string{"", "/", "[a", "{a", "!a", strings.Repeat("{a,b}", 10), "{{a,b,c},d" + strings.Repeat(",e", 500) + "}"} {
		if _, err := newGlobs([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "1": 1, "500k": 500 << 10, "2M": 2 << 20, "3G": 3 << 30, "20MiB": 20 << 20, "64KiB": 64 << 10, "1TiB": 1 << 40,
		"0": -1, "-1": -1, "k": -1, "1.5M": -1, "10T": -1, "2Mb": -1, "2iB": -1, "9999999999G": -1} {
		if got, err := parseRate("--limit-rate", text); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d %v, want %d", text, got, err, want)
		}
	}
}
