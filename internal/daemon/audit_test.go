package daemon

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/page"
	"granary/internal/trail"
)

// The address of an event is the client's: what a trusted proxy says of it, and
// the peer's where nobody is trusted.
func TestAuditTellsTheClientsAddress(t *testing.T) {
	for proxies, want := range map[string]string{"127.0.0.0/8": "203.0.113.9", "": "127.0.0.1"} {
		_, url := start(t, "--data-dir="+t.TempDir(), "--trusted-proxies="+proxies)
		resp, body := ask(t, "PUT", url+demoFiles+"tool/1.0.0/f", strings.NewReader("x"), "X-Forwarded-For", "198.51.100.1, 203.0.113.9")
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s %s", resp.Status, body)
		}
		_, body = ask(t, "GET", url+"/api/v4/audit_events?per_page=1", nil)
		var events []struct {
			EventName string `json:"event_name"`
			Details   struct {
				IPAddress string `json:"ip_address"`
			}
		}
		if err := json.Unmarshal([]byte(body), &events); err != nil || len(events) != 1 {
			t.Fatalf("%s: %v", body, err)
		}
		if e := events[0]; e.EventName != string(audit.PackagePublished) || e.Details.IPAddress != want {
			t.Errorf("trusting %q: %+v, want the address %s", proxies, e, want)
		}
	}
}

// Old events go, young ones stay, and without a retention all do.
func TestAuditRetention(t *testing.T) {
	cfg, err := settings(nil, "--data-dir="+t.TempDir(), "--audit-retention=2h")
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t.Context(), cfg, "test", nil, crashPoints{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	defer s.close(log)
	if err := s.firstStart(t.Context(), cfg, "http://test", nil, log); err != nil {
		t.Fatal(err)
	}
	total := func() int {
		found, err := s.audit.InstanceEvents(t.Context(), access.Actor{Kind: access.User, Admin: true, Scopes: []access.Scope{access.ScopeAPI}},
			trail.Filter{}, page.Request{Number: 1, Size: 1})
		if err != nil {
			t.Fatal(err)
		}
		return found.Total
	}
	if n := total(); n != 3 { // user, project, token
		t.Fatalf("%d events after the first start", n)
	}
	ctx := context.WithoutCancel(t.Context())
	s.clean(ctx, log, cfg.AuditRetention)
	if n := total(); n != 3 {
		t.Errorf("%d young events left", n)
	}
	s.audit.Now = func() time.Time { return time.Now().Add(3 * time.Hour) }
	s.clean(ctx, log, cfg.AuditRetention)
	if n := total(); n != 0 {
		t.Errorf("%d old events left", n)
	}
}
