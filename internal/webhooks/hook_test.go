package webhooks

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"

	"granary/internal/fault"
)

// TestEdit: secrets were given for one URL, and do not follow the hook to another.
func TestEdit(t *testing.T) {
	end := time.Unix(1, 0)
	before := Hook{
		Target:   Target{URL: "https://a.example", Token: "t", SigningToken: "s", Headers: []Header{{"X-A", "1"}, {"X-B", "2"}}},
		Failures: 5, Disabled: &end, Packages: true, Others: []string{"push_events", "note_events"},
	}
	yes, no := true, false
	for name, tt := range map[string]struct {
		edit    Edit
		want    func(*Hook)
		changes string
	}{
		"nothing":      {Edit{}, func(*Hook) {}, ""},
		"the same URL": {Edit{URL: new("https://a.example")}, func(*Hook) {}, ""},
		"another URL": {Edit{URL: new("https://b.example")}, func(h *Hook) {
			h.Target, h.Failures, h.Disabled = Target{URL: "https://b.example"}, 0, nil
		}, "url, token, signing_token, custom_headers"},
		"another URL and a token": {Edit{URL: new("https://b.example"), Token: new("t"), Headers: []Header{{"x-a", "3"}}}, func(h *Hook) {
			h.Target, h.Failures, h.Disabled = Target{URL: "https://b.example", Token: "t", Headers: []Header{{"x-a", "3"}}}, 0, nil
		}, "url, signing_token, custom_headers"},
		"headers": {Edit{Headers: []Header{{"x-b", "3"}, {"X-C", "4"}}}, func(h *Hook) {
			h.Target.Headers = []Header{{"X-A", "1"}, {"x-b", "3"}, {"X-C", "4"}}
		}, "custom_headers"},
		"kinds": {Edit{Packages: &no, VerifyTLS: &yes, Others: map[string]bool{"push_events": false, "note_events": true, "wiki_page_events": true, "no_kind": true}}, func(h *Hook) {
			h.Packages, h.VerifyTLS, h.Others = false, true, []string{"note_events", "wiki_page_events"}
		}, "package_events, enable_ssl_verification, other events"},
	} {
		got, want := clone(before), clone(before)
		tt.edit.apply(&got)
		if tt.want(&want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		if changes := got.changes(before); changes != tt.changes {
			t.Errorf("%s: %q changed, want %q", name, changes, tt.changes)
		}
	}
}

// clone shares no list with the hook.
func clone(h Hook) Hook {
	h.Target.Headers = append([]Header(nil), h.Target.Headers...)
	h.Others = append([]string(nil), h.Others...)
	return h
}

// TestCheckHook: what goes into a request is one line of ASCII, and no header that
// says who sends it.
func TestCheckHook(t *testing.T) {
	header := func(key, value string) Target { return Target{Headers: []Header{{key, value}}} }
	key := func(n int) Target {
		return Target{SigningToken: "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n))}
	}
	long := strings.Repeat("a", 255)
	for name, tt := range map[string]struct {
		hook Hook
		ok   bool
	}{
		"nothing":                {Hook{}, true},
		"the longest name":       {Hook{Name: long}, true},
		"a longer name":          {Hook{Name: long + "a"}, false},
		"a name of no text":      {Hook{Name: "\xff"}, false},
		"a longer description":   {Hook{Description: strings.Repeat("a", maxText+1)}, false},
		"a token":                {Hook{Target: Target{Token: long}}, true},
		"a longer token":         {Hook{Target: Target{Token: long + "a"}}, false},
		"a token of two lines":   {Hook{Target: Target{Token: "a\r\nX-Gitlab-Event: b"}}, false},
		"a token beyond ASCII":   {Hook{Target: Target{Token: "ä"}}, false},
		"a signing key":          {Hook{Target: key(32)}, true},
		"a shorter signing key":  {Hook{Target: key(31)}, false},
		"a signing key, bare":    {Hook{Target: Target{SigningToken: strings.TrimPrefix(key(32).SigningToken, "whsec_")}}, false},
		"a header":               {Hook{Target: header("X_a-1", " ~")}, true},
		"a header without value": {Hook{Target: header("X", "")}, false},
		"a header of two lines":  {Hook{Target: header("X", "a\nHost: b")}, false},
		"a header without key":   {Hook{Target: header("", "a")}, false},
		"a header with a colon":  {Hook{Target: header("X:", "a")}, false},
		"the host":               {Hook{Target: header("HOST", "a")}, false},
		"the length":             {Hook{Target: header("Content-Length", "1")}, false},
		"GitLab's headers":       {Hook{Target: header("x-gitlab-anything", "a")}, false},
		"Standard Webhooks'":     {Hook{Target: header("Webhook-Id", "a")}, false},
		"a proxy's":              {Hook{Target: header("Proxy-Authorization", "a")}, false},
		"an authorization":       {Hook{Target: header("Authorization", "a")}, true},
		"the most headers":       {Hook{Target: Target{Headers: make([]Header, maxHeaders+1)}}, false},
	} {
		tt.hook.Target.URL = "https://a.example"
		err := tt.hook.check(Guard{})
		if (err == nil) != tt.ok || err != nil && !fault.Is(err, fault.Unprocessable) && !fault.Is(err, fault.Unfit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
