package api_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestDraftsAreHidden: whoever may not publish sees nothing of a draft by any address, and
// whoever may publish sees it where it is asked for.
func TestDraftsAreHidden(t *testing.T) {
	s := newServer(t)
	group := s.group("acme", 0)
	p := s.projectID(s.projectIn(group, "tool", "public"))
	s.root("PUT", v4+"/projects/"+p, map[string]any{"generic_package_naming": "relaxed"}).must(t, 200)
	at := generic(p, "secret/1.0.0")
	s.root("PUT", at+"/treasure"+drafted, "bytes of the draft").is(t, 201, created)
	draft := s.root("GET", at+drafted, nil).must(t, 200)
	id := fmt.Sprint(draft["package_id"])
	file := ask[string](s, `SELECT MAX(id) || '' FROM package_files`)
	tokens := map[string]string{}
	for name, role := range map[string]int{"guest": 10, "reporter": 20, "developer": 30} {
		user, token := s.user(name)
		s.member(p, user, role)
		tokens[name] = token
	}
	_, tokens["stranger"] = s.user("stranger")
	packages, of := v4+"/projects/"+p+"/packages", "/"+id
	places := []string{
		at + "/treasure", at, at + "/@SHA256SUMS", at + "/@all.tar", at + "/treasure" + drafted, at + drafted, at + "/@SHA256SUMS" + drafted,
		generic(p, "secret"), generic(p, "secret/latest"), generic(p, "secret/1.x/treasure"), packages, packages + drafted, packages + of,
		packages + of + "/package_files", packages + of + "/pipelines", packages + of + "/package_files/" + file + "/download",
		packages + "?package_name=secret", packages + "?status=default", v4 + "/groups/acme/packages", v4 + "/groups/acme/packages" + drafted,
	}
	shown := 0
	for who, token := range tokens {
		for _, place := range places {
			got := s.as(token, "GET", place, nil)
			names := strings.Contains(got.body, "secret") && got.StatusCode < 300 || strings.Contains(got.body, "treasure") || strings.Contains(got.body, "bytes of the draft")
			asked := strings.HasSuffix(place, drafted) || strings.Contains(place, of+"/") || strings.HasSuffix(place, of)
			switch {
			case names && who != "developer":
				t.Errorf("%s sees the draft at %s: %d %.200s", who, place, got.StatusCode, got.body)
			case names && !asked:
				t.Errorf("%s sees the draft at %s unasked: %d %.200s", who, place, got.StatusCode, got.body)
			case names:
				shown++
			}
		}
		if who != "developer" {
			for _, path := range []string{of, of + "/package_files/" + file} {
				if got := s.as(token, "DELETE", packages+path, nil); got.StatusCode < 400 {
					t.Errorf("%s deleted %s: %d", who, path, got.StatusCode)
				}
			}
		}
	}
	if shown < 8 {
		t.Errorf("a developer sees the draft at %d addresses only", shown)
	}
	for _, place := range places {
		got := s.do("GET", place, nil)
		if strings.Contains(got.body, "treasure") || got.StatusCode < 300 && strings.Contains(got.body, "secret") {
			t.Errorf("a stranger without a login sees the draft at %s: %.200s", place, got.body)
		}
	}
	s.as(tokens["developer"], "DELETE", packages+of, nil).status(t, 204)
	s.as(tokens["developer"], "GET", at+drafted, nil).status(t, 404)
	s.root("PUT", at+"/f", "x").is(t, 201, created)
	made := s.root("GET", at, nil).must(t, 200)
	s.as(tokens["developer"], "DELETE", packages+"/"+fmt.Sprint(made["package_id"]), nil).is(t, 403, forbidden)
	s.as(tokens["developer"], "DELETE", packages+"/999999", nil).is(t, 403, forbidden)
}

