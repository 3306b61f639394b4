package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"granary/internal/fault"
	"granary/internal/registry"
)

// rowsOf is all that deeds on versions may change.
func (s *server) rowsOf() string {
	s.t.Helper()
	return fmt.Sprint(s.count("audit_events"), s.count("packages"),
		ask[string](s, `SELECT COALESCE(SUM(id), 0) || ',' || COALESCE(SUM(updated_at), 0) || ',' || COUNT(yanked_at) || ',' || COUNT(yank_reason) || ',' || COUNT(deprecation) FROM packages WHERE status <> 'hidden'`),
		ask[string](s, `SELECT COUNT(*) || ',' || COALESCE(SUM(moved_at), 0) FROM package_channels`))
}

// badDeed is a request that must change nothing.
type badDeed struct {
	method, at string
	body       any
	status     int
	words      string
}

func (s *server) refuses(token string, p string, deeds []badDeed) {
	s.t.Helper()
	before := s.rowsOf()
	for _, d := range deeds {
		got := s.as(token, d.method, generic(p, d.at), d.body)
		if got.StatusCode != d.status || !strings.Contains(got.body, d.words) {
			s.t.Errorf("%s %s %.100v: %d %.300s, want %d %s", d.method, d.at, d.body, got.StatusCode, got.body, d.status, d.words)
		}
		if after := s.rowsOf(); after != before {
			s.t.Fatalf("%s %s %.100v changed something: %s, before %s", d.method, d.at, d.body, after, before)
		}
	}
}

