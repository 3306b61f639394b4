package daemon

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/blob/s3/s3test"
)

// faultLine is the line to an S3 server, on which one request fails. The answer to it is one
// that nobody tries again.
type faultLine struct {
	*httptest.Server
	proxy *httputil.ReverseProxy

	mu    sync.Mutex
	nth   int    // of the requests to come fails; 0 is none
	kept  bool   // the server does it all the same, and only its answer is lost
	came  string // the request that failed
	count int    // requests since fail
	deny  string // every request whose path has this fails; "" is none
}

func newFaultLine(t *testing.T, to string) *faultLine {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l := &faultLine{proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}, ErrorLog: log.New(io.Discard, "", 0)}} // of requests that the client gives up
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

// fail lets the n-th request from now fail.
func (l *faultLine) fail(nth int, kept bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nth, l.kept, l.came, l.count = nth, kept, "", 0
}

// denying lets every request fail whose path has this.
func (l *faultLine) denying(part string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deny = part
}

// failed is the request that failed, "" if none has.
func (l *faultLine) failed() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.came
}

func (l *faultLine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.count++
	fails, kept := l.count == l.nth, l.kept
	if l.deny != "" && strings.Contains(r.URL.Path, l.deny) {
		fails, kept = true, false
	}
	if fails {
		l.came = r.Method + " " + r.URL.String()
	}
	l.mu.Unlock()
	if !fails {
		l.proxy.ServeHTTP(w, r)
		return
	}
	if kept {
		l.proxy.ServeHTTP(httptest.NewRecorder(), r)
	} else {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>It fails on purpose.</Message></Error>`)
}

// faultyGrounds are SQLite and an S3 server whose line fails, with files on the old server,
// whose records are in the store.
type faultyGrounds struct {
	grounds
	line  *faultLine
	dir   string
	files map[string]string
	n     int // deeds so far
	dense int // requests that may all fail; of the later ones, which list blobs by prefix, one of 16
}

func newFaultyGrounds(t *testing.T) *faultyGrounds {
	bucket := s3test.Start(t)
	f := &faultyGrounds{line: newFaultLine(t, bucket.URL), dir: t.TempDir(), files: map[string]string{}, dense: 1000}
	f.old = f.at("old")
	f.place, f.new = f.where("place"), f.at("new")
	url, stop := serveHere(t, f.old, "--inline-max=4096")
	defer stop()
	for _, name := range []string{"a", "b", "c"} {
		publishTo(t, url, f.files, "small/1.0.0/"+name, strings.Repeat(name, 100))
		publishTo(t, url, f.files, "large/1.0.0/"+name, strings.Repeat(name, 100_000))
	}
	return f
}

func (f *faultyGrounds) where(prefix string) string {
	return "s3://" + s3test.Bucket + "/" + prefix + "?region=" + s3test.Region + "&endpoint=" + f.line.URL
}

// at is a server by that name.
func (f *faultyGrounds) at(name string) []string {
	return []string{
		asRoot, testKey, "GRANARY_DATA_DIR=" + filepath.Join(f.dir, name), "GRANARY_BLOBS=" + f.where(name),
		"GRANARY_S3_ACCESS_KEY_ID=" + s3test.AccessKeyID, "GRANARY_S3_SECRET_ACCESS_KEY=" + s3test.SecretAccessKey,
	}
}

// each lets each request of a deed fail: not done at all, and done with its answer lost.
func (f *faultyGrounds) each(t *testing.T, s steps, deed func(name string) error, look func(at string, err error)) {
	t.Helper()
	faults, errs := 0, 0
	for _, kept := range []bool{false, true} {
		for nth := 1; nth < 1000; nth++ {
			if s.skip() || nth > f.dense && nth%16 > 0 {
				continue
			}
			f.n++
			f.line.fail(nth, kept)
			err := deed(fmt.Sprint("new", f.n))
			came := f.line.failed()
			f.line.fail(0, false)
			at := fmt.Sprintf("request %d, kept %v: %s", nth, kept, came)
			look(at, err)
			if t.Failed() {
				t.Fatalf("after %s: %v", at, err)
			}
			if came == "" {
				if err != nil {
					t.Errorf("without a fault: %v", err)
				}
				break
			}
			faults++
			if err != nil {
				errs++
			}
		}
	}
	t.Logf("%d faults, of which %d ended the deed (seed %d)", faults, errs, *lostSeed)
	if errs == 0 {
		t.Error("no fault ended the deed")
	}
}

// TestBackupUnderFaults lets each request of a backup fail, to the store or to the place.
// What is in the place is whole then, and the next backup ends well.
func TestBackupUnderFaults(t *testing.T) {
	t.Parallel()
	f := newFaultyGrounds(t)
	deed := func(name string) error {
		f.place = f.where(name)
		done, err := backUp(t.Context(), f.settings(t, f.old), f.place)
		if err == nil && done.Manifest.Lost.Count > 0 {
			t.Errorf("a backup counts %d files as lost: %+v", done.Manifest.Lost.Count, done.Manifest.Lost)
		}
		return err
	}
	f.each(t, newSteps(6), deed, func(at string, err error) {
		least := 0
		if err == nil {
			least = 1
		}
		f.wantPlaceWhole(t, at, least)
		done := f.backUp(t)
		if all := done.Manifest.Blobs.Count + done.Manifest.Packed.Count; all != int64(len(f.files)) || done.Manifest.Lost.Count > 0 {
			t.Errorf("%s: the next backup has %d blobs, want %d: %+v", at, all, len(f.files), done)
		}
		f.wantPlaceWhole(t, at, least+1)
	})
}

// TestRestoreUnderFaults lets each request of a restore fail, to the place or to the store.
// An error says that the database is empty, and the next restore ends well; or everything is
// there.
func TestRestoreUnderFaults(t *testing.T) {
	t.Parallel()
	f := newFaultyGrounds(t)
	f.backUp(t)
	deed := func(name string) error {
		f.new = f.at(name)
		done, err := f.tryRestore(t, RestoreOptions{})
		if err == nil && done.Missing > 0 {
			t.Errorf("a restore counts %d files as missing: %v", done.Missing, done.Lost)
		}
		return err
	}
	f.each(t, newSteps(7), deed, func(at string, err error) {
		if err != nil {
			if done, err := f.tryRestore(t, RestoreOptions{}); err != nil && !strings.Contains(err.Error(), "is not empty") || done.Missing > 0 {
				t.Errorf("%s: the next restore: %+v, %v", at, done, err)
			}
		}
		f.wantWhole(t, f.new, int64(len(f.files)))
	})
}

// TestRebuildUnderFaults lets each request of a rebuild fail. It never takes a store that
// does not answer for a damaged one: it fails, and the next one ends well.
func TestRebuildUnderFaults(t *testing.T) {
	t.Parallel()
	f := newFaultyGrounds(t)
	f.dense = 32
	rebuild := func() (Rebuilt, error) {
		return Rebuild(t.Context(), f.settings(t, f.new), RebuildOptions{Verify: true, askFor: time.Millisecond, Tell: func(Finding) error { return nil }})
	}
	deed := func(name string) error {
		f.new = append([]string{"GRANARY_DATABASE=sqlite:" + filepath.Join(f.dir, name+".db")}, f.old...)
		done, err := rebuild()
		if err == nil && !done.Whole() {
			t.Errorf("a rebuild counts as damaged: %+v", done)
		}
		return err
	}
	f.each(t, newSteps(8), deed, func(at string, err error) {
		if err != nil {
			if done, err := rebuild(); err != nil && !strings.Contains(err.Error(), "must be an empty database") || err == nil && !done.Whole() {
				t.Errorf("%s: the next rebuild: %+v, %v", at, done, err)
			}
		}
		f.wantWhole(t, f.new, int64(len(f.files)))
	})
}
