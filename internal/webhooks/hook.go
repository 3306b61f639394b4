package webhooks

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"granary/internal/fault"
)

// Hook is a receiver of a project's events.
type Hook struct {
	ID          int64
	ProjectID   int64
	Target      Target
	Name        string
	Description string
	Packages    bool     // whether it receives events of packages
	Others      []string // further kinds of event that it asked for; none is ever sent
	VerifyTLS   bool
	Failures    int        // attempts since the last one that went well
	Disabled    *time.Time // until when nothing is sent; nil if it was never disabled
	CreatedAt   time.Time
}

// Target is the URL of deliveries, and the secrets that are sent only there.
type Target struct {
	URL          string
	Token        string // sent as X-Gitlab-Token
	SigningToken string // "whsec_" and 32 bytes in base64
	Headers      []Header
}

// Header is one that the hook's owner adds to its deliveries.
type Header struct{ Key, Value string }

// Edit is what an edit changes; nil fields stay. Another URL drops token,
// signing token and headers that are not given with it.
type Edit struct {
	URL, Name, Description *string
	Token, SigningToken    *string
	Headers                []Header // added, or put in the place of those with the same key
	Packages, VerifyTLS    *bool
	Others                 map[string]bool // kinds of event, by their word
}

// Limits of one hook, in bytes or in number.
const (
	maxURL     = 2048
	maxName    = 255
	maxText    = 2048 // of a description
	maxToken   = 255
	maxHeaders = 20
	maxKey     = 255
	maxValue   = 2048
)

// OtherKinds are GitLab's other kinds of events for projects. A hook may ask for
// them, as tools made for GitLab do; granary never sends them.
func OtherKinds() []string {
	return []string{
		"push_events", "tag_push_events", "merge_requests_events", "repository_update_events",
		"issues_events", "confidential_issues_events", "note_events", "confidential_note_events",
		"job_events", "pipeline_events", "wiki_page_events", "deployment_events", "releases_events", "milestone_events",
		"feature_flag_events", "emoji_events", "resource_access_token_events", "resource_deploy_token_events", "vulnerability_events",
	}
}

// apply makes the edit. Secrets belong to one URL: another URL removes them, so that
// a maintainer cannot send them to another address (as in GitLab).
func (e Edit) apply(h *Hook) {
	if e.URL != nil && *e.URL != h.Target.URL {
		h.Target = Target{URL: *e.URL}
		h.Failures, h.Disabled = 0, nil
	}
	set(&h.Name, e.Name)
	set(&h.Description, e.Description)
	set(&h.Target.Token, e.Token)
	set(&h.Target.SigningToken, e.SigningToken)
	set(&h.Packages, e.Packages)
	set(&h.VerifyTLS, e.VerifyTLS)
	for _, header := range e.Headers {
		h.setHeader(header)
	}
	for _, kind := range OtherKinds() {
		if wanted, given := e.Others[kind]; given {
			h.Others = slices.DeleteFunc(h.Others, func(k string) bool { return k == kind })
			if wanted {
				h.Others = append(h.Others, kind)
			}
		}
	}
}

func set[T any](dst, value *T) {
	if value != nil {
		*dst = *value
	}
}

func (h *Hook) setHeader(header Header) {
	for i, old := range h.Target.Headers {
		if strings.EqualFold(old.Key, header.Key) {
			h.Target.Headers[i] = header
			return
		}
	}
	h.Target.Headers = append(h.Target.Headers, header)
}

// check holds a hook to its rules, in GitLab's words.
func (h Hook) check(guard Guard) error {
	if err := guard.checkURL(h.Target.URL); err != nil {
		return err
	}
	switch {
	case len(h.Name) > maxName || !utf8.ValidString(h.Name):
		return unprocessable("name", "is too long (maximum is 255 bytes)")
	case len(h.Description) > maxText || !utf8.ValidString(h.Description):
		return unprocessable("description", "is too long (maximum is 2048 bytes)")
	case len(h.Target.Token) > maxToken || !headerValue(h.Target.Token):
		return unprocessable("token", "is invalid: one line of at most 255 printable ASCII characters")
	case h.Target.SigningToken != "" && h.Target.Key() == nil:
		return unprocessable("signing_token", "is invalid: whsec_ and 32 bytes in base64, as `openssl rand -base64 32` prints")
	case len(h.Target.Headers) > maxHeaders:
		return headersFault("20 at most")
	}
	for _, header := range h.Target.Headers {
		switch {
		case !headerKey(header.Key):
			return headersFault("a key is 1 to 255 letters, digits, - and _")
		case reserved(header.Key):
			return headersFault(header.Key + " is set by the server")
		case len(header.Value) == 0 || len(header.Value) > maxValue || !headerValue(header.Value):
			return headersFault("the value of " + header.Key + " is no line of 1 to 2048 printable ASCII characters")
		}
	}
	return nil
}

// Key is the key that deliveries are signed with (Standard Webhooks), nil for
// none.
func (t Target) Key() []byte {
	text, ok := strings.CutPrefix(t.SigningToken, "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) != 32 {
		return nil
	}
	return key
}

func headerKey(key string) bool {
	return key != "" && len(key) <= maxKey && !strings.ContainsFunc(key, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
	})
}

// headerValue refuses line breaks, by which a value would become a header of
// its own.
func headerValue(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}

// reserved reports whether a custom header may not have this name: it frames the
// request, or identifies sender and event.
func reserved(key string) bool {
	key = strings.ToLower(key)
	return slices.Contains([]string{
		"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "upgrade", "te", "trailer",
		"expect", "keep-alive", "proxy-connection", "user-agent", "idempotency-key",
	}, key) || strings.HasPrefix(key, "x-gitlab-") || strings.HasPrefix(key, "webhook-") || strings.HasPrefix(key, "proxy-")
}

func unprocessable(field, reason string) error {
	return &fault.Error{Kind: fault.Unprocessable, Fields: map[string][]string{field: {reason}}}
}

func headersFault(detail string) error {
	return fault.New(fault.Unfit, "Custom headers validation failed: "+detail)
}