// TestBadVersionDeeds: bad input of PATCH, DELETE and channels is refused by a clear 4xx,
// and changes nothing.
func TestBadVersionDeeds(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	s.versionsIn(p, "app", "1.0.0", "2.0.0", "3.0.0", "4.0.0")
	s.edit(p, "app/2.0.0", map[string]any{"yanked": true})
	s.edit(p, "app/3.0.0", map[string]any{"status": "hidden"})
	s.root("PUT", generic(p, "app/@gone"), map[string]any{"version": "4.0.0"}).must(t, 201)
	s.root("PUT", generic(p, "app/@stable"), map[string]any{"version": "1.0.0"}).must(t, 201)
	s.root("DELETE", generic(p, "app/4.0.0"), nil).status(t, 204)
	to := func(v string) map[string]any { return map[string]any{"version": v} }
	yank := map[string]any{"yanked": true}
	s.refuses(rootToken, p, []badDeed{
		{"PATCH", "app/1.0.0", nil, 400, "yanked, deprecated, status are missing, at least one parameter must be provided"},
		{"PATCH", "app/1.0.0", map[string]any{"other": 1}, 400, "at least one parameter must be provided"},
		{"PATCH", "app/1.0.0", map[string]any{"yanked": "perhaps"}, 400, "yanked is invalid"},
		{"PATCH", "app/1.0.0", map[string]any{"status": "deprecated"}, 400, "status does not have a valid value"},
		{"PATCH", "app/1.0.0", map[string]any{"status": "pending_destruction"}, 400, "status does not have a valid value"},
		{"PATCH", "app/1.0.0", map[string]any{"reason": "why"}, 400, "reason needs yanked=true"},
		{"PATCH", "app/1.0.0", map[string]any{"reason": "why", "yanked": false}, 400, "reason needs yanked=true"},
		{"PATCH", "app/1.0.0", map[string]any{"deprecated": "x", "status": "default"}, 400, "deprecated, status are mutually exclusive"},
		{"PATCH", "app/1.0.0", map[string]any{"yanked": true, "reason": strings.Repeat("é", 1025)}, 400, "reason is too long"},
		{"PATCH", "app/1.0.0", map[string]any{"deprecated": strings.Repeat("x", 1025)}, 400, "deprecated is too long"},
		{"PATCH", "app/1.0.0", map[string]any{"deprecated": strings.Repeat("x", 100_000)}, 400, "deprecated is too long"},
		{"PATCH", "app/1.0.0", map[string]any{"deprecated": "a\x00b"}, 400, "contains a NUL"},
		{"PATCH", "app/1.0.0", "{", 400, ""},
		{"PATCH", "app/3.0.0", map[string]any{"deprecated": "x"}, 409, "409 Conflict - app 3.0.0 is hidden; set its status to default first"},
		{"PATCH", "app/4.0.0", yank, 404, "404 Not Found - there is no app 4.0.0"},
		{"PATCH", "none/1.0.0", yank, 404, "404 Not Found - there is no none 1.0.0"},
		{"PATCH", "app/latest", yank, 404, "404 Not Found"},
		{"PATCH", "app/%5E1", yank, 400, "package_version is invalid"},
		{"PATCH", "app/~1.0", yank, 400, "package_version is invalid"},
		{"PATCH", "app/@stable", yank, 404, "404 Not Found"},
		{"PATCH", "app", yank, 404, "404 Not Found"},
		{"DELETE", "app", nil, 404, "404 Not Found"},
		{"DELETE", "app/latest", nil, 404, "404 Not Found"},
		{"DELETE", "app/4.0.0", nil, 404, "404 Not Found - there is no app 4.0.0"},
		{"DELETE", "app/@none", nil, 404, "404 Not Found - app has no channel @none"},
		{"DELETE", "app/@None", nil, 400, ""},
		{"PUT", "app/1.0.0", to("1.0.0"), 404, "404 Not Found"},
		{"PUT", "app/latest", to("1.0.0"), 404, "404 Not Found"},
		{"PUT", "app/@stable", nil, 400, "version is missing"},
		{"PUT", "app/@stable", to(""), 400, "version"},
		{"PUT", "app/@stable", to("latest"), 404, "404 Not Found - there is no app latest"},
		{"PUT", "app/@stable", to("@stable"), 404, "404 Not Found"},
		{"PUT", "app/@stable", to("9.0.0"), 404, "404 Not Found - there is no app 9.0.0"},
		{"PUT", "app/@stable", to("4.0.0"), 404, "404 Not Found - there is no app 4.0.0"},
		{"PUT", "app/@stable", to("2.0.0"), 409, "409 Conflict - app 2.0.0 is yanked; a channel cannot lead to it"},
		{"PUT", "app/@stable", to("3.0.0"), 409, "409 Conflict - app 3.0.0 is hidden; a channel cannot lead to it"},
		{"PUT", "app/@stable", to(strings.Repeat("1", 100_000)), 400, ""},
		{"PUT", "app/@stable", to("1.0.0\x00"), 400, ""},
		{"PUT", "app/@" + strings.Repeat("a", 64), to("1.0.0"), 400, "channel is invalid, want @ and a lower case letter"},
		{"PUT", "app/@Stable", to("1.0.0"), 400, "channel is invalid"},
		{"PUT", "app/@1", to("1.0.0"), 400, "channel is invalid"},
		{"PUT", "app/@", to("1.0.0"), 400, "channel is invalid"},
		{"PUT", "app/@a_b", to("1.0.0"), 400, "channel is invalid"},
		{"PUT", "a~b/@stable", to("1.0.0"), 400, "package_name is invalid"},
		{"PUT", "none/@stable", to("1.0.0"), 404, "404 Not Found - there is no none 1.0.0"},
		{"POST", "app", yank, 404, "404 Not Found"},
	})
	longest := "app/@" + strings.Repeat("a", 63)
	s.root("PUT", generic(p, longest), to("1.0.0")).must(t, 201)
	s.root("GET", generic(p, longest+"/f"), nil).is(t, 200, "1.0.0")
	s.root("DELETE", generic(p, longest), nil).status(t, 204)
}

