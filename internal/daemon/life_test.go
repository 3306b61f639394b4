package daemon

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"granary/dev/servers"
	"granary/internal/eventually"
)

func TestProbesAndMetrics(t *testing.T) {
	url, stop := serveHere(t, []string{asRoot}, "--data-dir="+t.TempDir())
	defer stop()
	if _, body := ask(t, "GET", url+"/-/metrics", nil); !strings.Contains(body, `granary_nodes{version="test"} 1`) {
		t.Errorf("the first answer counts no nodes:\n%s", body)
	}
	for _, path := range []string{"/-/liveness", "/-/readiness"} {
		if resp, body := ask(t, "GET", url+path, nil); resp.StatusCode != http.StatusOK || body != `{"status":"ok"}` {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	ask(t, "PUT", url+demoFiles+"a/1.0.0/a", strings.NewReader("a"))
	_, body := ask(t, "GET", url+"/-/metrics", nil)
	for _, want := range []string{
		`granary_http_requests_total{method="PUT",route="/api/v4/projects/{id}/packages/generic/{name}/{version}/{file...}",status="2xx"} 1`,
		`granary_http_requests_total{method="GET",route="/-/readiness",status="2xx"} 1`,
		"process_open_fds ", "go_goroutines ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in\n%s", want, body)
		}
	}
	for _, path := range []string{"/-/liveness", "/-/readiness", "/-/metrics", "/-/none"} {
		if resp, _ := ask(t, "GET", url+path, nil); resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s has no nosniff: %v", path, resp.Header)
		}
	}
}

// Links repeat only hosts that the settings name; of others the log warns once.
func TestTrustedHosts(t *testing.T) {
	server, url := start(t, "--data-dir="+t.TempDir(), "--trusted-hosts=packages.example.com")
	for host, want := range map[string]string{"packages.example.com": "http://packages.example.com/root/demo", "evil.example": url + "/root/demo", "worse.example": url + "/root/demo"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/api/v4/projects/root%2Fdemo", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		req.Header.Set("Private-Token", rootToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var project struct {
			WebURL string `json:"web_url"`
		}
		if err := errors.Join(json.NewDecoder(resp.Body).Decode(&project), resp.Body.Close()); err != nil || project.WebURL != want {
			t.Errorf("called as %s it says %q, want %s; %v", host, project.WebURL, want, err)
		}
	}
	server.terminate(t, 20*time.Second)
	if log := server.logged(); strings.Count(log, "by an unknown name") != 1 || !strings.Contains(log, "evil.example") && !strings.Contains(log, "worse.example") {
		t.Errorf("want one warning of the name in\n%s", log)
	}
}

// A user who writes without end gets 429, which the metrics show; an administrator
// does not.
func TestRateOfWrites(t *testing.T) {
	url, stop := serveHere(t, []string{asRoot}, "--data-dir="+t.TempDir(), "--rate-limit-writes=2/86400")
	defer stop()
	const users = "/api/v4/users"
	for range 3 {
		ask(t, "POST", url+users+"?username=ada&name=Ada&email=ada@example.com&force_random_password=true", nil)
	}
	_, body := ask(t, "POST", url+users+"/2/personal_access_tokens?name=t&scopes[]=api", nil)
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || made.Token == "" {
		t.Fatalf("%s, %v", body, err)
	}
	for i, want := range []int{http.StatusBadRequest, http.StatusBadRequest, http.StatusTooManyRequests} {
		if resp, body := ask(t, "POST", url+"/api/v4/projects", nil, "Private-Token", made.Token); resp.StatusCode != want {
			t.Errorf("write %d: %s %s", i, resp.Status, body)
		}
	}
	_, body = ask(t, "GET", url+"/-/metrics", nil)
	if want := `granary_throttled_requests_total{throttle="throttle_writes"} 1`; !strings.Contains(body, want) {
		t.Errorf("%s is not in\n%s", want, body)
	}
}

