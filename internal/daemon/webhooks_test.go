package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The server is killed around the commit of a publish. Whatever was committed
// is told after the next start, though nobody was acknowledged; what was not is
// never told.
func TestHooksSurviveKill(t *testing.T) {
	data := t.TempDir()
	told := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event struct {
			Package struct{ Version string } `json:"object_attributes"`
		}
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			t.Error(err)
		}
		told <- event.Package.Version
	}))
	defer receiver.Close()
	args := []string{"--data-dir=" + data, "--listen=127.0.0.1:0", "--webhook-allow-networks=127.0.0.0/8"}
	first, url := start(t, args...)
	resp, body := ask(t, "POST", url+"/api/v4/projects/root%2Fdemo/hooks?token=token-of-the-hook&url="+receiver.URL, nil)
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status, body)
	}
	first.terminate(t, 20*time.Second)

	died := map[string]bool{}
	for _, point := range []string{"before-commit", "after-commit"} {
		for n := 1; n < 10 && !died[point]; n++ {
			version := fmt.Sprintf("1.%d.%d", len(died), n)
			p, err := launch([]string{asRoot, dieAt + "=" + fmt.Sprint(point, " ", n)}, args...)
			if err != nil {
				t.Fatal(err)
			}
			if url := p.url(); url != "" {
				died[point] = !put(t, url, version)
			}
			p.kill()
			p, url := start(t, args...)
			resp, _ := ask(t, "GET", url+demoFiles+"a/"+version+"/a", nil)
			there := resp.StatusCode == http.StatusOK
			if died[point] && there != (point == "after-commit") {
				t.Errorf("died %s: there %v", point, there)
			}
			if there {
				wait(t, told, version)
			}
			after := fmt.Sprintf("9.%d.%d", len(died), n)
			if !put(t, url, after) {
				t.Fatal("the next publish failed")
			}
			if got := wait(t, told, after); !there && strings.Contains(got, version) {
				t.Errorf("%s is told of and is not there", version)
			}
			p.terminate(t, 20*time.Second)
			if strings.Contains(p.logged(), "token-of-the-hook") {
				t.Error("the hook's token is in the log")
			}
		}
		if !died[point] {
			t.Errorf("the server never died at %s of a publish", point)
		}
	}
}

// put publishes and reports whether it was acknowledged.
func put(t *testing.T, url, version string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", url+demoFiles+"a/"+version+"/a", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Private-Token", rootToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusCreated
}

// wait reads what is told until it is the version, and returns what came
// before.
func wait(t *testing.T, told chan string, version string) (before string) {
	t.Helper()
	for {
		select {
		case got := <-told:
			if got == version {
				return before
			}
			before += got + " "
		case <-time.After(20 * time.Second):
			t.Fatalf("nobody told of %s", version)
		}
	}
}