// TestFinalIsShownAtOnce: a final version has all of its files, is listed, selected and
// told of once.
func TestFinalIsShownAtOnce(t *testing.T) {
	s := newServer(t)
	s.allowed()
	p := s.projectID(s.project("tool", "public"))
	url, got := receive(t, 200)
	s.root("POST", v4+"/projects/"+p+"/hooks", map[string]any{"url": url}).must(t, 201)
	at := generic(p, "app/1.0.0")
	for i := range 120 {
		s.root("PUT", fmt.Sprintf("%s/f%03d%s", at, i, drafted), "x").is(t, 201, created)
	}
	made := s.root("POST", at, map[string]any{"status": "default"}).must(t, 201)
	s.root("POST", at, nil).must(t, 200)
	s.root("PUT", at+"/f001", "x").is(t, 201, created)
	event := decode(t, next(t, got).body)
	about := event["object_attributes"].(map[string]any)
	fields(t, about, map[string]string{"action": "finalise", "version": "1.0.0", "status": "default", "files_count": "120", "manifest_sha256": fmt.Sprint(made["manifest_sha256"])})
	if files := about["package_files"].([]any); len(files) != 100 || files[0].(map[string]any)["file_name"] != "f000" {
		t.Errorf("%d files are told", len(files))
	}
	s.root("DELETE", at, nil).status(t, 204)
	if about := decode(t, next(t, got).body)["object_attributes"].(map[string]any); about["action"] != "delete" {
		t.Errorf("the next event is %v", about["action"])
	}
}

// TestFinalIsCached: caches may keep what everyone may read and what never changes, and
// nothing else.
func TestFinalIsCached(t *testing.T) {
	s := newServer(t)
	for visibility, want := range map[string]string{"public": "public, max-age=86400", "private": "max-age=0, private, must-revalidate"} {
		p := s.projectID(s.project(visibility, visibility))
		at := generic(p, "app/1.0.0")
		s.root("PUT", at+"/f", "x").is(t, 201, created)
		s.root("GET", at+"/f", nil).header(t, "Cache-Control: max-age=0, private, must-revalidate")
		s.root("POST", at, nil).must(t, 201)
		for _, path := range []string{"/f", "/@all.tar", "/@SHA256SUMS"} {
			s.root("GET", at+path, nil).header(t, "Cache-Control: "+want)
		}
		s.root("GET", generic(p, "app/latest/f"), nil).header(t, "Cache-Control: no-cache, private")
	}
}

// TestFinalIsRepaired: a retry of a publish gives a final version its lost bytes back,
// whatever their size, and takes no others.
func TestFinalIsRepaired(t *testing.T) { onEachStore(t, testFinalIsRepaired) }

func testFinalIsRepaired(t *testing.T, s *server) {
	s.registry.InlineMax = 0
	p := s.projectID(s.project("tool", "private"))
	for i, body := range []string{"few bytes that are lost", strings.Repeat("many bytes that are lost", 10_000)} {
		at := generic(p, fmt.Sprintf("app/%d.0.0", i))
		s.root("PUT", at+"/f"+drafted, body).is(t, 201, created)
		s.root("POST", at, nil).must(t, 201)
		s.ruin(body, 0)
		if i == 0 {
			s.registry.InlineMax = 64 << 10 // the file is in the store nevertheless
		}
		s.root("GET", at+"/f", nil).status(t, 500)
		s.root("PUT", at+"/f", strings.ToUpper(body)).status(t, 409)
		s.root("GET", at+"/f", nil).status(t, 500)
		s.root("PUT", at+"/f", body).is(t, 201, created)
		s.root("GET", at+"/f", nil).is(t, 200, body)
	}
}

// TestSlowBodyMeetsFinalise: a version that becomes final while a body arrives takes it
// only if it has these bytes already; no 201 is missing in the manifest.
func TestSlowBodyMeetsFinalise(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "private"))
	for i, body := range []string{"small", strings.Repeat("large", 100_000)} {
		at := generic(p, fmt.Sprintf("app/%d.0.0", i))
		s.root("PUT", at+"/f"+drafted, body).is(t, 201, created)
		end := atEnd(func() { s.root("POST", at, nil) })
		s.do("PUT", at+"/g"+drafted, io.MultiReader(strings.NewReader(body), end), "PRIVATE-TOKEN: "+rootToken).status(t, 409)
		v := s.root("GET", at, nil).must(t, 200)
		if fmt.Sprint(v["files_count"]) != "1" {
			t.Errorf("%v files", v["files_count"])
		}
		again := atEnd(func() { s.root("POST", generic(p, fmt.Sprintf("same/%d.0.0", i)), nil) })
		at = generic(p, fmt.Sprintf("same/%d.0.0", i))
		s.root("PUT", at+"/f"+drafted, body).is(t, 201, created)
		s.do("PUT", at+"/f"+drafted, io.MultiReader(strings.NewReader(body), again), "PRIVATE-TOKEN: "+rootToken).status(t, 201)
	}
}
