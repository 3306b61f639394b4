package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRepairFromAServerThatWantsAToken: who has no token for the server, or a wrong one, is told
// what to set.
func TestRepairFromAServerThatWantsAToken(t *testing.T) {
	dir := served(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"message":"401 Unauthorized"}`))
	}))
	defer server.Close()
	for want, environ := range map[string][]string{
		"the server wants a token: set GRANARY_TOKEN, or run granary login": nil,
		"the server does not know this access token":                        {"GRANARY_TOKEN=gnpat-old"},
	} {
		code, _, errs := run(t, environ, "fsck", "--data-dir", dir, "--repair-from", server.URL)
		if code != exitOK || !strings.Contains(errs, want) {
			t.Errorf("%d, %s; want %q", code, errs, want)
		}
	}
}
