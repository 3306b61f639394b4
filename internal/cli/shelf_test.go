package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// Where no answer to a publish tells a digest the package's list does, if it has one; a
// digest of other bytes than were sent ends the push.
func TestPushConfirms(t *testing.T) {
	f := write(t, filepath.Join(t.TempDir(), "f"), "x")
	const x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // its SHA-256
	other := strings.Repeat("0", 64)
	for told, want := range map[string]struct {
		code int
		says string
	}{
		x:     {exitOK, `"confirmed": true`},
		"":    {exitOK, `"confirmed": false`},
		other: {exitFailure, "tool/1.0.0/f: the server has other bytes than were sent: SHA-256 " + other + ", want " + x},
	} {
		sent := false
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPut:
				_, _ = io.Copy(io.Discard, r.Body)
				sent = true
				fmt.Fprint(w, `{"message":"201 Created"}`)
			case strings.HasSuffix(r.URL.Path, "/packages") && sent:
				fmt.Fprint(w, `[{"id":5,"name":"tool","version":"1.0.0","package_type":"generic"}]`)
			case strings.HasSuffix(r.URL.Path, "/packages"):
				fmt.Fprint(w, `[]`)
			case strings.HasSuffix(r.URL.Path, "/packages/5/package_files"):
				fmt.Fprintf(w, `[{"id":1,"file_name":"f","size":1,"file_sha256":%q}]`, told)
			default:
				http.NotFound(w, r)
			}
		}))
		environ := []string{"HOME=" + t.TempDir(), "GRANARY_SERVER=" + s.URL, "GRANARY_TOKEN=secret"}
		code, stdout, stderr := run(t, environ, "push", "--json", "p", "tool", "1.0.0", f)
		if code != want.code || !strings.Contains(stdout+stderr, want.says) {
			t.Errorf("%q: exit code %d, %s%s", told, code, stdout, stderr)
		}
		s.Close()
	}
}
