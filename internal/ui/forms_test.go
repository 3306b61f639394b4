package ui_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// lastPatterns are what forms are sent to that take away what others need, in this order
// after all others.
func lastPatterns() []string {
	return []string{
		"/cancel", "/headers/remove", "/hooks/{id}/delete", "/channel/remove", "/protection/{id}/delete", "/job_token/remove", "/variables/{key}/delete",
		"/rotate", "/revoke", "/deploy_tokens/{id}/delete", "{project}/-/members/{id}/remove", "/releases/{tag}/delete", "/packages/delete",
		"/archive", "{project}/-/settings/transfer", "{project}/-/settings/delete", "{group}/-/members/{id}/remove", "{group}/-/settings/transfer", "{group}/-/settings/delete",
		"/-/user/tokens/{id}/rotate", "/-/user/tokens/{id}/revoke", "/-/user/sessions/{id}/end", "/-/user/sessions/end",
	}
}

// inOrder are patterns with the destructive ones at the end.
func inOrder(patterns []string) []string {
	rank := func(pattern string) int {
		last := -1
		for i, ending := range lastPatterns() {
			if strings.HasSuffix(pattern, ending) {
				last = i
			}
		}
		return last
	}
	slices.SortStableFunc(patterns, func(a, b string) int { return rank(a) - rank(b) })
	return patterns
}

// TestShownFormsWork: nobody is shown a form that is refused when it is sent. What was
// filled in may be wrong.
func TestShownFormsWork(t *testing.T) {
	for _, who := range audience() {
		t.Run(who, func(t *testing.T) {
			o := newTour(newSite(t))
			b := o.of(who)
			posts := o.crawl(t, who, b).posts
			delete(posts, "POST /-/sign_in") // see TestSignIn
			delete(posts, "POST /-/sign_out")
			for _, pattern := range inOrder(sorted(posts)) {
				o.send(t, b, pattern, posts[pattern])
			}
		})
	}
}

// send fills in a form of a pattern and sends it, from the first of the pages that still
// shows one.
func (o *tour) send(t *testing.T, b *browser, pattern string, sheets []sheet) {
	t.Helper()
	for _, first := range sheets {
		page := b.get(first.page)
		if page.StatusCode != http.StatusOK {
			continue // an earlier form took it away
		}
		forms := page.parse(t).forms(first.page)
		if strings.Contains(pattern, "/members/") {
			slices.Reverse(forms) // to leave comes first, and would end what follows
		}
		for _, f := range forms {
			address := o.absolute(first.page, f.action)
			if f.method != "post" || o.pages.PatternOf(http.MethodPost, pathOf(address)) != pattern {
				continue
			}
			body, kind := f.filled().body(t)
			got := b.do(http.MethodPost, address, kind, body)
			switch got.StatusCode {
			case http.StatusOK, http.StatusSeeOther, http.StatusConflict, http.StatusUnprocessableEntity:
			default:
				t.Errorf("%s, from %s: %d %.400s", address, first.page, got.StatusCode, got.parse(t).text())
			}
			return
		}
	}
	t.Errorf("no page shows a form for %s any more, of %d", pattern, len(sheets))
}
