package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A page for debugging that repeats the headers of a request does not make a command
// print its token, nor does the other side of a copy.
func TestTokenIsNotPrinted(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", r.Header.Get("Private-Token"))
		w.WriteHeader(http.StatusForbidden)
		text, _ := json.Marshal(r.Header)
		fmt.Fprintf(w, `{"message":{"headers":[%q]}}`, text)
	}))
	defer echo.Close()
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `[]`) }))
	defer empty.Close()
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, map[bool]string{true: `[{"id":1,"file_name":"a","size":1}]`, false: `[{"id":1,"name":"tool","version":"1.0.0","package_type":"generic","status":"default"}]`}[strings.HasSuffix(r.URL.Path, "/package_files")])
	}))
	defer full.Close()
	source := func(s *httptest.Server) string { return s.Listener.Addr().String() + "/acme/tools" }
	for _, args := range [][]string{
		{"ls", "acme/tools", "--server", echo.URL, "--token", "glpat-s3cr3t"},
		{"ls", "acme/tools", "--server", echo.URL, "--token", "glpat-s3cr3t", "--json"},
		{"ls", "acme/tools", "--server", echo.URL, "--token", "gldt-s3cr3t", "--verbose"},
		{"whoami", "--server", echo.URL, "--token", "glcbt-s3cr3t"},
		{"copy", source(echo), "tool", "--to", source(empty), "--token", "glpat-s3cr3t", "--to-token", "glpat-s3cr3t2"},
		{"copy", source(full), "tool", "--to", source(echo), "--token", "glpat-s3cr3t", "--to-token", "glpat-s3cr3t2", "--json"},
	} {
		code, stdout, stderr := run(t, nil, args...)
		if code != exitRefused || strings.Contains(stdout+stderr, "s3cr3t") || !strings.Contains(stderr, "(hidden)") {
			t.Errorf("%q: exit %d\n%s%s", args, code, stdout, stderr)
		}
	}
}

// What a server calls a page, a user or a digest begins no line, and a digest that is
// none is not printed as one.
func TestServerAddsNoLine(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/user"):
			fmt.Fprint(w, `{"username":"eve\r\nevil: yes\tindeed"}`)
		case strings.HasSuffix(r.URL.Path, "/package_files"):
			fmt.Fprint(w, `[{"id":1,"file_name":"a","size":1,"file_sha256":"zz?\u001b]0;evil"}]`)
		case strings.HasSuffix(r.URL.Path, "/packages"):
			fmt.Fprint(w, `[{"id":1,"name":"tool","version":"1.0.0","package_type":"generic","_links":{"web_path":"/a\r\nevil"}}]`)
		default:
			fmt.Fprint(w, `{"web_url":"http://127.0.0.1/\r\nevil"}`)
		}
	}))
	defer server.Close()
	environ := []string{"GRANARY_SERVER=" + server.URL, "HOME=" + t.TempDir()}
	for _, tt := range []struct {
		args   string
		code   int
		stdout string
	}{
		{"open --print acme/tools", 0, "http://127.0.0.1/??evil\n"},
		{"open --print acme/tools tool", 0, server.URL + "/a??evil\n"},
		{"open acme/tools tool", 3, server.URL + "/a??evil\n"},
		{"show --sums acme/tools tool", 3, ""},
	} {
		code, stdout, stderr := run(t, environ, strings.Fields(tt.args)...)
		if code != tt.code || stdout != tt.stdout || strings.Contains(stderr, "evil") {
			t.Errorf("granary %s: exit %d\n%q %q", tt.args, code, stdout, stderr)
		}
	}
	var out, errs bytes.Buffer
	code := Main(t.Context(), Env{Args: []string{"login", server.URL}, Environ: environ, Stdin: strings.NewReader("glpat-x\n"), Stdout: &out, Stderr: &errs})
	if code != 0 || strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), " as eve??evil: yes?indeed; ") {
		t.Errorf("login: exit %d, %q %q", code, out.String(), errs.String())
	}
	Env{Stderr: &errs}.notice("%s, %v and %d", "a\nb", fmt.Errorf("c\td"), 1)
	if want := "granary: a?b, c?d and 1\n"; errs.String() != want {
		t.Errorf("a notice: %q, want %q", errs.String(), want)
	}
}

// A proxy whose address cannot be read is told, without the password in it: the client
// would go on without one.
func TestProxyThatIsNone(t *testing.T) {
	for _, value := range []string{"http://u:s3cr3t@[::1", "http://u:s3cr3t@proxy:port", "u:s3cr3t@pro xy", "ftp://u:s3cr3t@proxy", "http://", "%zz"} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
			t.Run(name+" "+value, func(t *testing.T) {
				t.Setenv(name, value)
				code, _, stderr := run(t, nil, "whoami", "--server", "127.0.0.1:1", "--token", "t", "--retries", "0")
				if code != exitUsage || !strings.Contains(stderr, name+" is not a proxy's address") || strings.Contains(stderr, "s3cr3t") {
					t.Errorf("exit %d, %s", code, stderr)
				}
			})
		}
	}
	for _, value := range []string{"proxy:3128", "proxy", "http://u:p@proxy:3128/", "socks5h://[::1]:1080", "HTTPS://proxy"} {
		t.Setenv("HTTPS_PROXY", value)
		if code, _, stderr := run(t, nil, "whoami", "--server", "127.0.0.1:1", "--token", "t", "--retries", "0"); code != exitFailure {
			t.Errorf("%s: exit %d, %s", value, code, stderr)
		}
	}
}
