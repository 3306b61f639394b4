package client_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"granary/internal/client"
)

// A server that has not named drafts is never asked for one, whatever it answers.
func TestNoDraftsElsewhere(t *testing.T) {
	for _, features := range []string{"", "channels, selectors, versions"} {
		var mu sync.Mutex
		var asked []string
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, r.URL.RawQuery)
			if features != "" {
				w.Header().Set("X-Granary-Features", features)
			}
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, `{}`)
		})
		at := file()
		at.Draft = true
		u := upload([]byte("data"))
		u.Draft = true
		for name, call := range map[string]func() error{
			"publish": func() error { _, err := c.Publish(t.Context(), u); return err },
			"empty":   func() error { e := u; e.Size = 0; _, err := c.Publish(t.Context(), e); return err },
			"stat":    func() error { _, err := c.Stat(t.Context(), at); return err },
			"probe":   func() error { return c.Probe(t.Context(), at) },
			"draft":   func() error { _, err := c.Draft(t.Context(), "7", "tool", "1.0.0"); return err },
			"list":    func() error { _, err := c.Drafts(t.Context(), "7", ""); return err },
			"discard": func() error { return c.Discard(t.Context(), "7", "tool", "1.0.0") },
			"again":   func() error { _, err := c.Draft(t.Context(), "7", "tool", "1.0.0"); return err },
		} {
			if err := call(); !client.Unsupported(err) || client.KindOf(err) != client.Refused {
				t.Errorf("%s at a server with %q: %v", name, features, err)
			}
		}
		if slices.ContainsFunc(asked, func(q string) bool { return strings.Contains(q, "draft") }) {
			t.Errorf("a server with %q was asked for %q", features, asked)
		}
	}
}

// A file says whether it went into a draft; conditions and retries ask in the draft, too.
func TestPublishDraft(t *testing.T) {
	for _, tt := range []struct {
		status string // of the PUT
		there  string
		draft  bool
		fails  bool
	}{{"draft", "", true, false}, {"", "", false, false}, {"412", "mine", true, false}, {"412", "other", false, true}} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Granary-Features", "drafts")
			switch {
			case strings.HasSuffix(r.URL.Path, "/projects/7"):
				fmt.Fprint(w, `{}`)
			case r.URL.Query().Get("status") != "draft":
				t.Errorf("%s %s is not in the draft", r.Method, r.URL)
			case r.Method == http.MethodHead:
				w.Header().Set("X-Checksum-SHA256", sumOf([]byte(tt.there)))
			case tt.status == "412":
				w.WriteHeader(412)
			default:
				w.Header().Set("X-Package-Status", tt.status)
				data, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, `{"file_sha256":%q}`, sumOf(data))
			}
		})
		if _, err := c.Project(t.Context(), "7"); err != nil {
			t.Fatal(err)
		}
		u := upload([]byte("mine"))
		u.Draft, u.Create = true, true
		stored, err := c.Publish(t.Context(), u)
		if (err != nil) != tt.fails || stored.Draft != tt.draft && !tt.fails {
			t.Errorf("%+v: %+v %v", tt, stored, err)
		}
	}
}

// Finalise expects the digest of the manifest; if the server refuses, it gets the
// listing, which is in the order of paths, and says how it differs.
func TestFinalise(t *testing.T) {
	files := []client.File{{Path: "b/c", SHA256: sumOf([]byte("2"))}, {Path: "a", SHA256: sumOf([]byte("1"))}}
	listing := sumOf([]byte("1")) + "  a\n" + sumOf([]byte("2")) + "  b/c\n"
	for _, tt := range []struct {
		refusal string // of the listing, "" if it is not asked for
		words   string
		missing []string
	}{
		{"", "", nil},
		{`{"message":"409 Conflict - not what was expected: 101 missing, 1 extra, 0 with other bytes","missing":["a","x\u001b[1m"],"extra":["z"],"differs":[]}`, "101 missing", []string{"a", "x [1m"}},
		{`{"message":"409 Conflict - again"}`, "first", nil},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Granary-Features", "drafts")
			body, _ := io.ReadAll(r.Body)
			switch {
			case r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/packages/generic/tool/1.0.0") || r.URL.RawQuery != "status=hidden":
				t.Errorf("%s %s", r.Method, r.URL)
			case tt.refusal == "":
				if string(body) != "manifest_sha256="+sumOf([]byte(listing)) {
					t.Errorf("expected %s", body)
				}
				fmt.Fprintf(w, `{"name":"tool","version":"1.0.0","final_at":"2026-01-02T03:04:05.000Z","manifest_sha256":%q}`, sumOf([]byte(listing)))
			case r.Header.Get("Content-Type") != "text/plain":
				w.WriteHeader(409)
				fmt.Fprint(w, `{"message":"409 Conflict - first"}`)
			default:
				if string(body) != listing {
					t.Errorf("listed %s", body)
				}
				w.WriteHeader(409)
				fmt.Fprint(w, tt.refusal)
			}
		})
		v, err := c.Finalise(t.Context(), "7", "tool", "1.0.0", files, true)
		if tt.refusal == "" {
			if err != nil || !v.Final || v.Manifest != sumOf([]byte(listing)) {
				t.Errorf("%+v %v", v, err)
			}
			continue
		}
		e, ok := err.(*client.Error) //nolint:errorlint // it is what Finalise returns
		if !ok || !strings.Contains(e.Message, tt.words) || (e.Difference != nil) != (tt.missing != nil) || e.Difference != nil && !slices.Equal(e.Difference.Missing, tt.missing) {
			t.Errorf("%s: %v", tt.refusal, err)
		}
	}
	if _, err := serve(t, nil).Finalise(t.Context(), "7", "tool", "1.0.0", []client.File{{Path: "a"}}, false); client.KindOf(err) != client.Refused {
		t.Errorf("a file without a digest: %v", err)
	}
}

// A server without the route has no drafts.
func TestFinaliseElsewhere(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(404)
		fmt.Fprint(w, `{"error":"404 Not Found"}`)
	})
	if _, err := c.Finalise(t.Context(), "7", "tool", "1.0.0", nil, false); !client.Unsupported(err) {
		t.Errorf("%v", err)
	}
}
