package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

// readme uses what Markdown can do, and what pages take from it.
const readme = "# sonde\n\nAsks services how they are. ![badge](https://elsewhere.example/badge.svg)\n\n### Options\n\n- `--parallel` *says* how many\n- [x](https://elsewhere.example)\n\n1. one\n\n> quote\n\n```sh\nsonde " +
	"--a-very-long-line-of-code --a-very-long-line-of-code --a-very-long-line-of-code --a-very-long-line-of-code\n```\n\n| option | | what it does, in many words that need some room |\n|--:|---|:-:|\n| a | b | c |\n\n<script>alert(1)</script>\n\n[own](LICENSE) [none](none.md)\n"

// publishSonde gives root/demo a version with a README and files of several systems.
func publishSonde(t *testing.T, server string) {
	t.Helper()
	for name, content := range map[string]string{
		"README.md": readme, "LICENSE": "MIT", "sonde_2.4.1_linux_amd64.tar.gz": "linux", "sonde_2.4.1_windows_amd64.zip": "windows",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server+"/api/v4/projects/root%2Fdemo/packages/generic/sonde/2.4.1/"+name, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("PRIVATE-TOKEN", ciToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusCreated {
			t.Fatalf("%v, %v", resp, err)
		}
	}
}

// TestPagesAreClean: axe, the console, the budget of the first view, and the width, of each
// page as an administrator sees it.
func TestPagesAreClean(t *testing.T) {
	server := startServer(t)
	publishSonde(t, server)
	p := newTab(t, server)
	p.open("/-/sign_in")
	p.signIn(ciToken)
	p.until(`!!document.querySelector("nav.who .face")`)
	for name, path := range map[string]string{
		"home": "/", "explore": "/-/explore", "projects": "/-/projects", "groups": "/-/groups", "help": "/-/help", "help-api": "/-/help/api",
		"profile": "/-/user/profile", "tokens": "/-/user/tokens", "sessions": "/-/user/sessions", "events": "/-/user/events",
		"packages": "/root/demo", "upload": "/root/demo/-/packages/new", "setup": "/root/demo/-/packages/setup",
		"package": "/root/demo/-/packages/generic/sonde", "version": "/root/demo/-/packages/generic/sonde/2.4.1", "search": "/-/search?search=sonde",
		"releases": "/root/demo/-/releases", "jobs": "/root/demo/-/jobs", "audit": "/root/demo/-/audit",
		"missing": "/root/none",
		"admin":   "/-/admin", "admin-users": "/-/admin/users", "admin-features": "/-/admin/features", "admin-settings": "/-/admin/settings", "admin-tasks": "/-/admin/tasks", "admin-audit": "/-/admin/audit",
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.open(path)
			if name == "missing" {
				p.answered(http.StatusNotFound)
			} else {
				p.answered(http.StatusOK)
			}
			p.fits(name)
			p.inspect(name)
		})
	}
}