// TestChannelConditions: If-Match compares and sets, and what is there already stays.
func TestChannelConditions(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	s.versionsIn(p, "app", "1.0.0", "2.0.0")
	at := generic(p, "app/@stable")
	put := func(version, match string) answer {
		return s.do("PUT", at, strings.NewReader("version="+version), "PRIVATE-TOKEN: "+rootToken, "Content-Type: application/x-www-form-urlencoded", match)
	}
	put("1.0.0", `If-Match: "1.0.0"`).is(t, 412, `{"message":"412 Precondition Failed - there is no such channel"}`)
	fields(t, put("1.0.0", "X-None: ").must(t, 201), map[string]string{"version": "1.0.0", "channels": "[stable]"})
	told := s.count("audit_events")
	fields(t, put("1.0.0", "X-None: ").must(t, 200), map[string]string{"version": "1.0.0"})
	put("1.0.0", `If-Match: "1.0.0"`).must(t, 200)
	put("2.0.0", `If-Match: "2.0.0"`).is(t, 412, `{"message":"412 Precondition Failed - the channel leads to 1.0.0"}`)
	for _, bad := range []string{"1.0.0", `"1.0.0", "2.0.0"`, `W/"1.0.0"`, `"`, `""`} {
		put("2.0.0", "If-Match: "+bad).starts(t, 400, "400 Bad request - If-Match is invalid")
	}
	put("2.0.0", "If-None-Match: *").is(t, 412, `{"message":"412 Precondition Failed - the channel leads to 1.0.0"}`)
	if n := s.count("audit_events"); n != told {
		t.Errorf("%d events, want %d", n, told)
	}
	put("1.0.0", "If-Match: *").must(t, 200)
	put("2.0.0", `If-Match: "1.0.0"`).must(t, 200)
	s.selects(p, "app", "@stable", "2.0.0")
	s.root("DELETE", generic(p, "app/2.0.0"), nil).status(t, 204)
	put("1.0.0", `If-Match: "2.0.0"`).must(t, 200) // it led there, to nothing
	s.selects(p, "app", "@stable", "1.0.0")
}

// TestVersionIsDeletedUnlessChanged: a date holds for the version, as for the package.
func TestVersionIsDeletedUnlessChanged(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "private"))
	s.versionsIn(p, "app", "1.0.0", "2.0.0")
	s.edit(p, "app/2.0.0", map[string]any{"status": "hidden"})
	at := generic(p, "app/1.0.0")
	s.do("DELETE", at, nil, "PRIVATE-TOKEN: "+rootToken, "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT").status(t, 412)
	s.root("GET", at+"/f", nil).is(t, 200, "1.0.0")
	s.do("DELETE", at, nil, "PRIVATE-TOKEN: "+rootToken, "If-Unmodified-Since: "+time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)).is(t, 204, "")
	s.root("DELETE", at, nil).status(t, 404)
	s.root("DELETE", generic(p, "app/2.0.0"), nil).is(t, 204, "") // a hidden one, too
	s.root("GET", generic(p, "app/2.0.0/f"), nil).status(t, 404)
}

// TestChannelLimit: a package has so many channels, and then is full.
func TestChannelLimit(t *testing.T) {
	s := newServer(t)
	s.registry.Limits = registry.Limits{Channels: fault.Limit{Most: 2, Of: "channels of a package", Cure: "remove one first"}}
	p := s.projectID(s.project("tool", "private"))
	s.versionsIn(p, "app", "1.0.0")
	for channel, want := range map[string][]int{"@a": {201, 200}, "@b": {201, 200}} {
		for _, status := range want {
			s.root("PUT", generic(p, "app/"+channel), map[string]any{"version": "1.0.0"}).must(t, status)
		}
	}
	s.root("PUT", generic(p, "app/@c"), map[string]any{"version": "1.0.0"}).
		is(t, 422, `{"message":{"base":["Maximum number of channels of a package (2) exceeded: remove one first"]}}`)
	s.root("DELETE", generic(p, "app/@a"), nil).status(t, 204)
	s.root("PUT", generic(p, "app/@c"), map[string]any{"version": "1.0.0"}).must(t, 201)
}

