package ui_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"granary/internal/page"
	"granary/internal/webhooks"
	"granary/internal/webhooks/deliver"
)

// receiver is a server that webhooks are sent to.
type receiver struct {
	*httptest.Server
	status atomic.Int64
	token  atomic.Value // of the last delivery
	body   atomic.Value
}

// receiver starts one that answers 204, and lets the site reach it.
func (s *site) receiver() *receiver {
	s.t.Helper()
	r := &receiver{}
	r.status.Store(http.StatusNoContent)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			s.t.Error(err)
		}
		r.token.Store(req.Header.Get("X-Gitlab-Token") + req.Header.Get("X-Team"))
		r.body.Store(string(body))
		status := int(r.status.Load())
		w.Header().Set("X-Answer", "<b>here</b>")
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(w, "<i>what went wrong</i>")
		}
	}))
	s.t.Cleanup(r.Close)
	s.hooks.Guard = webhooks.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	sender := deliver.NewSender(s.hooks.Guard, s.url, "test", s.now)
	s.t.Cleanup(sender.Close)
	s.hooks.Sender = sender
	return r
}

// TestHooks: a webhook is made, tried, edited and removed; no secret is ever shown.
func TestHooks(t *testing.T) {
	s := newSite(t)
	s.acme()
	to := s.receiver()
	b := s.as("maintainer")
	const at = "/acme/tools/-/hooks"
	b.get(at).wants(t, 200, "No webhooks yet", "New webhook")
	b.post(at, "url", "ftp://example.com", "name", "kept").wants(t, 422, `value="ftp://example.com"`, `id="url-why"`, `value="kept"`)
	b.post(at, "url", to.URL, "token", "two\nlines", "package_events", "1").wants(t, 422, `id="token-why"`).lacks(t, "two\nlines")
	made := b.post(at, "url", to.URL+"/in", "name", "CI", "token", "secret-token", "package_events", "1", "enable_ssl_verification", "1")
	hook := made.Header.Get("Location")
	hook = hook[:len(hook)-len("?done=made")]
	b.get(at).wants(t, 200, "CI", "nothing sent yet", ">active<", to.URL+"/in").lacks(t, "secret-token")
	b.get(hook).wants(t, 200, "Nothing was sent yet", "set; empty keeps it", "Remove it").lacks(t, "secret-token")

	b.post(hook+"/test").leads(t, hook+"?done=sent")
	if got := to.token.Load(); got != "secret-token" {
		t.Errorf("sent with token %v", got)
	}
	b.get(at).wants(t, 200, ">204<")
	b.get(hook).wants(t, 200, "publish of sample 1.0.0", ">204<", "1 attempt,").lacks(t, "secret-token")

	b.post(hook+"/headers", "header", "X-Team", "header_value", "hidden-value").leads(t, hook+"?done=saved")
	b.post(hook+"/headers", "header", "Host", "header_value", "hidden-value").wants(t, 422, "Host is set by the server").lacks(t, "hidden-value", `name="package_events" value="1">`)
	b.post(hook, "url", "ftp://x", "package_events", "0", "enable_ssl_verification", "0").wants(t, 422, `name="package_events" value="1">`)
	b.get(hook).wants(t, 200, "X-Team").lacks(t, "hidden-value")
	b.post(hook, "url", to.URL+"/in", "name", "CI", "token", "", "package_events", "1").leads(t, hook+"?done=saved")
	b.post(hook+"/test").leads(t, hook+"?done=sent")
	if got := to.token.Load(); got != "secret-tokenhidden-value" {
		t.Errorf("an edit without a token leaves %v", got)
	}
	b.post(hook+"/headers/remove", "header", "X-Team").leads(t, hook+"?done=removed")
	b.post(hook+"/headers/remove", "header", "X-Team").wants(t, 404)
	b.post(hook, "url", to.URL+"/in", "name", "", "remove_token", "1").leads(t, hook+"?done=saved")
	b.get(hook).wants(t, 200, ">no events<").lacks(t, "set; empty keeps it", "checked")
	b.post(hook+"/delete").leads(t, at+"?done=removed")
	b.get(hook).wants(t, 404)
	b.post(hook+"/test").wants(t, 404)
	s.as("developer").post(at, "url", to.URL).wants(t, 403)
}

// TestHookFails: the page says what to check, and what was sent can be sent again.
func TestHookFails(t *testing.T) {
	s := newSite(t)
	s.acme()
	to := s.receiver()
	b := s.as("owner")
	made := b.post("/acme/tools/-/hooks", "url", to.URL, "package_events", "1")
	hook := made.Header.Get("Location")[:len(made.Header.Get("Location"))-len("?done=made")]
	unchecked := `name="package_events" value="1">`
	for status, check := range map[int]string{302: "Give the address that it leads to", 401: "Check the secret token", 404: "Check its path", 422: "Open the attempt", 429: "tried again", 503: "The receiver broke"} {
		to.status.Store(int64(status))
		b.post(hook+"/test").wants(t, 422, "he receiver answered "+itoa(int64(status)), check).lacks(t, unchecked) // the form below stays as it is
	}
	b.get(hook).wants(t, 200, "6 attempts failed in a row", "resting until")
	attempt := b.get(hook).found(t, `href="([^"]+/attempts/\d+)"`)
	page := b.get(attempt).wants(t, 200, "X-Gitlab-Event", "Package Hook", "&#34;object_kind&#34;: &#34;package&#34;", "&lt;b&gt;here&lt;/b&gt;", "&lt;i&gt;what went wrong&lt;/i&gt;", "Send it again")
	page.lacks(t, "<i>what")
	to.status.Store(http.StatusNoContent)
	to.body.Store("")
	b.post(attempt+"/resend").leads(t, hook+"?done=sent")
	if got := to.body.Load(); got == "" {
		t.Error("nothing was sent again")
	}
	b.get(hook).wants(t, 200, "7 attempts,", ">active<").lacks(t, "failed in a row")
	to.Close()
	b.post(hook+"/test").wants(t, 422, "There was no answer")
	b.get(b.get(hook).found(t, `href="([^"]+/attempts/\d+)"`)).wants(t, 200, "none: ").lacks(t, "The answer has no body")
	b.get(hook+"/attempts/99999").wants(t, 404)
	b.post(hook+"/attempts/99999/resend").wants(t, 404)
}

// TestHookPassword: a password in the receiver's address is not shown, and an edit keeps it.
func TestHookPassword(t *testing.T) {
	s := newSite(t)
	s.acme()
	s.receiver()
	b := s.as("owner")
	made := b.post("/acme/tools/-/hooks", "url", "https://jo:pass-word@hooks.example.com/in", "token", "secret-token", "package_events", "1")
	hook := made.Header.Get("Location")[:len(made.Header.Get("Location"))-len("?done=made")]
	for _, path := range []string{"/acme/tools/-/hooks", hook} {
		b.get(path).wants(t, 200, "https://hooks.example.com/in").lacks(t, "pass-word")
	}
	b.post(hook, "url", "https://hooks.example.com/in", "name", "CI", "package_events", "1").leads(t, hook+"?done=saved")
	found, err := s.hooks.List(t.Context(), s.actor("admin"), "acme/tools", page.Request{Number: 1, Size: 10})
	if err != nil || found.Rows[0].Target.URL != "https://jo:pass-word@hooks.example.com/in" || found.Rows[0].Target.Token != "secret-token" {
		t.Errorf("%+v, %v", found.Rows, err)
	}
}