// Metrics are for this machine unless the settings open them; who comes through a
// proxy is not on this machine. An address of their own serves nothing else, to
// whomever it reaches.
func TestWhoSeesMetrics(t *testing.T) {
	address, err := servers.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		settings       []string
		plain, proxied int
	}{
		{nil, 200, 403},
		{[]string{"--metrics=loopback"}, 200, 403},
		{[]string{"--metrics=on"}, 200, 200},
		{[]string{"--metrics=true"}, 200, 200},
		{[]string{"--metrics=off"}, 404, 404},
		{[]string{"--metrics=false", "--metrics-listen=" + address}, 404, 404},
	} {
		t.Run(strings.Join(tc.settings, " "), func(t *testing.T) {
			url, stop := serveHere(t, nil, append(tc.settings, "--data-dir="+t.TempDir())...)
			defer stop()
			check := func(want int, url string, header ...string) {
				t.Helper()
				resp, body := ask(t, "GET", url, nil, header...)
				if shown := strings.Contains(body, "granary_http_requests_total"); resp.StatusCode != want || shown != (want == 200) {
					t.Errorf("%s %q: %s %.200s, want %d", url, header, resp.Status, body, want)
				}
			}
			ask(t, "GET", url+"/-/liveness", nil) // what is counted
			check(tc.plain, url+"/-/metrics")
			for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"} {
				check(tc.proxied, url+"/-/metrics", name, "127.0.0.1")
				check(tc.proxied, url+"/-/metrics", name, "")
			}
			if len(tc.settings) > 1 {
				check(200, "http://"+address+"/-/metrics", "X-Forwarded-For", "203.0.113.7")
				check(404, "http://"+address+"/-/liveness")
			}
		})
	}
}

// Another machine's address is not this one, however it is written.
func TestFromThisMachine(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:5": true, "127.9.9.9:5": true, "[::1]:5": true, "[::ffff:127.0.0.1]:5": true,
		"10.0.0.1:5": false, "[fe80::1%eth0]:5": false, "[::ffff:10.0.0.1]:5": false, "0.0.0.0:5": false, "@": false, "": false,
	} {
		if got := fromThisMachine(&http.Request{RemoteAddr: address}); got != want {
			t.Errorf("%q: %v, want %v", address, got, want)
		}
	}
}

// Not ready is a 503 that says what is wrong, and alive all the same. What is
// cured is ready again.
func TestNotReady(t *testing.T) {
	data := t.TempDir()
	url, stop := serveHere(t, nil, "--data-dir="+data)
	defer stop()
	blobs := filepath.Join(data, "blobs", strings.Repeat("0", 2))
	if err := os.Rename(blobs, blobs+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blobs, nil, 0o600); err != nil { // in the place of a folder
		t.Fatal(err)
	}
	resp, body := ask(t, "GET", url+"/-/readiness", nil)
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "the blob store does not answer") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, _ := ask(t, "GET", url+"/-/liveness", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("liveness: %s", resp.Status)
	}
	if err := errors.Join(os.Remove(blobs), os.Rename(blobs+".away", blobs)); err != nil {
		t.Fatal(err)
	}
	if resp, body := ask(t, "GET", url+"/-/readiness", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("%s %s", resp.Status, body)
	}
}

