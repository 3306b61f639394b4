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

// open without arguments opens the first page of the server, signed in if the server makes a
// link for the token. A token that has ended is an error; nobody gets the page as it is.
func TestOpenFirstPage(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the opener here is xdg-open")
	}
	for _, root := range []string{"", "/granary"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Granary-Features", "pages")
			switch {
			case r.Header.Get("Private-Token") != "secret":
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprint(w, `{"message":"401 Unauthorized"}`)
			case r.Method == http.MethodPost && r.URL.Path == root+"/api/v4/user/sign_in_links":
				w.WriteHeader(http.StatusCreated)
				fmt.Fprintf(w, `{"url":"http://%s%s/-/sign_in/link#gnsl-code","expires_at":"2031-01-02T03:04:05.000Z"}`, r.Host, root)
			default:
				fmt.Fprint(w, `{}`)
			}
		}))
		server := s.URL + root
		for token, want := range map[string]string{
			"secret": server + "/-/sign_in/link?to=" + strings.ReplaceAll(root+"/", "/", "%2F") + "#gnsl-code", "": server + "/", "ended": "",
		} {
			dir := t.TempDir()
			opened := filepath.Join(dir, "opened")
			write(t, filepath.Join(dir, "xdg-open"), "#!/bin/sh\nprintf %s \"$1\" > "+opened+"\n")
			if err := os.Chmod(filepath.Join(dir, "xdg-open"), 0o700); err != nil { //nolint:gosec // a program
				t.Fatal(err)
			}
			t.Setenv("PATH", dir+":/usr/bin:/bin")
			environ := []string{"HOME=" + dir, "PATH=" + dir + ":/usr/bin:/bin", "GRANARY_SERVER=" + server, "GRANARY_TOKEN=" + token}
			code, _, stderr := run(t, environ, "open")
			got, err := os.ReadFile(opened)
			if string(got) != want || (code == 0) != (want != "") || (err == nil) != (want != "") {
				t.Errorf("%s, token %q: code %d, opened %q, want %q: %s", server, token, code, got, want, stderr)
			}
			if code, printed, _ := run(t, environ, "open", "--print"); code != 0 || printed != server+"/\n" {
				t.Errorf("%s, token %q: --print has code %d and prints %q", server, token, code, printed)
			}
			if code, printed, _ := run(t, environ, "open", "--json"); code != 0 || !strings.Contains(printed, server+"/") || strings.Contains(printed, "project") {
				t.Errorf("%s, token %q: --json has code %d and prints %q", server, token, code, printed)
			}
		}
		s.Close()
	}
}

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