// TestVersionDeedsArePermitted: roles, and the protection rules: those for pushing hold for
// channels, those for deleting for PATCH and DELETE.
func TestVersionDeedsArePermitted(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "private"))
	tokens := map[string]string{}
	for name, role := range map[string]int{"reporter": 20, "developer": 30, "maintainer": 40} {
		user, token := s.user(name)
		s.member(p, user, role)
		tokens[name] = token
	}
	_, tokens["stranger"] = s.user("stranger")
	s.versionsIn(p, "app", "1.0.0")
	s.versionsIn(p, "kept", "1.0.0")
	channel, yank := map[string]any{"version": "1.0.0"}, map[string]any{"yanked": false}
	try := func(pkg, who string, put, patch int, words string) {
		t.Helper()
		for _, got := range []struct {
			answer
			want int
		}{{s.as(tokens[who], "PUT", generic(p, pkg+"/@stable"), channel), put}, {s.as(tokens[who], "PATCH", generic(p, pkg+"/1.0.0"), yank), patch}} {
			if got.StatusCode != got.want || got.want == 403 && !strings.Contains(got.body, words) {
				t.Errorf("%s of %s: %d %s, want %d", who, pkg, got.StatusCode, got.body, got.want)
			}
		}
	}
	s.root("PUT", generic(p, "app/@stable"), channel).must(t, 201)
	try("app", "stranger", 404, 404, "")
	try("app", "reporter", 403, 403, "403 Forbidden")
	try("app", "developer", 200, 403, "403 Forbidden")
	try("app", "maintainer", 200, 200, "")
	s.do("PUT", generic(p, "app/@stable"), strings.NewReader("")).status(t, 401)
	s.do("PATCH", generic(p, "app/1.0.0"), strings.NewReader("")).status(t, 401)
	s.do("DELETE", generic(p, "app/1.0.0"), nil).status(t, 401)
	s.as(tokens["developer"], "DELETE", generic(p, "app/1.0.0"), nil).status(t, 403)

	s.root("POST", v4+"/projects/"+p+"/packages/protection/rules", map[string]any{"package_name_pattern": "kept", "package_type": "generic",
		"minimum_access_level_for_push": "maintainer", "minimum_access_level_for_delete": "owner"}).must(t, 201)
	try("kept", "developer", 403, 403, "403 Forbidden")
	try("kept", "maintainer", 201, 403, "Package is deletion protected")
	s.refuses(tokens["developer"], p, []badDeed{
		{"PUT", "kept/@next", channel, 403, "Package protected"}, {"DELETE", "kept/@stable", nil, 403, "Package protected"},
	})
	s.refuses(tokens["maintainer"], p, []badDeed{
		{"DELETE", "kept/1.0.0", nil, 403, "Package is deletion protected"}, {"PATCH", "kept/1.0.0", map[string]any{"yanked": true}, 403, "Package is deletion protected"},
	})
	s.edit(p, "kept/1.0.0", map[string]any{"yanked": true}) // by an administrator
}

// TestVersionHooks: what webhooks are told of edits and channels.
func TestVersionHooks(t *testing.T) {
	s := newServer(t)
	s.allowed()
	p := s.projectID(s.project("tool", "private"))
	url, got := receive(t, 200)
	s.versionsIn(p, "app", "1.0.0", "2.0.0")
	s.root("POST", v4+"/projects/"+p+"/hooks", map[string]any{"url": url}).must(t, 201)
	told := func(action string, want map[string]string) {
		t.Helper()
		event := decode(t, next(t, got).body)
		about := event["object_attributes"].(map[string]any)
		want["action"] = action
		fields(t, about, want)
		fields(t, event["user"].(map[string]any), map[string]string{"username": "root"})
	}
	edits := []struct {
		change map[string]any
		action string
		want   map[string]string
	}{
		{map[string]any{"yanked": true, "reason": "leaks"}, "yank", map[string]string{"version": "1.0.0", "yanked": "true", "yank_reason": "leaks"}},
		{map[string]any{"yanked": true, "reason": "leaks more"}, "yank", map[string]string{"yank_reason": "leaks more"}},
		{map[string]any{"yanked": false}, "unyank", map[string]string{"yanked": "false"}},
		{map[string]any{"deprecated": "use 2"}, "deprecate", map[string]string{"status": "deprecated"}},
		{map[string]any{"deprecated": nil}, "undeprecate", map[string]string{"status": "default"}},
		{map[string]any{"status": "hidden"}, "hide", map[string]string{"status": "hidden"}},
		{map[string]any{"status": "default"}, "show", map[string]string{"status": "default"}},
	}
	for _, e := range edits {
		s.edit(p, "app/1.0.0", e.change)
		s.edit(p, "app/1.0.0", e.change) // a repetition is not told
		told(e.action, e.want)
	}
	for _, version := range []string{"1.0.0", "1.0.0", "2.0.0"} {
		s.root("PUT", generic(p, "app/@stable"), map[string]any{"version": version})
	}
	told("channel", map[string]string{"channel": "stable", "version": "1.0.0"})
	told("channel", map[string]string{"channel": "stable", "version": "2.0.0"})
	s.root("DELETE", generic(p, "app/@stable"), nil).status(t, 204)
	told("channel-gone", map[string]string{"channel": "stable", "version": "2.0.0"})
	s.root("DELETE", generic(p, "app/2.0.0"), nil).status(t, 204)
	told("delete", map[string]string{"version": "2.0.0"})
}
