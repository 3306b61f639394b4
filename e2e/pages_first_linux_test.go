package e2e_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"granary/e2e"
	"granary/internal/cli"
)

// firstStart is `granary serve` at a terminal for the first time. It returns the link that
// is shown there, and the data directory.
func firstStart(t *testing.T) (server, link, data string) {
	t.Helper()
	data = t.TempDir()
	screen, tty, err := e2e.OpenTerminal()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	env := cli.Env{
		Args: []string{"serve", "--listen=127.0.0.1:0", "--data-dir", data}, Environ: []string{"GRANARY_DISK_RESERVE=0"},
		Stdin: strings.NewReader(""), Stdout: tty, Stderr: io.Discard,
	}
	go func() { ended <- cli.Main(t.Context(), env) }()
	t.Cleanup(func() { // t.Context is done by now
		if code := <-ended; code != 0 {
			t.Errorf("the server ended with exit code %d", code)
		}
		_, _ = tty.Close(), screen.Close()
	})
	for lines := bufio.NewScanner(screen); lines.Scan(); {
		if m := regexp.MustCompile(`sign in +((http://[^/]+)/-/sign_in/link\S*#\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, screen) }()
			return m[2], m[1], data
		}
	}
	t.Fatal("no link is shown")
	return "", "", ""
}

// TestPagesFirstStart: the link of the first start leads to the demo project, whose empty
// page takes a dropped file. With a token made in the browser, the version's commands
// install that file.
func TestPagesFirstStart(t *testing.T) {
	server, link, data := firstStart(t)
	p := newTab(t, server)
	p.open(strings.TrimPrefix(link, server))
	p.until(`document.activeElement.matches("button.go") && document.activeElement.textContent == "Sign in" && location.hash == ""`)
	p.click("button.go")
	p.at("/root/demo")
	p.sees("No packages yet")
	p.inspect("packages-empty")

	file := filepath.Join(t.TempDir(), "sonde_2.4.1_linux_amd64.tar.gz")
	if out, err := exec.Command("tar", "-czf", file, "pages_test.go").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	digest := sumOf(t, file)
	p.drop(".drop", file)
	p.until(`document.querySelector("[name=version]").value == "2.4.1"`)
	p.press("Publish")
	page := "/root/demo/-/packages/generic/sonde/2.4.1"
	p.at(page)
	if shown := p.texts("td .digest span"); len(shown) != 1 || shown[0] != digest[:12]+"…" || !p.has(`td .digest [title="`+digest+`"]`) {
		t.Errorf("the page shows %q, sha256sum says %s", shown, digest)
	}

	p.open("/-/user/tokens")
	p.fill("name", "laptop")
	p.press("Make the token")
	token := p.secret()
	p.inspect("tokens-made")
	roots, err := os.ReadFile(filepath.Join(data, "initial_root_token"))
	if err != nil {
		t.Fatal(err)
	}
	api := &ciProject{t: t, url: server + "/api/v4", token: strings.TrimSpace(string(roots))}
	p.open(page)
	p.installAll(t, api, filepath.Base(file), digest, token)

	api.do("PUT", "/projects/root%2Fdemo", map[string][]string{"visibility": {"public"}}, 200)
	anyone := newTab(t, server)
	anyone.open(page)
	if text := strings.Join(anyone.texts(".snips .code pre"), "\n"); strings.Contains(text, "PRIVATE-TOKEN") || strings.Contains(text, "GRANARY_TOKEN") {
		t.Errorf("commands for everyone ask for a token:\n%s", text)
	}
	anyone.installAll(t, api, filepath.Base(file), digest, "")
	download := value(anyone, chromedp.Evaluate[string](`document.querySelector("a.icon[href]").href`))
	if status := api.curl(download); status != "200" {
		t.Errorf("the link of the file answers %s", status)
	}
}
