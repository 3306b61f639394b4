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
	"slices"
	"strings"
	"testing"
)

// refusal is an upload that is answered before its body is read, or in spite of it.
type refusal struct {
	Name    string            `json:"name"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Status  int               `json:"status"`
	Says    string            `json:"says"`
}

// refusing is a server below a path of its address, "" for none, and, below its
// address, all that it refuses of a body of 2 MiB or more.
func refusing(t *testing.T, path string) (server string, refusals []refusal) {
	t.Helper()
	address := freeAddress(t)
	flags := []string{"--listen=" + address, "--trusted-proxies=127.0.0.1,::1", "--rate-limit-anonymous=1/86400", "--stall-timeout=1s"}
	server = "http://" + address
	if path != "" {
		flags = append(flags, "--external-url="+server+path)
	}
	startServer(t, flags...)
	p := &ciProject{t: t, url: server + path + "/api/v4"}
	user := made(p.do("POST", "/users", url.Values{"username": {"jo"}, "name": {"Jo"}, "email": {"jo@example.com"}, "force_random_password": {"true"}}, 201))
	project := func(name string, more ...string) string {
		form := url.Values{"name": {name}, "visibility": {"public"}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		id := made(p.do("POST", "/projects", form, 201))
		p.do("PUT", "/projects/"+id+"/packages/generic/p/1.0.0/there.bin", nil, 201)
		return id
	}
	open, hidden := project("open"), project("hidden", "visibility", "private")
	strict, small := project("strict", "generic_duplicates_allowed", "false"), project("small", "generic_packages_max_file_size", "1048576")
	guarded := project("guarded")
	p.do("POST", "/projects/"+guarded+"/members", url.Values{"user_id": {user}, "access_level": {"30"}}, 201)
	p.do("POST", "/projects/"+guarded+"/packages/protection/rules",
		url.Values{"package_name_pattern": {"p"}, "package_type": {"generic"}, "minimum_access_level_for_push": {"maintainer"}}, 201)
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
		refusals = append(refusals, refusal{name, "PUT", "/api/v4/projects/" + project + "/packages/generic/p/1.0.0/" + file, headers, status, says})
	}
	add("wrong token", open, "f.bin", "wrong", "{fresh}", 401, "401 Unauthorized")
	add("rate limit", open, "f.bin", "wrong", limited, 429, "Retry later")
	add("scope", open, "f.bin", reader, "{fresh}", 403, "insufficient_scope")
	add("forbidden", open, "f.bin", jo, "{fresh}", 403, "403 Forbidden")
	add("protected", guarded, "f.bin", jo, "{fresh}", 403, "Package protected")
	add("hidden", hidden, "f.bin", jo, "{fresh}", 404, "404 Not Found")
	add("duplicate", strict, "there.bin", ciToken, "{fresh}", 400, "Duplicate package is not allowed")
	add("file name", open, "f%20.bin", ciToken, "{fresh}", 400, "file_name is invalid")
	add("too large", small, "f.bin", ciToken, "{fresh}", 400, "File is too large")
	add("range", open, "f.bin", ciToken, "{fresh}", 400, "Content-Range", "Content-Range", "bytes 5-9/10")
	add("digest", open, "f.bin", ciToken, "{fresh}", 400, "X-Checksum-Sha256 is invalid", "X-Checksum-Sha256", "abc")
	add("there already", open, "there.bin", ciToken, "{fresh}", 412, "412 Precondition Failed", "If-None-Match", "*")
	refusals = append(refusals, refusal{"attachment", "POST", "/api/v4/projects/" + open + "/uploads",
		map[string]string{"PRIVATE-TOKEN": "wrong", "X-Forwarded-For": "{fresh}", "Content-Type": "multipart/form-data; boundary=x"}, 401, "401 Unauthorized"})
	spend(t, server+path, limited)
	return server, refusals
}

// made is the id of what an answer says was made.
func made(answer map[string]any) string { return fmt.Sprint(answer["id"]) }

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
	tries, size := 1, int64(16<<20)
	ways := []string{"nginx", "nginx that buffers", "haproxy", "varnish", "direct"}
	clients := []string{"http.client", "chunks", "expecting", "urllib", "wget", "ansible"}
	if full() {
		tries, size = 50, 60<<20
		clients = append(clients, "curl")
	}
	server, refusals := refusing(t, "")
	file := body(t, size)
	at := slices.IndexFunc(refusals, func(r refusal) bool { return r.Name == "duplicate" })
	stalled := refusals[at]
	stalled.URL = strings.Replace(stalled.URL, "there.bin", "stalled.bin", 1) // would be published
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
	t.Run("nginx below a path", func(t *testing.T) {
		server, refusals := refusing(t, "/granary")
		base := nginx(t, documented(t, "location /granary/", host(t, server))) + "/granary"
		uploads(t, "urllib", tries, file, base, refusals)
	})
}
