package daemon

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// One trace goes through the server, its log and the receiver of a webhook, and so does a test of
// the webhook; what is no trace leaves nothing, and none is made up.
func TestTraceGoesThrough(t *testing.T) {
	for name, environ := range map[string][]string{
		"SQLite":     nil,
		"PostgreSQL": {"GRANARY_DATABASE=" + metadbtest.Postgres(t, func(string) error { return nil }), testKey},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			came := map[string]http.Header{} // by the file that was published
			receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				var body strings.Builder
				_ = r.Write(&body)
				mu.Lock()
				defer mu.Unlock()
				came[regexp.MustCompile(`"file_name":"([^"]*)"`).FindStringSubmatch(body.String())[1]] = r.Header
			}))
			defer receiver.Close()
			told := func(file string) http.Header {
				mu.Lock()
				defer mu.Unlock()
				return came[file]
			}
			server, url := startIn(t, environ, "--data-dir="+t.TempDir(), "--webhook-allow-networks=127.0.0.0/8", "--log-level=debug")
			if resp, body := ask(t, "POST", url+"/api/v4/projects/root%2Fdemo/hooks?url="+receiver.URL, nil); resp.StatusCode != http.StatusCreated {
				t.Fatal(resp.Status, body)
			}

			const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
			publish := func(file string, header ...string) http.Header {
				if resp, body := ask(t, "PUT", url+demoFiles+"tool/1.0.0/"+file, strings.NewReader("x"), header...); resp.StatusCode != http.StatusCreated {
					t.Fatal(resp.Status, body)
				}
				eventually.Holds(t, "the receiver is told of "+file, func() bool { return told(file) != nil })
				return told(file)
			}
			header := publish("traced", "Traceparent", "00-"+id+"-"+span+"-01", "Tracestate", "rojo=1")
			sent := regexp.MustCompile(`^00-` + id + `-([0-9a-f]{16})-01$`).FindStringSubmatch(header.Get("Traceparent"))
			if sent == nil || header.Get("Tracestate") != "rojo=1" {
				t.Fatalf("the receiver got %v", header)
			}
			line := regexp.MustCompile(`msg=request method=PUT .*/traced .* trace_id=` + id + ` span_id=([0-9a-f]{16}) parent_id=` + span).FindStringSubmatch(server.logged())
			if line == nil || line[1] == span || line[1] == sent[1] {
				t.Fatalf("the request's line is %v in\n%s", line, server.logged())
			}
			eventually.Holds(t, "the delivery is logged", func() bool {
				return strings.Contains(server.logged(), "status=200 trace_id="+id+" span_id="+sent[1]+" parent_id="+line[1])
			})

			for file, bad := range map[string][]string{"none": nil, "malformed": {"Traceparent", "00-" + strings.ToUpper(id) + "-" + span + "-01", "Tracestate", "rojo=1"}} {
				if header := publish(file, bad...); header["Traceparent"] != nil || header["Tracestate"] != nil {
					t.Errorf("%s: the receiver got %v", file, header)
				}
			}
			if n := strings.Count(server.logged(), "trace_id="); n != 2 {
				t.Errorf("%d lines have a trace:\n%s", n, server.logged())
			}

			if resp, body := ask(t, "POST", url+"/api/v4/projects/root%2Fdemo/hooks/1/test/package_events", nil, "Traceparent", "00-"+id+"-"+span+"-00"); resp.StatusCode != http.StatusCreated {
				t.Fatal(resp.Status, body)
			}
			if got := told("sample.txt").Get("Traceparent"); !strings.HasPrefix(got, "00-"+id+"-") || !strings.HasSuffix(got, "-00") || strings.Contains(got, span) {
				t.Errorf("the test of the webhook has %q", got)
			}
		})
	}
}
