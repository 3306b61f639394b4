package ui_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"granary/internal/access"
)

// TestPagesBelowAPath: the pages of a server whose address has a path lead to addresses
// below it, and take forms from its origin.
func TestPagesBelowAPath(t *testing.T) {
	s := newSite(t)
	below := *s.pages
	below.ExternalURL = "https://packages.example.com/team%20a/granary"
	door, err := below.Handler()
	if err != nil {
		t.Fatal(err)
	}
	got := httptest.NewRecorder()
	door.ServeHTTP(got, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/-/sign_in", nil))
	if body := got.Body.String(); !strings.Contains(body, `"/team%20a/granary/-/assets/`) || strings.Contains(body, `"/-/`) {
		t.Errorf("%.600s", body)
	}
	for origin, want := range map[string]int{"https://packages.example.com": http.StatusSeeOther, "https://evil.example.com": http.StatusForbidden} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/-/sign_in", strings.NewReader("token="+s.token("jo", access.ScopeAPI)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", origin)
		got := httptest.NewRecorder()
		if door.ServeHTTP(got, r); got.Code != want {
			t.Errorf("%s: %d, want %d", origin, got.Code, want)
		}
	}
}
