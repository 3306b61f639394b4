package e2e_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestPagesHelpCommands runs the commands of the help page and of the page of a package
// whose name begins like an option, as they are shown, for a project.
func TestPagesHelpCommands(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	p := &ciProject{t: t, url: server + "/api/v4"}
	id := p.do("POST", "/groups", url.Values{"name": {"acme"}, "path": {"acme"}, "visibility": {"public"}}, 201)["id"].(float64)
	project := func(name string) string { // with what the commands install
		p.do("POST", "/projects", url.Values{"name": {name}, "namespace_id": {strconv.Itoa(int(id))}, "visibility": {"public"}}, 201)
		return "/projects/acme%2F" + name + "/packages/generic/"
	}
	dir := t.TempDir()
	run := func(command, in string) {
		t.Helper()
		command = strings.NewReplacer("GROUP/PROJECT", "acme/"+in, "GROUP%2FPROJECT", "acme%2F"+in).Replace(command)
		cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-c", command)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(ciToken+"\n") // what granary login reads
		cmd.Env = append(os.Environ(), "NO_PROXY=*", "GRANARY_TOKEN="+ciToken, "HOME="+dir)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, text)
		}
	}
	write(t, dir, "tool.tar.gz", []byte("a tool"))
	if err := os.Mkdir(filepath.Join(dir, "dist"), 0o750); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "dist/other.tar.gz", []byte("another tool"))
	blocks := commandsOf(t, server+"/-/help")
	if len(blocks) != 6 {
		t.Fatalf("the help page has %d blocks of commands, and the order below is of 6", len(blocks))
	}
	write(t, dir, "Makefile", []byte("release:\n\t"+strings.ReplaceAll(blocks[5], "$", "$$")+"\n")) // what the job of "granary ci run" does
	for i, command := range blocks[:5] {
		name := "p" + strconv.Itoa(i)
		below := project(name)
		if i == 2 || i == 3 { // they install
			p.do("PUT", below+"tool/1.0.0/tool.tar.gz", nil, 201)
		}
		run(command, name)
		if i == 4 {
			p.do("GET", below+"tool/1.0.0/tool.tar.gz", nil, 200)
		}
	}
	p.do("PUT", project("lead")+"-lead/1.0.0/f", nil, 201)
	for _, command := range commandsOf(t, server+"/acme/lead/-/packages/generic/-lead") {
		run(command, "lead")
	}
}

// commandsOf are the commands that a page shows to nobody.
func commandsOf(t *testing.T, address string) (blocks []string) {
	t.Helper()
	_, text := textAt(t, address)
	for _, m := range regexp.MustCompile(`(?s)<pre[^>]*>(.*?)</pre>`).FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, html.UnescapeString(m[1]))
	}
	if len(blocks) == 0 {
		t.Fatalf("%s shows no commands: %s", address, text)
	}
	return blocks
}

// textAt is what nobody in particular gets at an address, and its status.
func textAt(t *testing.T, address string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
