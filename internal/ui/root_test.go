package ui_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"granary/internal/access"
)

// TestLinksBelowRoot: if the server's address has a path, every address on every page, and
// every redirect, is below it.
func TestLinksBelowRoot(t *testing.T) {
	o := newTour(newSite(t))
	pages := append(o.lists(), "/-/sign_in", "/-/admin/audit?from=2020-01-01", "/acme/-/audit?from=2020-01-01", "/acme/tools/-/audit?author=1", "/-/user/events?from=2020-01-01", "/acme/tools?search=none", "/acme/tools/-/packages/generic/sonde?status=draft")
	open := o.below("/granary")
	cookie := open(http.MethodPost, "/-/sign_in", "token="+o.token("admin", access.ScopeAPI), "").Header.Get("Set-Cookie")
	cookie, _, _ = strings.Cut(cookie, ";")
	shown := 0
	for _, address := range pages {
		got := open(http.MethodGet, address, "", cookie)
		if to := got.Header.Get("Location"); to != "" && !strings.HasPrefix(to, "/granary/") {
			t.Errorf("%s leads to %s", address, to)
		}
		if got.StatusCode == http.StatusOK {
			shown++
		}
		if !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
			continue
		}
		for e := range got.parse(t).elements() {
			for _, name := range []string{"href", "src", "action", "content", "data-to", "data-new"} {
				if to := e.value(name); strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "/granary/") {
					t.Errorf("%s: %s of %s is %s", address, name, e.Data, to)
				}
			}
		}
	}
	if shown < len(pages)/2 {
		t.Errorf("%d of %d pages are shown", shown, len(pages))
	}
}

// below is a function that asks the pages as if their server's address had a path.
func (s *site) below(root string) func(method, address, form, cookie string) answer {
	s.t.Helper()
	pages := *s.pages
	pages.ExternalURL = s.url + root
	h, err := pages.Handler()
	if err != nil {
		s.t.Fatal(err)
	}
	return func(method, address, form, cookie string) answer {
		r := httptest.NewRequestWithContext(s.t.Context(), method, address, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := w.Result()
		got.Request = r
		return answer{got, w.Body.String()}
	}
}
