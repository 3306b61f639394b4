package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// TestToolsFetch publishes and installs with tools that nobody here wrote.
func TestToolsFetch(t *testing.T) {
	t.Parallel()
	p := &ciProject{t: t, url: startServer(t) + "/api/v4"}
	p.do("POST", "/projects", url.Values{"name": {"tools"}, "visibility": {"public"}}, 201)
	files := p.url + "/projects/root%2Ftools/packages/generic/app/"
	before := make([]byte, 8<<20)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(before)
	after := bytes.Clone(before) // with other bytes in places, and some in between
	for at := 1 << 20; at < len(after); at += 2 << 20 {
		_, _ = source.Read(after[at : at+3000])
	}
	after = bytes.Join([][]byte{after[:3<<20], []byte("a new part"), after[3<<20:]}, nil)

	t.Run("wget", func(t *testing.T) { wgetResumes(t, files+"1.0.0/app.bin", after) })
	t.Run("loops", func(t *testing.T) { loopsFetch(t, files+"4.0.0/tool.tar.gz", after) })
	t.Run("zsync", func(t *testing.T) { zsyncUpdates(t, files+"2.0.0/", before, after) })
	t.Run("ansible", func(t *testing.T) { ansibleInstalls(t, files+"3.0.0/app.bin", after) })
}

// loopsFetch runs the loops that docs/clients.md shows: for a file that is not there, for
// half of one, and for one that is whole. Each ends with 0 and leaves the whole file, and
// where there is nothing to fetch, none ends so.
func loopsFetch(t *testing.T, address string, content []byte) {
	put(t, address, content)
	page, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	loops := regexp.MustCompile(`(?m)^    (for attempt in .*\b(curl|wget) .*)$`).FindAllStringSubmatch(string(page), -1)
	if len(loops) != 2 {
		t.Fatalf("%d loops", len(loops))
	}
	for _, loop := range loops {
		tool(t, loop[2])
		for _, there := range []int{0, len(content) / 2, len(content)} {
			dir := t.TempDir()
			file := filepath.Join(dir, "tool.tar.gz")
			if there > 0 {
				if err := os.WriteFile(file, content[:there], 0o600); err != nil {
					t.Fatal(err)
				}
			}
			use(t, dir, "env", "TOKEN="+ciToken, "URL="+address, "sh", "-ec", loop[1])
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: %d bytes with %d there before, %v", loop[2], len(got), there, err)
			}
		}
		cmd := exec.CommandContext(t.Context(), "env", "TOKEN="+ciToken, "URL="+address+".none", "NO_PROXY=*", "sh", "-c", loop[1])
		cmd.Dir = t.TempDir()
		if err := cmd.Run(); err == nil {
			t.Errorf("%s ends with 0 where there is no file", loop[2])
		}
	}
}

// use runs a tool in a directory and returns what it printed.
func use(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, name), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*", "HOME="+dir, "ANSIBLE_NOCOLOR=1")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	return string(text)
}

func put(t *testing.T, address string, content []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Private-Token", ciToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("PUT %s: %s", address, resp.Status)
	}
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, dir, name string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %v, %d bytes that are not the %d published", name, err, len(got), len(want))
	}
}

// wgetResumes publishes with wget, and goes on with half of a download.
func wgetResumes(t *testing.T, address string, content []byte) {
	dir := t.TempDir()
	write(t, dir, "source", content)
	use(t, dir, "wget", "--no-config", "--output-document=-", "--method=PUT", "--body-file=source", "--header=PRIVATE-TOKEN: "+ciToken, address)
	write(t, dir, "app.bin", content[:len(content)/2])
	told := use(t, dir, "wget", "--no-config", "--continue", "--server-response", address)
	holds(t, dir, "app.bin", content)
	if !regexp.MustCompile(`HTTP/1\.1 206 `).MatchString(told) {
		t.Errorf("it fetched all of it:\n%s", told)
	}
}

// zsyncUpdates completes an older file with what has changed.
func zsyncUpdates(t *testing.T, files string, before, after []byte) {
	dir := t.TempDir()
	write(t, dir, "app.bin", after)
	use(t, dir, "zsyncmake", "-u", files+"app.bin", "-o", "app.bin.zsync", "app.bin")
	control, err := os.ReadFile(filepath.Join(dir, "app.bin.zsync"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, files+"app.bin", after)
	put(t, files+"app.bin.zsync", control)
	write(t, dir, "old", before)
	told := use(t, dir, "zsync", "-i", "old", "-o", "new", files+"app.bin.zsync")
	holds(t, dir, "new", after)
	m := regexp.MustCompile(`used (\d+) local, fetched (\d+)`).FindStringSubmatch(told)
	if m == nil {
		t.Fatalf("it does not say what it fetched:\n%s", told)
	}
	if fetched, err := strconv.Atoi(m[2]); err != nil || fetched == 0 || fetched > len(after)/10 {
		t.Errorf("it fetched %s of %d bytes", m[2], len(after))
	}
	t.Log(m[0])
}

const ansiblePlay = `
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.uri: {url: "{{ address }}", method: PUT, src: "{{ dir }}/source", remote_src: true, headers: {PRIVATE-TOKEN: "{{ token }}"}, status_code: 201}
    - ansible.builtin.get_url: {url: "{{ address }}", dest: "{{ dir }}/app.bin", checksum: "sha256:{{ digest }}", mode: "0600"}
    - ansible.builtin.get_url: {url: "{{ address }}", dest: "{{ dir }}/app.bin", checksum: "sha256:{{ digest }}", mode: "0600"}
      register: again
      failed_when: again.changed
`

func ansibleInstalls(t *testing.T, address string, content []byte) {
	dir := t.TempDir()
	digest := sha256.Sum256(content)
	told, err := json.Marshal(map[string]string{"address": address, "dir": dir, "token": ciToken, "digest": hex.EncodeToString(digest[:])})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "source", content)
	write(t, dir, "play.yml", []byte(ansiblePlay))
	write(t, dir, "vars.json", told)
	use(t, dir, "ansible-playbook", "-i", "localhost,", "-e", "@vars.json", "play.yml")
	holds(t, dir, "app.bin", content)
}
