package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// open signs the browser in if the server makes a link for the token, and opens the page as
// it is otherwise. It prints no link, also if no browser can be started.
func TestOpenSignsIn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the opener here is xdg-open")
	}
	for name, tt := range map[string]struct {
		features, link string // SERVER stands for the server
		status         int
		want           string // what the browser gets
		asked          bool
	}{
		"granary":                 {"drafts, pages", "SERVER/-/sign_in/link#gnsl-code", 201, "SERVER/-/sign_in/link?to=%2Facme%2Ftool#gnsl-code", true},
		"a token that may not":    {"pages", "", 403, "SERVER/acme/tool", true},
		"a link to elsewhere":     {"pages", "https://example.com/-/sign_in/link#gnsl-code", 201, "SERVER/acme/tool", true},
		"granary without pages":   {"drafts", "", 404, "SERVER/acme/tool", false},
		"another server, such as": {"", "", 404, "SERVER/acme/tool", false},
	} {
		asked := false
		var s *httptest.Server
		s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tt.features != "" {
				w.Header().Set("X-Granary-Features", tt.features)
			}
			if r.Method == http.MethodPost && r.URL.Path == "/api/v4/user/sign_in_links" && r.Header.Get("Private-Token") == "secret" {
				asked = true
				w.WriteHeader(tt.status)
				fmt.Fprintf(w, `{"url":%q,"expires_at":"2031-01-02T03:04:05.000Z"}`, strings.ReplaceAll(tt.link, "SERVER", s.URL))
				return
			}
			fmt.Fprintf(w, `{"id":1,"path_with_namespace":"acme/tool","web_url":%q}`, s.URL+"/acme/tool")
		}))
		dir := t.TempDir()
		opened := filepath.Join(dir, "opened")
		write(t, filepath.Join(dir, "xdg-open"), "#!/bin/sh\nprintf %s \"$1\" > "+opened+"\n")
		if err := os.Chmod(filepath.Join(dir, "xdg-open"), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
		t.Setenv("PATH", dir+":/usr/bin:/bin")
		environ := []string{"HOME=" + dir, "PATH=" + dir + ":/usr/bin:/bin", "GRANARY_SERVER=" + s.URL, "GRANARY_TOKEN=secret"}
		code, stdout, stderr := run(t, environ, "open", "acme/tool")
		got, err := os.ReadFile(opened)
		if want := strings.ReplaceAll(tt.want, "SERVER", s.URL); code != 0 || err != nil || string(got) != want || asked != tt.asked {
			t.Errorf("%s: code %d, %v, opened %q, want %q; asked for a link: %v\n%s", name, code, err, got, want, asked, stderr)
		}
		asked = false
		t.Setenv("PATH", t.TempDir())
		code, out, failed := run(t, environ, "open", "acme/tool")
		if code == 0 || !strings.Contains(failed, s.URL+"/acme/tool") {
			t.Errorf("%s: without a browser, code %d: %s", name, code, failed)
		}
		asked = false
		_, printed, _ := run(t, environ, "open", "--print", "acme/tool")
		if printed != s.URL+"/acme/tool\n" || asked {
			t.Errorf("%s: --print prints %q; asked for a link: %v", name, printed, asked)
		}
		if strings.Contains(stdout+stderr+out+failed+printed, "gnsl-") {
			t.Errorf("%s: a link is printed: %s", name, stdout+stderr+out+failed)
		}
		s.Close()
	}
}