// After SIGTERM nothing new is accepted; the upload and the download that were
// running come to their ends, and the server ends with exit code 0.
func TestDrain(t *testing.T) {
	data := t.TempDir()
	server, url := start(t, "--data-dir="+data)
	large := bytes.Repeat([]byte("0123456789abcdef"), 2<<20) // 32 MiB: more than sockets hold
	if resp, body := ask(t, "PUT", url+demoFiles+"large/1.0.0/large", bytes.NewReader(large)); resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s", resp.Status, body)
	}

	req, err := http.NewRequestWithContext(t.Context(), "GET", url+demoFiles+"large/1.0.0/large", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Private-Token", rootToken)
	download, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer download.Body.Close()
	body, uploading := io.Pipe()
	uploaded := make(chan int, 1)
	go func() {
		defer close(uploaded) // ask ends this goroutine where the request fails
		resp, _ := ask(t, "PUT", url+demoFiles+"slow/1.0.0/slow", body)
		uploaded <- resp.StatusCode
	}()
	// More than sockets hold, so that the server is reading: a kept connection
	// that it has not heard from yet is idle to it, and is closed at once.
	if _, err := uploading.Write(large[:16<<20]); err != nil {
		t.Fatal(err)
	}

	ended := make(chan struct{})
	go func() { defer close(ended); server.terminate(t, 20*time.Second) }()
	eventually.Holds(t, "new connections are refused", func() bool {
		resp, err := http.Get(url + "/-/liveness")
		if err == nil {
			resp.Body.Close()
		}
		return err != nil
	})
	if got, err := io.ReadAll(download.Body); err != nil || !bytes.Equal(got, large) {
		t.Errorf("downloaded %d bytes, %v", len(got), err)
	}
	if _, err := uploading.Write(large[16<<20 : 20<<20]); err != nil {
		t.Error(err)
	}
	uploading.Close()
	if status := <-uploaded; status != http.StatusCreated {
		t.Errorf("the upload: %d", status)
	}
	<-ended

	url, stop := serveHere(t, nil, "--data-dir="+data)
	defer stop()
	if resp, got := ask(t, "GET", url+demoFiles+"slow/1.0.0/slow", nil); resp.StatusCode != http.StatusOK || got != string(large[:20<<20]) {
		t.Errorf("what was uploaded meanwhile: %s, %d bytes", resp.Status, len(got))
	}
}

// A transfer that does not come to an end is cut off in time, and that is an
// orderly end too.
func TestDrainIsBounded(t *testing.T) {
	data := t.TempDir()
	server, url := start(t, "--data-dir="+data, "--shutdown-timeout=200ms")
	body, uploading := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", url+demoFiles+"slow/1.0.0/slow", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Private-Token", rootToken)
	failed := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			err = errors.New(resp.Status)
		}
		failed <- err
	}()
	if _, err := uploading.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	server.terminate(t, 10*time.Second)
	uploading.Close() // the client waits for its own body before it tells
	if err := <-failed; err == nil || strings.HasPrefix(err.Error(), "2") {
		t.Errorf("the upload ended with %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(data, "blobs", "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left in tmp: %v %v", left, err)
	}
}

// No token is ever in the log, by whatever way it came and however the request
// ended.
func TestLogKeepsSecrets(t *testing.T) {
	server, url := start(t, "--data-dir="+t.TempDir(), "--log-level=debug")
	secrets := []string{rootToken, base64.StdEncoding.EncodeToString([]byte("u:" + rootToken))}
	send := func(method, path string, header ...string) {
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	for _, token := range []string{rootToken, "glpat-unknown-token-of-somebody"} {
		secrets = append(secrets, token, base64.StdEncoding.EncodeToString([]byte("u:"+token)))
		for _, path := range []string{
			demoFiles + "a/1.0.0/a", demoFiles + "a/bad/a", demoFiles + "a/1.0.0/", "/api/v4/projects/none/packages/generic/a/1.0.0/a",
			"/api/v4//x", "/api/v4/user", "/api/v4/nothing", "/-/readiness", "/api/v4/users",
		} {
			for _, method := range []string{"GET", "PUT", "POST", "BREW"} {
				for _, header := range []string{"Private-Token", "Job-Token", "Deploy-Token"} {
					send(method, path, header, token)
				}
				send(method, path, "Authorization", "Bearer "+token)
				send(method, path, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("u:"+token)))
				for _, parameter := range []string{"private_token", "job_token", "access_token", "token"} {
					send(method, path+"?"+parameter+"="+token)
				}
				send(method, path, "Private-Token", rootToken, "Sudo", token)
			}
		}
	}
	server.terminate(t, 10*time.Second)
	log := server.logged()
	if n := strings.Count(log, "msg=request"); n < 500 {
		t.Errorf("only %d requests were logged", n)
	}
	for _, secret := range secrets {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("in the log: %s", log[max(0, i-300):i+len(secret)])
		}
	}
}

