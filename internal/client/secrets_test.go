package client_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"granary/internal/client"
)

// Whatever part of an answer repeats the credential, neither an error nor the trace
// has it: a proxy's page for debugging shows the headers of a request.
func TestServerRepeatsTheToken(t *testing.T) {
	const token = `glpat-"s3cr3t" 1+2`
	long := strings.Repeat("x", 1<<10-5) // the words are cut within the token
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"message": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"message":{"headers":[%q]}}`, "Private-Token: "+sent(r))
		},
		"error and description": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"error":%q,"error_description":%q}`, sent(r), sent(r))
		},
		"text": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, sent(r), "\n", url.QueryEscape(sent(r)))
		},
		"long text": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, long, sent(r))
		},
		"request id": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", sent(r))
			w.WriteHeader(http.StatusInternalServerError)
		},
		"redirect to nowhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "ftp://files.example/"+url.PathEscape(sent(r)), http.StatusFound)
		},
		"redirect that cannot be read": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://files.example:x/"+sent(r), http.StatusFound)
		},
		"redirect in a circle": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/"+url.PathEscape(sent(r)), http.StatusFound)
		},
		"answer that cannot be read": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"created_at":%q}`, sent(r))
		},
		"header that cannot be read": func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", sent(r))
				_ = conn.(*net.TCPConn).Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(answer))
			defer server.Close()
			var trace strings.Builder
			c := newClient(t, client.Config{Server: server.URL, Credential: client.PrivateToken(token), Attempts: 1,
				Trace: func(line string) { trace.WriteString(line + "\n") }})
			_, err := c.Project(t.Context(), "group/project")
			if err == nil {
				t.Fatal("no error")
			}
			told := fmt.Sprintf("%v\n%+v\n%s", err, err, trace.String())
			if strings.Contains(told, "s3cr3t") || strings.Contains(err.Error(), "glpat") {
				t.Error(told)
			}
			if name != "long text" && !strings.Contains(told, "(hidden)") {
				t.Errorf("nothing tells that something was hidden: %s", told)
			}
		})
	}
}

// sent is the token that a request showed.
func sent(r *http.Request) string { return r.Header.Get("Private-Token") }
