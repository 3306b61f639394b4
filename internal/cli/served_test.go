package cli

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// logged is a log that is read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const servedToken = "gnpat-of-the-tests-of-commands"

var listeningAt = regexp.MustCompile(`msg=listening address=(\S+)`)

// served is a data directory in which a server has run, which answered each request with a
// status below 300: lines of a method, a path and a body.
func served(t *testing.T, requests ...string) (dir string) {
	t.Helper()
	whereServed(t)
	dir = filepath.Join(t.TempDir(), "data")
	ctx, stop := context.WithCancel(t.Context())
	log, ended := &logged{}, make(chan int, 1)
	go func() {
		ended <- Main(ctx, Env{
			Args:    []string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--disk-reserve=0"},
			Environ: []string{"GRANARY_ROOT_TOKEN=" + servedToken, "GRANARY_RECORDS_EVERY=1s"},
			Stdin:   strings.NewReader(""), Stdout: &logged{}, Stderr: log,
		})
	}()
	end := func() {
		stop()
		if code := <-ended; code != exitOK {
			t.Fatalf("the server ended with %d: %s", code, log)
		}
	}
	for began := time.Now(); !listeningAt.MatchString(log.String()); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			stop()
			t.Fatalf("it does not listen: %s", log)
		}
	}
	defer end()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) { // its journal has begun
		if _, err := os.Stat(filepath.Join(dir, "blobs", "records", "head")); err == nil {
			break
		}
		if time.Since(began) > time.Minute {
			t.Error("there is no journal")
			break
		}
	}
	address := listeningAt.FindStringSubmatch(log.String())[1]
	for _, line := range requests {
		part := strings.SplitN(line, " ", 3)
		req, err := http.NewRequestWithContext(t.Context(), part[0], "http://"+address+"/api/v4/projects/root%2Fdemo/"+part[1], strings.NewReader(part[2]))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("PRIVATE-TOKEN", servedToken)
		if part[0] == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode >= 300 {
			t.Fatalf("%s: %s", line, resp.Status)
		}
	}
	return dir
}

// theBlob is the only file in the store of a data directory.
func theBlob(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "blobs", "[0-9a-f][0-9a-f]", "*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v, want one blob", found, err)
	}
	return found[0]
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