// A full disk refuses what has no room, with 503 and Retry-After, and nothing
// else: what is there is served, and with space again files are taken as if
// nothing had been.
func TestDiskFull(t *testing.T) {
	t.Run("limit", func(t *testing.T) {
		// No file may grow beyond a few bytes: for whoever may not mount.
		server, url := start(t, "--data-dir="+t.TempDir())
		limit := func(bytes uint64) { limitFiles(t, server.cmd.Process.Pid, bytes) }
		testFull(t, url, func() { limit(1000) }, func() { limit(unix.RLIM_INFINITY) }, `"}`)
		server.terminate(t, 10*time.Second)
	})
	t.Run("tmpfs", func(t *testing.T) {
		dir := smallDisk(t, 8)
		server, url := start(t, "--data-dir="+filepath.Join(dir, "data"))
		filler := filepath.Join(dir, "filler")
		fill := func() { fillUp(t, filler) }
		empty := func() {
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			eventually.Holds(t, "ready with space again", func() bool {
				resp, _ := ask(t, "GET", url+"/-/readiness", nil)
				return resp.StatusCode == http.StatusOK
			})
		}
		testFull(t, url, fill, empty, " - no space left ")
		testTooLargeForDisk(t, url, filepath.Join(dir, "data", "blobs", "tmp"))
		server.terminate(t, 10*time.Second)
	})
}

func testFull(t *testing.T, url string, fill, empty func(), detail string) {
	t.Helper()
	old, small, large := strings.Repeat("old", 50_000), "small", strings.Repeat("large", 100_000)
	put := func(name, body string) (*http.Response, string) {
		return ask(t, "PUT", url+demoFiles+name+"/1.0.0/"+name, strings.NewReader(body))
	}
	get := func(name, want string) {
		t.Helper()
		if resp, got := ask(t, "GET", url+demoFiles+name+"/1.0.0/"+name, nil); resp.StatusCode != http.StatusOK || got != want {
			t.Errorf("GET %s: %s, %d bytes, want %d", name, resp.Status, len(got), len(want))
		}
	}
	if resp, body := put("old", old); resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s", resp.Status, body)
	}
	for round := range 2 {
		fill()
		if resp, body := ask(t, "GET", url+"/-/readiness", nil); round == 0 && (resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "granary admin sweep --now")) {
			t.Errorf("readiness of a full disk: %s %s", resp.Status, body)
		}
		for name, content := range map[string]string{"small": small, "large": large} {
			// The log may have room for a few more, as long as files are whole.
			var resp *http.Response
			var body string
			for range 2000 {
				if resp, body = put(name, content); resp.StatusCode != http.StatusCreated {
					break
				}
			}
			if want := `{"message":"503 Service Unavailable` + detail; resp.StatusCode != http.StatusServiceUnavailable ||
				resp.Header.Get("Retry-After") != "5" || !strings.HasPrefix(body, want) {
				t.Errorf("PUT %s: %s, Retry-After %q, %s, want %s", name, resp.Status, resp.Header.Get("Retry-After"), body, want)
			}
		}
		get("old", old)
		if resp, _ := ask(t, "GET", url+"/-/liveness", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("liveness: %s", resp.Status)
		}
		empty()
		for name, content := range map[string]string{"small": small, "large": large} {
			if resp, body := put(name, content); resp.StatusCode != http.StatusCreated {
				t.Errorf("PUT %s with space again: %s %s", name, resp.Status, body)
			}
			get(name, content)
		}
	}
}

// A file for which there is no room does not keep the room that there was.
func testTooLargeForDisk(t *testing.T, url, tmp string) {
	t.Helper()
	for range 3 {
		resp, body := ask(t, "PUT", url+demoFiles+"huge/1.0.0/huge", bytes.NewReader(make([]byte, 16<<20)))
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s %s", resp.Status, body)
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left in %s: %v %v", tmp, left, err)
	}
	if resp, body := ask(t, "PUT", url+demoFiles+"fits/1.0.0/fits", bytes.NewReader(make([]byte, 1<<20))); resp.StatusCode != http.StatusCreated {
		t.Errorf("%s %s", resp.Status, body)
	}
}
