package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// refusal is a PUT that is answered before its body is read.
type refusal struct {
	Name    string            `json:"name"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Status  int               `json:"status"`
	Says    string            `json:"says"`
}

// refusing is a server and, below its address, all that it refuses of a body
// of 2 MiB or more.
func refusing(t *testing.T) (server string, refusals []refusal) {
	t.Helper()
	server = startServer(t, "--trusted-proxies=127.0.0.1,::1", "--rate-limit-anonymous=1/86400", "--stall-timeout=1s")
	p := &ciProject{t: t, url: server + "/api/v4"}
	project := func(form url.Values) string {
		return fmt.Sprint(p.do("POST", "/projects", form, 201)["id"])
	}
	open := project(url.Values{"name": {"open"}, "visibility": {"public"}})
	hidden := project(url.Values{"name": {"hidden"}, "visibility": {"private"}})
	strict := project(url.Values{"name": {"strict"}, "generic_duplicates_allowed": {"false"}})
	small := project(url.Values{"name": {"small"}, "generic_packages_max_file_size": {"1048576"}})
	p.do("PUT", "/projects/"+strict+"/packages/generic/p/1.0.0/f.bin", nil, 201)
	user := fmt.Sprint(p.do("POST", "/users", url.Values{"username": {"jo"}, "name": {"Jo"}, "email": {"jo@example.com"}, "force_random_password": {"true"}}, 201)["id"])
	token := func(scope string) string {
		return p.do("POST", "/users/"+user+"/personal_access_tokens", url.Values{"name": {scope}, "scopes[]": {scope}}, 201)["token"].(string)
	}
	jo, reader := token("api"), token("read_api")
	const limited = "192.0.2.9" // has had its one request
	add := func(name, project, file, token, from string, status int, says string, more ...string) {
		headers := map[string]string{"PRIVATE-TOKEN": token, "X-Forwarded-For": from}
		for i := 0; i < len(more); i += 2 {
			headers[more[i]] = more[i+1]
		}
		refusals = append(refusals, refusal{name, "/api/v4/projects/" + project + "/packages/generic/p/1.0.0/" + file, headers, status, says})
	}
	add("wrong token", open, "f.bin", "wrong", "{fresh}", 401, "401 Unauthorized")
	add("rate limit", open, "f.bin", "wrong", limited, 429, "Retry later")
	add("scope", open, "f.bin", reader, "{fresh}", 403, "insufficient_scope")
	add("forbidden", open, "f.bin", jo, "{fresh}", 403, "403 Forbidden")
	add("hidden", hidden, "f.bin", jo, "{fresh}", 404, "404 Not Found")
	add("duplicate", strict, "f.bin", ciToken, "{fresh}", 400, "Duplicate package is not allowed")
	add("file name", open, "f%20.bin", ciToken, "{fresh}", 400, "file_name is invalid")
	add("too large", small, "f.bin", ciToken, "{fresh}", 400, "File is too large")
	add("range", open, "f.bin", ciToken, "{fresh}", 400, "Content-Range", "Content-Range", "bytes 5-9/10")
	spend(t, server, limited)
	return server, refusals
}

// spend is an address's one request without a credential.
func spend(t *testing.T, server, address string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/api/v4/version", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", address)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// uploads are made by a client through a proxy; each must be answered as the
// refusal says.
func uploads(t *testing.T, client string, tries int, file, base string, refusals []refusal) {
	t.Helper()
	below := make([]refusal, len(refusals))
	for i, r := range refusals {
		r.URL = base + r.URL
		below[i] = r
	}
	cases, err := json.Marshal(below)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "clients/refusals.py", client, fmt.Sprint(tries), file)
	cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*")
	cmd.Stdin = bytes.NewReader(cases)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	t.Log(strings.TrimSpace(string(text)))
}

// body is a file of so many bytes.
func body(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

// A refusal reaches whoever sends a large file all the same, through what lies
// between, and so does the 408 of a line that was dead for a while.
func TestRefusalsReachClients(t *testing.T) {
	t.Parallel()
	tries, size := 2, int64(16<<20)
	ways := []string{"nginx", "nginx that buffers", "haproxy"}
	clients := []string{"http.client", "urllib", "wget"}
	if full() {
		tries, size = 50, 60<<20
		ways = append(ways, "direct", "varnish")
		clients = append(clients, "curl", "ansible")
	}
	server, refusals := refusing(t)
	file := body(t, size)
	stalled := refusals[5]
	stalled.URL = strings.Replace(stalled.URL, "f.bin", "stalled.bin", 1) // would be published
	stalled.Name, stalled.Status, stalled.Says = "stalled", http.StatusRequestTimeout, "408 Request Timeout"
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			base := proxies[way](t, host(t, server))
			for _, client := range clients {
				t.Run(client, func(t *testing.T) { uploads(t, client, tries, file, base, refusals) })
			}
			if way == "nginx that buffers" { // it asks nothing of us before it has the whole body
				return
			}
			t.Run("stalling", func(t *testing.T) { uploads(t, "stalling", tries, file, base, []refusal{stalled}) })
		})
	}
}
