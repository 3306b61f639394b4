package ui_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// deedRow is a form, who may send it, and fields with which it changes nothing.
type deedRow struct {
	route  string
	least  string // the lowest of guest, developer, maintainer, owner, admin that may
	fields []string
}

// settingsDeeds are all forms of the pages of settings, members and webhooks.
func settingsDeeds() []deedRow {
	rows := []deedRow{
		{"project/settings", "maintainer", []string{"name", ""}},
		{"project/settings/visibility", "owner", []string{"visibility", "20"}},
		{"project/settings/feature", "admin", []string{"value", "1"}},
		{"project/settings/archive", "owner", []string{"archived", "0"}},
		{"project/settings/transfer", "owner", []string{"namespace", "acme"}},
		{"project/settings/packages", "maintainer", []string{"generic_packages_max_file_size", "many"}},
		{"project/settings/protection", "maintainer", []string{"package_name_pattern", ""}},
		{"project/settings/protection/{id}", "maintainer", nil},
		{"project/settings/protection/{id}/delete", "maintainer", nil},
		{"project/settings/job_token", "maintainer", []string{"limited", "1"}},
		{"project/settings/job_token/add", "maintainer", []string{"path", "acme/tools"}},
		{"project/settings/job_token/remove", "maintainer", []string{"kind", "project", "id", "99999"}},
		{"project/hooks", "maintainer", []string{"url", "ftp://x"}},
		{"project/hooks/{id}", "maintainer", []string{"url", "ftp://x"}},
		{"project/hooks/{id}/test", "maintainer", nil},
		{"project/hooks/{id}/delete", "maintainer", nil},
		{"project/hooks/{id}/headers", "maintainer", []string{"header", "X", "header_value", "y"}},
		{"project/hooks/{id}/headers/remove", "maintainer", []string{"header", "X"}},
		{"project/hooks/{id}/attempts/{attempt}/resend", "maintainer", nil},
		{"group/settings", "owner", []string{"name", ""}},
		{"group/settings/visibility", "owner", []string{"visibility", "99"}},
		{"group/settings/transfer", "owner", []string{"namespace", ""}},
	}
	for _, place := range []string{"project", "group"} {
		least := map[string]string{"project": "maintainer", "group": "owner"}[place]
		rows = append(rows,
			deedRow{place + "/members", least, []string{"username", "nobody-here", "access_level", "10"}},
			deedRow{place + "/members/{id}", least, []string{"access_level", "10"}},
			deedRow{place + "/members/{id}/remove", least, nil},
			deedRow{place + "/settings/deploy_tokens", least, []string{"name", "x"}},
			deedRow{place + "/settings/deploy_tokens/{id}/delete", least, nil},
			deedRow{place + "/settings/access_tokens", least, []string{"name", "x", "access_level", "10"}},
			deedRow{place + "/settings/access_tokens/{id}/rotate", least, nil},
			deedRow{place + "/settings/access_tokens/{id}/revoke", least, nil},
			deedRow{place + "/settings/variables", least, []string{"key", "A-B"}},
			deedRow{place + "/settings/variables/{key}", least, []string{"environment_scope", "*"}},
			deedRow{place + "/settings/variables/{key}/reveal", least, nil},
			deedRow{place + "/settings/variables/{key}/delete", least, nil},
			deedRow{place + "/settings/delete", "owner", []string{"full_path", "acme/other"}})
	}
	return rows
}

// TestWhoMaySend: each form is refused to those who may not do its deed, and to nobody
// else. A form that is not in the table fails.
func TestWhoMaySend(t *testing.T) {
	s := newSite(t)
	s.acme()
	roles := []string{"guest", "developer", "maintainer", "owner", "admin"}
	everybody := s.everybody()
	var listed []string
	for _, row := range settingsDeeds() {
		place, rest, _ := strings.Cut(row.route, "/")
		listed = append(listed, "POST /{"+place+"}/-/"+rest)
		path := map[string]string{"project": "/acme/tools/-/", "group": "/acme/-/"}[place] + strings.NewReplacer("{id}", "99999", "{attempt}", "99999", "{key}", "NONE").Replace(rest)
		for name, b := range everybody {
			got := b.post(path, row.fields...)
			switch may := slices.Index(roles, name) >= slices.Index(roles, row.least); {
			case name == "nobody":
				if got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/-/sign_in?to=") {
					t.Errorf("%s by nobody: %d to %q", path, got.StatusCode, got.Header.Get("Location"))
				}
			case name == "stranger":
				got.wants(t, http.StatusNotFound)
			case name == "read-only" && got.StatusCode == http.StatusNotFound: // it may read that there is none
			case row.least == "admin" && !may:
				got.wants(t, http.StatusNotFound)
			case may && (got.StatusCode == http.StatusForbidden || got.StatusCode >= http.StatusInternalServerError || got.StatusCode == http.StatusMethodNotAllowed):
				t.Errorf("%s by %s: %d: %.300s", path, name, got.StatusCode, got.body)
			case !may && got.StatusCode != http.StatusForbidden:
				t.Errorf("%s by %s: %d, want 403: %.300s", path, name, got.StatusCode, got.body)
			}
		}
	}
	for _, pattern := range s.pages.Patterns() {
		_, path, _ := strings.Cut(pattern, "/-/")
		top, _, _ := strings.Cut(path, "/")
		if mine := strings.HasPrefix(pattern, "POST /{") && slices.Contains([]string{"settings", "members", "hooks"}, top); mine && !slices.Contains(listed, pattern) {
			t.Errorf("%s is in no row of settingsDeeds", pattern)
		}
	}
}
