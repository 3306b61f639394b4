package cli

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// A refusal says what to do next, by what was shown and who answered.
func TestAdvice(t *testing.T) {
	t.Chdir(t.TempDir())
	var status int
	var kind, body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	const json, html = "application/json", "text/html"
	for _, tt := range []struct {
		project    string
		token      string
		status     int
		kind, body string
		want       string // in the advice
		never      string
	}{
		{"p/q", "t", 401, json, `{"message":"401 Unauthorized"}`, "does not know this access token: it has expired, was revoked, or belongs to another server", "%2F"},
		{"p/q", "", 401, json, `{"message":"401 Unauthorized"}`, "the server wants a token: set GRANARY_TOKEN", "revoked"},
		{"p/q", "gldt-x", 403, json, `{"message":"403 Forbidden"}`, "a deploy token can publish files, and download files by name", "whoami"},
		{"p/q", "gldt-x", 404, json, `{"message":"404 Project Not Found"}`, "it cannot read lists", "%2F"},
		{"p/q", "t", 404, json, `{"message":"404 Project Not Found"}`, "p/q does not exist, or is not visible to this token", "%2F"},
		{"p/q", "t", 404, json, `{"error":"404 Not Found"}`, "a slash as %2F, and a proxy on the way seems to unescape it", "whoami"},
		{"p/q", "t", 404, html, "<html>nginx</html>", "AllowEncodedSlashes NoDecode", "whoami"},
		{"p/q", "t", 400, html, "<html>Bad Request</html>", "may refuse that, if nothing else is wrong with it", "seems to"},
		{"p/q", "t", 400, html, "<html>Bad Request</html>", "name the project by its id", ""},
		{"p/q", "t", 404, json, `{"message":"404 Package Not Found"}`, "404 Not Found: Package Not Found", "p/q does not exist"},
		{"p/q", "", 404, json, `{"message":"404 Project Not Found"}`, "p/q does not exist, or is not visible without a token", "whose it is"},
		{"p/q", "t", 400, json, `{"error":"page is invalid"}`, "page is invalid", "%2F"},
		{"7", "t", 404, json, `{"error":"404 Not Found"}`, "7 does not exist", "%2F"},
	} {
		status, kind, body = tt.status, tt.kind, tt.body
		_, _, stderr := run(t, []string{"GRANARY_SERVER=" + server.URL, "GRANARY_TOKEN=" + tt.token}, "ls", tt.project)
		if !strings.Contains(stderr, tt.want) || tt.never != "" && strings.Contains(stderr, tt.never) {
			t.Errorf("%+v:\n%s", tt, stderr)
		}
	}
}

// A refusal behind a redirect is that of who was shown no token, and blames none.
func TestAdviceBehindRedirect(t *testing.T) {
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Private-Token"])+len(r.Header["Deploy-Token"]) > 0 {
			t.Error("the token was shown")
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>RequestTimeTooSkewed</Code></Error>")
	}))
	defer store.Close()
	var there string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, there+"/file?X-Amz-Signature=s", http.StatusFound)
	}))
	defer server.Close()
	there = store.URL
	for _, token := range []string{"t", "gldt-t", ""} {
		code, _, stderr := run(t, []string{"GRANARY_SERVER=" + server.URL, "GRANARY_TOKEN=" + token}, "ls", "p")
		if code != exitRefused || !strings.Contains(stderr, strings.TrimPrefix(store.URL, "http://")+", to which the server redirects, answered 403 Forbidden\ngranary: your token is not the reason") ||
			strings.Contains(stderr, "may not do this") || strings.Contains(stderr, "Signature") {
			t.Errorf("%q: exit code %d: %s", token, code, stderr)
		}
	}
}

// A token that is another server's is not shown, and the refusal says so.
func TestTokenOfAnotherServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Private-Token"])+len(r.Header["Job-Token"]) > 0 {
			t.Error("the token was shown")
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"message":"404 Project Not Found"}`)
	}))
	defer server.Close()
	for want, environ := range map[string][]string{
		"GRANARY_TOKEN was not sent: it belongs to the server of GRANARY_SERVER, https://other.example": {"GRANARY_SERVER=https://other.example", "GRANARY_TOKEN=t"},
		"CI_JOB_TOKEN was not sent: it belongs to the server of CI_API_V4_URL, https://ci.example":      {"CI_API_V4_URL=https://ci.example", "CI_JOB_TOKEN=t"},
	} {
		for _, args := range [][]string{{"ls", "p"}, {"whoami"}} {
			if _, _, stderr := run(t, environ, append(args, "--server", server.URL)...); !strings.Contains(stderr, want) {
				t.Errorf("%s: %s", args, stderr)
			}
		}
	}
}

// A private authority is named by a flag or a variable; until then the error says
// how.
func TestPrivateAuthority(t *testing.T) {
	t.Chdir(t.TempDir())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[]`) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that must fail
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, text := range map[string][]byte{"ca.pem": ca, "none.pem": []byte("none")} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		environ, flag string
		code          int
		stderr        string
	}{
		{"", "", 1, "name the PEM file of its certificate with --ca-cert or GRANARY_CA_CERT (in CI jobs CI_SERVER_TLS_CA_FILE)"},
		{"", "--ca-cert=ca.pem", 0, ""},
		{"GRANARY_CA_CERT=ca.pem", "", 0, ""},
		{"CI_SERVER_TLS_CA_FILE=ca.pem", "", 0, ""},
		{"GRANARY_CA_CERT=none.pem", "--ca-cert=ca.pem", 0, ""},
		{"GRANARY_CA_CERT=none.pem", "", 2, "GRANARY_CA_CERT: there is no certificate in PEM in none.pem"},
		{"", "--ca-cert=absent.pem", 2, "--ca-cert: open absent.pem: no such file"},
		{"CI_SERVER_TLS_CA_FILE=absent.pem", "", 1, "--ca-cert"},
	} {
		args := []string{"ls", "p", "--quiet", "--server=" + server.URL}
		if tt.flag != "" {
			args = append(args, tt.flag)
		}
		code, _, stderr := run(t, []string{tt.environ}, args...)
		if code != tt.code || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
			t.Errorf("%+v: exit %d, %s", tt, code, stderr)
		}
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	if _, _, stderr := run(t, nil, "ls", "p", "--server="+strings.Replace(plain.URL, "http", "https", 1)); !strings.Contains(stderr, "speaks plain HTTP") {
		t.Error(stderr)
	}
}
