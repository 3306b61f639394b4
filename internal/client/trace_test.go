package client_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"granary/internal/client"
)

// A trace tells every request and answer, also along a redirect to a signed link
// on another server or on the same one, and holds neither token nor signature.
func TestTraceHoldsNoSecrets(t *testing.T) {
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("bytes")) }))
	defer store.Close()
	var to string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "req-1")
		switch {
		case r.URL.Path == "/signed":
			_, _ = w.Write([]byte("bytes"))
		case r.Method == http.MethodGet:
			http.Redirect(w, r, to+"/signed?X-Amz-Signature=s3cr3t", http.StatusFound)
		default:
			w.Header().Set("Location", to+"/signed?X-Amz-Signature=s3cr3t")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	for _, to = range []string{store.URL, server.URL} {
		var mu sync.Mutex
		var lines []string
		c := newClient(t, client.Config{Server: server.URL, Credential: client.PrivateToken("s3cr3t"), Trace: func(line string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, line)
		}})
		var got strings.Builder
		if _, err := c.Copy(t.Context(), file(), client.File{Size: 5}, &got, func(int64) {}); err != nil || got.String() != "bytes" {
			t.Fatalf("%q %v", got.String(), err)
		}
		_, err := c.Publish(t.Context(), upload([]byte("x")))
		if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "moved to "+to+"/signed") {
			t.Errorf("a publish that is sent elsewhere: %v", err)
		}
		for i, want := range []string{
			`^1> GET http://127.0.0.1:\d+/api/v4/projects/group%2Fproject/packages/generic/tool/1.0.0/dir/a%20b.txt, with the access token`,
			`^1< HTTP/1.1 302 Found, \d+ bytes, after .*, request req-1$`,
			`^2> GET ` + to + `/signed\?\(hidden\)`,
			`^2< HTTP/1.1 200 OK, 5 bytes, after `,
			`^3> PUT .*, with the access token, 1 bytes$`,
			`^3< HTTP/1.1 307 `,
		} {
			if i >= len(lines) || !regexp.MustCompile(want).MatchString(lines[i]) || strings.Contains(lines[i], "s3cr3t") {
				t.Errorf("line %d is not %s:\n%s", i, want, strings.Join(lines, "\n"))
				break
			}
		}
		if (to == store.URL) == strings.Contains(lines[min(2, len(lines)-1)], "token") {
			t.Errorf("who was shown the token: %s", lines[2])
		}
	}
}
