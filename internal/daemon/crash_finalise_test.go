package daemon

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A server that dies before the commit of a finalise leaves a draft, and one that dies
// after it a final version. Either way the files are there that were answered with 201,
// and another finalise brings the same manifest.
func TestFinaliseKilled(t *testing.T) {
	data, armed := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "armed")
	args := []string{"--data-dir=" + data, "--listen=127.0.0.1:0"}
	for point, want := range map[string]struct {
		query string // where the version is then
		again int    // the status of another finalise
	}{
		"before-commit": {"?status=draft", http.StatusCreated},
		"after-commit":  {"", http.StatusOK},
	} {
		died := false
		for n := 1; n < 10 && !died; n++ { // a commit before it may be the upkeep's
			version := demoFiles + fmt.Sprint(point, "/1.0.", n)
			p, url := startIn(t, []string{fmt.Sprint(dieAt, "=", point, " ", n), dieOnce + "=" + armed}, args...)
			for _, file := range []string{"a", "b"} {
				if resp, body := ask(t, "PUT", url+version+"/"+file+"?status=draft", strings.NewReader(file)); resp.StatusCode != http.StatusCreated {
					t.Fatal(resp.Status, body)
				}
			}
			if err := os.WriteFile(armed, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			died = !answered(t, url+version)
			if err := os.Remove(armed); err != nil {
				t.Fatal(err)
			}
			p.kill()

			p, url = start(t, args...)
			if died {
				resp, body := ask(t, "GET", url+version+"/@SHA256SUMS"+want.query, nil)
				if resp.StatusCode != http.StatusOK || strings.Count(body, "\n") != 2 {
					t.Errorf("died %s: %s %s", point, resp.Status, body)
				}
				resp, resource := ask(t, "POST", url+version, nil)
				if resp.StatusCode != want.again || !strings.Contains(resource, digestOf([]byte(body))) {
					t.Errorf("died %s, finalise again: %s %s, want %d and the digest of\n%s", point, resp.Status, resource, want.again, body)
				}
			}
			p.terminate(t, 20*time.Second)
		}
		if !died {
			t.Errorf("the server never died %s of a finalise", point)
		}
	}
}

// answered reports whether a finalise had an answer.
func answered(t *testing.T, version string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, version, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Private-Token", rootToken)
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err == nil
}
