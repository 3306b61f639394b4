package daemon

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/eventually"
)

// soonDue is a body that the scrub reads within the first hundredth of its period.
func soonDue() []byte {
	for n := 0; ; n++ {
		body := bytes.Repeat(fmt.Appendf(nil, "%8d", n), 9000) // larger than inline-max
		if d := sha256.Sum256(body); d[0] == 0 {
			return body
		}
	}
}

// TestScrub: a running server finds a bit that has changed, serves the file no more, tells
// of it, and serves it again when it was published again.
func TestScrub(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server, url := start(t, "--data-dir="+data, "--scrub-period=1h")
	file, body := url+demoFiles+"tool/1.2.3/rotten.bin", soonDue()
	ask(t, "PUT", file, bytes.NewReader(body))
	digest := fmt.Sprintf("%x", sha256.Sum256(body))
	path := filepath.Join(data, "blobs", digest[:2], digest)
	rotten := bytes.Clone(body)
	rotten[1000] ^= 4
	if err := os.WriteFile(path, rotten, 0o600); err != nil {
		t.Fatal(err)
	}
	shown := func(line string) func() bool {
		return func() bool {
			_, metrics := ask(t, "GET", url+"/-/metrics", nil)
			return strings.Contains(metrics, line+"\n")
		}
	}
	eventually.Holds(t, "the damage is found", shown("granary_blobs_damaged 1"))
	resp, said := ask(t, "GET", file, nil)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(said, "publish the same file again") {
		t.Errorf("the damaged file: %d, %q, %s", resp.StatusCode, resp.Header.Get("Retry-After"), said)
	}
	if got, err := os.ReadFile(filepath.Join(data, "blobs", "damaged", digest)); err != nil || !bytes.Equal(got, rotten) {
		t.Errorf("%d bytes are set aside, %v", len(got), err)
	}
	ask(t, "PUT", file, bytes.NewReader(body))
	if resp, got := ask(t, "GET", file, nil); resp.StatusCode != http.StatusOK || got != string(body) {
		t.Errorf("published again: %d, %d bytes", resp.StatusCode, len(got))
	}
	eventually.Holds(t, "the damage is over", shown("granary_blobs_damaged 0"))
	if _, metrics := ask(t, "GET", url+"/-/metrics", nil); !strings.Contains(metrics, "granary_scrub_oldest_seconds ") {
		t.Error("the age of the oldest verification is not shown")
	}
	server.terminate(t, 20*time.Second)
	for _, want := range []string{"level=ERROR", "kind=digest", "sha256=" + digest, "root/demo tool/1.2.3 rotten.bin"} {
		if !strings.Contains(server.logged(), want) {
			t.Errorf("there is no %s in the log:\n%s", want, server.logged())
		}
	}
}

// TestScrubThatCannotSetAside: wrong bytes that stay in the store, because nothing can be moved
// to damaged, are told with their files and not served, by a server that starts later neither.
func TestScrubThatCannotSetAside(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server, url := start(t, "--data-dir="+data, "--scrub-period=1h")
	body := soonDue()
	ask(t, "PUT", url+demoFiles+"tool/1.2.3/rotten.bin", bytes.NewReader(body))
	digest := fmt.Sprintf("%x", sha256.Sum256(body))
	rotten := bytes.Clone(body)
	rotten[1000] ^= 4
	path := filepath.Join(data, "blobs", digest[:2], digest)
	err := os.WriteFile(filepath.Join(data, "blobs", "damaged"), nil, 0o600) // in the way of the folder
	if err = errors.Join(err, os.WriteFile(path, rotten, 0o600)); err != nil {
		t.Fatal(err)
	}
	refused := func() bool {
		resp, said := ask(t, "GET", url+demoFiles+"tool/1.2.3/rotten.bin", nil)
		return resp.StatusCode == http.StatusServiceUnavailable && strings.Contains(said, "publish the same file again")
	}
	eventually.Holds(t, "the file is served no more", refused)
	eventually.Holds(t, "the log says that the bytes stay", func() bool {
		return strings.Contains(server.logged(), "cannot set the damaged bytes of")
	})
	server.terminate(t, 20*time.Second)
	for _, want := range []string{"level=ERROR", "sha256=" + digest, "root/demo tool/1.2.3 rotten.bin", "cannot set the damaged bytes of"} {
		if !strings.Contains(server.logged(), want) {
			t.Errorf("there is no %s in the log:\n%s", want, server.logged())
		}
	}
	_, url = start(t, "--data-dir="+data, "--scrub-period=0s")
	if !refused() {
		t.Error("the next server serves it")
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, rotten) {
		t.Errorf("the wrong bytes are gone: %d, %v", len(got), err)
	}
}
