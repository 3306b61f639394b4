package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func releasesOf(project string) string { return "/api/v4/projects/" + project + "/releases" }

// release makes a release of v1.0.0 with what else is given.
func (s *server) release(project string, more map[string]any) map[string]any {
	s.t.Helper()
	body := map[string]any{"tag_name": "v1.0.0"}
	for k, v := range more {
		body[k] = v
	}
	return s.root("POST", releasesOf(project), body).must(s.t, 201)
}

func TestReleases(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	at := releasesOf(p)

	t.Run("one is made from a tag alone, and is named like it", func(t *testing.T) {
		made := s.release(p, nil)
		if made["name"] != "v1.0.0" || made["tag_name"] != "v1.0.0" || made["upcoming_release"] != false {
			t.Errorf("made %v", made)
		}
		if self := made["_links"].(map[string]any)["self"]; self != s.url+"/root/tool/-/releases/v1.0.0" {
			t.Errorf("self is %v", self)
		}
		if made["author"].(map[string]any)["username"] != "root" || made["commit"] != nil {
			t.Errorf("made %v", made)
		}
		for _, list := range []string{"milestones", "evidences"} {
			if _, ok := made[list].([]any); !ok {
				t.Errorf("%s is %v, want a list", list, made[list])
			}
		}
	})
	t.Run("a tag has one", func(t *testing.T) {
		s.root("POST", at, map[string]any{"tag_name": "v1.0.0"}).is(t, 409, `{"message":"Release already exists"}`)
	})
	t.Run("it is read back, its tag escaped or not", func(t *testing.T) {
		s.root("GET", at+"/v1.0.0", nil).must(t, 200)
		s.root("GET", at+"/v1%2E0%2E0", nil).must(t, 200)
		s.root("GET", at+"/v9", nil).is(t, 404, `{"message":"404 Not Found"}`)
	})
	t.Run("an edit changes what it names", func(t *testing.T) {
		got := s.root("PUT", at+"/v1.0.0", map[string]any{"description": "* new", "milestones": []string{"M1"}}).must(t, 200)
		if got["description"] != "* new" || got["name"] != "v1.0.0" || len(got["milestones"].([]any)) != 1 {
			t.Errorf("got %v", got)
		}
		got = s.root("PUT", at+"/v1.0.0", map[string]any{"name": "One", "description": nil, "milestones": []string{}}).must(t, 200)
		if got["description"] != "* new" || got["name"] != "One" || len(got["milestones"].([]any)) != 0 {
			t.Errorf("got %v", got)
		}
		s.root("PUT", at+"/v9", map[string]any{"name": "x"}).is(t, 404, `{"message":"404 Not Found"}`)
	})
	t.Run("a commit as ref is shown", func(t *testing.T) {
		sha := strings.Repeat("0123456789", 4)
		made := s.root("POST", at, map[string]any{"tag_name": "a/b", "ref": sha, "tag_message": "m"}).must(t, 201)
		if commit := made["commit"].(map[string]any); commit["id"] != sha || commit["short_id"] != "01234567" {
			t.Errorf("commit %v", commit)
		}
		got := s.root("GET", at+"/a%2Fb", nil).must(t, 200)
		if self := got["_links"].(map[string]any)["self"]; self != s.url+"/root/tool/-/releases/a%2Fb" {
			t.Errorf("self is %v", self)
		}
	})
	t.Run("its deletion answers with it", func(t *testing.T) {
		gone := s.root("DELETE", at+"/a%2Fb", nil).must(t, 200)
		if gone["tag_name"] != "a/b" {
			t.Errorf("gone %v", gone)
		}
		s.root("DELETE", at+"/a%2Fb", nil).is(t, 404, `{"message":"404 Not Found"}`)
	})
	for _, bad := range []struct {
		name string
		body map[string]any
		want string
	}{
		{"no tag", map[string]any{"name": "x"}, `{"error":"tag_name is missing"}`},
		{"a tag that git would refuse", map[string]any{"tag_name": "a..b"}, `{"message":"Tag name invalid"}`},
		{"two kinds of milestones", map[string]any{"tag_name": "x", "milestones": "a", "milestone_ids": []int{1}}, `{"error":"milestones, milestone_ids are mutually exclusive"}`},
		{"milestones by id", map[string]any{"tag_name": "x", "milestone_ids": []int{1, 2}}, `{"message":"Milestone id(s) not found: 1, 2"}`},
		{"a date that is none", map[string]any{"tag_name": "x", "released_at": "soon"}, `{"error":"released_at is invalid"}`},
		{"a link without address", map[string]any{"tag_name": "x", "assets": map[string]any{"links": []any{map[string]any{"name": "n"}}}}, `{"error":"assets[links][url] is missing"}`},
		{"links that are none", map[string]any{"tag_name": "x", "assets": map[string]any{"links": []any{map[string]any{"name": "n", "url": "http://x"}, 1}}}, `{"error":"assets[links] is invalid"}`},
		{"two links of a name", map[string]any{"tag_name": "x", "assets": map[string]any{"links": []any{
			map[string]any{"name": "n", "url": "http://x/1"}, map[string]any{"name": "n", "url": "http://x/2"}}}}, `{"message":{"name":["has already been taken"]}}`},
	} {
		t.Run("refused: "+bad.name, func(t *testing.T) { s.root("POST", at, bad.body).is(t, 400, bad.want) })
	}
}

func TestReleasesAreListedInOrder(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	at := releasesOf(p)
	for _, r := range []struct{ tag, released string }{{"a", "2020-01-02"}, {"b", "2020-01-03"}, {"c", "2020-01-01"}, {"soon", "2090-01-01"}} {
		s.root("POST", at, map[string]any{"tag_name": r.tag, "released_at": r.released}).must(t, 201)
	}
	for _, list := range []struct{ query, want string }{
		{"", "soon b a c"},
		{"?sort=asc", "c a b soon"},
		{"?order_by=created_at", "soon c b a"},
		{"?order_by=created_at&sort=asc", "a b c soon"},
		{"?per_page=2&page=2", "a c"},
		{"?page=3", ""},
		{"?updated_after=2999-01-01", ""},
		{"?updated_before=2000-01-01", ""},
	} {
		got := s.do("GET", at+list.query, nil)
		got.must(t, 200)
		if tags := tagsOf(t, got.body); tags != list.want {
			t.Errorf("%q lists %q, want %q", list.query, tags, list.want)
		}
		if got.Header.Get("X-Total") == "" || !strings.Contains(got.Header.Get("Link"), `rel="first"`) {
			t.Errorf("%q has no paging headers", list.query)
		}
	}
	s.do("GET", at+"?order_by=name", nil).is(t, 400, `{"error":"order_by does not have a valid value"}`)

	t.Run("one of the future is upcoming", func(t *testing.T) {
		if got := s.do("GET", at+"/soon", nil).must(t, 200); got["upcoming_release"] != true {
			t.Errorf("got %v", got)
		}
		s.skew = 100 * 365 * 24 * time.Hour
		defer func() { s.skew = 0 }()
		if got := s.do("GET", at+"/soon", nil).must(t, 200); got["upcoming_release"] != false {
			t.Errorf("got %v", got)
		}
	})
	t.Run("the latest is the one that came out last", func(t *testing.T) {
		for path, want := range map[string]string{
			at + "/permalink/latest":                             s.url + at + "/b",
			at + "/%70ermalink/latest/assets/links":              s.url + at + "/b/assets/links",
			at + "/permalink/latest/downloads/a%20b":             s.url + at + "/b/downloads/a%20b",
			"/root/tool/-/releases/permalink/latest":             s.url + "/root/tool/-/releases/b",
			"/root/tool/-/releases/permalink/latest/downloads/x": s.url + "/root/tool/-/releases/b/downloads/x",
		} {
			if got := s.do("GET", path, nil); got.StatusCode != 302 || got.Header.Get("Location") != want {
				t.Errorf("%s: %d %s, want %s", path, got.StatusCode, got.Header.Get("Location"), want)
			}
		}
		s.project("empty", "public")
		s.do("GET", "/api/v4/projects/root%2Fempty/releases/permalink/latest", nil).is(t, 404, `{"message":"404 Not Found"}`)
	})
}

func tagsOf(t *testing.T, body string) string {
	t.Helper()
	var found []struct {
		Tag string `json:"tag_name"`
	}
	if err := json.Unmarshal([]byte(body), &found); err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, r := range found {
		tags = append(tags, r.Tag)
	}
	return strings.Join(tags, " ")
}

func TestReleaseLinks(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	s.release(p, map[string]any{"assets": map[string]any{"links": []any{
		map[string]any{"name": "old", "url": "https://example.com/old", "filepath": "/bin/old", "link_type": "package"},
	}}})
	links := releasesOf(p) + "/v1.0.0/assets/links"
	tool := map[string]any{"name": "tool", "url": "https://example.com/a%2Fb?c", "direct_asset_path": "/tool"}

	made := s.root("POST", links, tool).must(t, 201)
	id := itoa(int64(made["id"].(float64)))
	t.Run("a link has an address of its own", func(t *testing.T) {
		want := s.url + "/root/tool/-/releases/v1.0.0/downloads/tool"
		if made["direct_asset_url"] != want || made["link_type"] != "other" || made["url"] != tool["url"] {
			t.Errorf("made %v", made)
		}
	})
	t.Run("without a path that is where it leads", func(t *testing.T) {
		bare := s.root("POST", links, map[string]any{"name": "bare", "url": "ftp://example.com/x"}).must(t, 201)
		if bare["direct_asset_url"] != "ftp://example.com/x" {
			t.Errorf("made %v", bare)
		}
	})
	t.Run("both its own download addresses redirect there", func(t *testing.T) {
		for _, path := range []string{releasesOf(p) + "/v1.0.0/downloads/tool", "/root/tool/-/releases/v1.0.0/downloads/tool"} {
			got := s.root("GET", path, nil)
			if got.StatusCode != 302 || got.Header.Get("Location") != tool["url"] {
				t.Errorf("%s: %d %s", path, got.StatusCode, got.Header.Get("Location"))
			}
			s.root("GET", path+"x", nil).is(t, 404, `{"message":"404 Not Found"}`)
		}
		if got := s.root("GET", "/root/tool/-/releases/v1.0.0/downloads/bin/old", nil); got.Header.Get("Location") != "https://example.com/old" {
			t.Errorf("old: %d %v", got.StatusCode, got.Header)
		}
		s.do("GET", "/root/tool/-/releases/v1.0.0/downloads/tool", nil).is(t, 401, `{"message":"401 Unauthorized"}`)
		basic, err := http.NewRequest("GET", s.url+"/root/tool/-/releases/v1.0.0/downloads/tool", nil)
		if err != nil {
			t.Fatal(err)
		}
		basic.SetBasicAuth("root", rootToken)
		if got, err := http.DefaultTransport.RoundTrip(basic); err != nil || got.Body.Close() != nil || got.StatusCode != 302 {
			t.Errorf("Basic: %v %v", got, err)
		}
	})
	t.Run("downloads without a file are none", func(t *testing.T) {
		for _, path := range []string{releasesOf(p) + "/v1.0.0/downloads", releasesOf(p) + "/v1.0.0/downloads/", "/root/tool/-/releases/v1.0.0/downloads/",
			"/root/tool/-/releases/v1.0.0/downloads", "/tool/-/releases/v1.0.0/downloads/tool", "/root/tool/-/releases/v9", "/tool/-/releases/v1.0.0", "/root/tool/-/releases/"} {
			s.root("GET", path, nil).must(t, 404)
		}
		s.root("POST", "/root/tool/-/releases/v1.0.0/downloads/tool", nil).must(t, 404)
	})
	t.Run("a second of a name is refused with what GoReleaser waits for", func(t *testing.T) {
		s.root("POST", links, tool).is(t, 400, `{"message":{"name":["has already been taken"]}}`)
		s.root("POST", links, map[string]any{"name": "x", "url": tool["url"]}).is(t, 400, `{"message":{"url":["has already been taken"]}}`)
		s.root("POST", links, map[string]any{"name": "x", "url": "http://x", "filepath": "/tool"}).is(t, 400, `{"message":{"filepath":["has already been taken"]}}`)
	})
	for _, bad := range []struct {
		name string
		body map[string]any
		want string
	}{
		{"no name", map[string]any{"url": "http://x"}, `{"error":"name is missing"}`},
		{"no address", map[string]any{"name": "x"}, `{"error":"url is missing"}`},
		{"a script as address", map[string]any{"name": "x", "url": "javascript:alert(1)"}, `{"message":{"url":["is blocked: Only allowed schemes are http, https, ftp"]}}`},
		{"an address that is relative", map[string]any{"name": "x", "url": "//example.com"}, `{"message":{"url":["is blocked: Only allowed schemes are http, https, ftp"]}}`},
		{"a path that is relative", map[string]any{"name": "x", "url": "http://x", "direct_asset_path": "x"}, `{"message":{"filepath":["is in an invalid format"]}}`},
		{"a path that leads out", map[string]any{"name": "x", "url": "http://x", "filepath": "/../x"}, `{"message":{"filepath":["is in an invalid format"]}}`},
		{"a type of its own", map[string]any{"name": "x", "url": "http://x", "link_type": "zip"}, `{"error":"link_type does not have a valid value"}`},
	} {
		t.Run("refused: "+bad.name, func(t *testing.T) { s.root("POST", links, bad.body).is(t, 400, bad.want) })
	}
	t.Run("they are listed newest first, a page at a time", func(t *testing.T) {
		got := s.root("GET", links+"?per_page=2&page=2", nil)
		got.must(t, 200)
		if !strings.Contains(got.body, `"name":"old"`) || strings.Contains(got.body, `"name":"tool"`) || got.Header.Get("X-Total") != "3" {
			t.Errorf("%s %v", got.body, got.Header)
		}
		s.root("GET", links+"?page=9", nil).is(t, 200, "[]")
	})
	t.Run("one is edited, and keeps what is not named", func(t *testing.T) {
		s.root("PUT", links+"/"+id, map[string]any{"link_type": "image"}).is(t, 400, `{"error":"name, url are missing, at least one parameter must be provided"}`)
		got := s.root("PUT", links+"/"+id, map[string]any{"name": "tool2", "link_type": "image"}).must(t, 200)
		if got["name"] != "tool2" || got["link_type"] != "image" || got["url"] != tool["url"] || got["id"] != made["id"] {
			t.Errorf("got %v", got)
		}
		s.root("PUT", links+"/"+id, map[string]any{"name": "old"}).is(t, 400, `{"message":{"name":["has already been taken"]}}`)
	})
	t.Run("its deletion answers with it", func(t *testing.T) {
		if gone := s.root("DELETE", links+"/"+id, nil).must(t, 200); gone["name"] != "tool2" {
			t.Errorf("gone %v", gone)
		}
		s.root("DELETE", links+"/"+id, nil).is(t, 404, `{"message":"404 Not Found"}`)
		s.root("GET", links+"/"+id, nil).is(t, 404, `{"message":"404 Not Found"}`)
	})
	t.Run("plain forms make a release with links too", func(t *testing.T) {
		form := "tag_name=f&assets[links][][name]=a&assets[links][][url]=http://x/a&assets[links][][name]=b&assets[links][][url]=http://x/b"
		made := s.do("POST", releasesOf(p), strings.NewReader(form), "PRIVATE-TOKEN: "+rootToken, "Content-Type: application/x-www-form-urlencoded").must(t, 201)
		if count := made["assets"].(map[string]any)["count"]; count != 2.0 {
			t.Errorf("%v links", count)
		}
	})
}

func TestWhoMayRelease(t *testing.T) {
	s := newServer(t)
	for _, visibility := range []string{"private", "public"} {
		p := s.project(visibility, visibility)
		at := releasesOf(p)
		s.release(p, nil)
		for _, who := range []struct {
			role                       int
			read, write, link, destroy int
		}{
			{0, 404, 404, 404, 404}, {10, 200, 403, 403, 403}, {20, 200, 403, 403, 403}, {30, 200, 201, 201, 403}, {40, 200, 201, 201, 200},
		} {
			if visibility == "public" && who.role == 0 {
				who.read, who.write, who.link, who.destroy = 200, 403, 403, 403
			}
			id, token := s.user(visibility + itoa(int64(who.role)))
			if who.role > 0 {
				s.root("POST", "/api/v4/projects/"+p+"/members", map[string]any{"user_id": id, "access_level": who.role}).must(t, 201)
			}
			tag := "t" + itoa(int64(who.role))
			s.as(token, "GET", at+"/v1.0.0", nil).must(t, who.read)
			s.as(token, "POST", at, map[string]any{"tag_name": tag}).must(t, who.write)
			s.as(token, "POST", at+"/v1.0.0/assets/links", map[string]any{"name": tag, "url": "http://x/" + tag}).must(t, who.link)
			s.as(token, "DELETE", at+"/"+tag, nil).must(t, who.destroy)
		}
	}
	t.Run("nobody is asked to log in to write, and finds nothing private", func(t *testing.T) {
		s.do("POST", releasesOf("root%2Fpublic"), strings.NewReader("{}")).is(t, 401, `{"message":"401 Unauthorized"}`)
		s.do("GET", releasesOf("root%2Fprivate"), nil).is(t, 404, `{"message":"404 Project Not Found"}`)
		s.do("GET", "/root/public/-/releases/v1.0.0/downloads/x", nil).is(t, 404, `{"message":"404 Not Found"}`)
	})
	t.Run("a reading token reads", func(t *testing.T) {
		reader := s.token(1, "read_api")
		s.as(reader, "GET", releasesOf("root%2Fprivate"), nil).must(t, 200)
		got := s.as(reader, "POST", releasesOf("root%2Fprivate"), map[string]any{"tag_name": "x"})
		if got.must(t, 403)["error"] != "insufficient_scope" {
			t.Error(got.body)
		}
	})
	t.Run("a job releases in its own project, and elsewhere not", func(t *testing.T) {
		job := s.root("POST", "/api/v4/projects/root%2Fprivate/jobs", map[string]any{"name": "r"}).must(t, 201)["token"].(string)
		at := releasesOf("root%2Fprivate")
		as := func(method, path string, body string) answer {
			return s.do(method, path, strings.NewReader(body), "JOB-TOKEN: "+job, "Content-Type: application/json")
		}
		as("POST", at, `{"tag_name":"job"}`).must(t, 201)
		as("POST", at+"/job/assets/links", `{"name":"a","url":"http://x"}`).must(t, 201)
		as("PUT", at+"/job", `{"name":"b"}`).must(t, 200)
		as("DELETE", at+"/job", "").must(t, 200)
		as("GET", "/api/v4/projects/root%2Fprivate/repository/commits/abc/merge_requests", "").is(t, 200, "[]")
		as("POST", releasesOf("root%2Fpublic"), `{"tag_name":"job"}`).must(t, 403)
	})
	t.Run("an archived project takes none", func(t *testing.T) {
		s.root("POST", "/api/v4/projects/root%2Fpublic/archive", nil).must(t, 201)
		s.root("POST", releasesOf("root%2Fpublic"), map[string]any{"tag_name": "late"}).must(t, 403)
		s.root("GET", releasesOf("root%2Fpublic"), nil).must(t, 200)
	})
	t.Run("whoever sees the project sees that a commit has no merge requests", func(t *testing.T) {
		s.do("GET", "/api/v4/projects/root%2Fpublic/repository/commits/abc/merge_requests", nil).is(t, 200, "[]")
		s.do("GET", "/api/v4/projects/root%2Fprivate/repository/commits/abc/merge_requests", nil).must(t, 404)
	})
}

// TestDownloadsOutliveNames: what install scripts have written down leads on
// after the project is called otherwise.
func TestDownloadsOutliveNames(t *testing.T) {
	s := newServer(t)
	p := s.project("old", "public")
	s.release(p, map[string]any{"assets": map[string]any{"links": []any{
		map[string]any{"name": "tool", "url": "https://example.com/tool", "filepath": "/tool"},
	}}})
	upload := s.upload(rootToken, p, "notes.txt", []byte("notes")).must(t, 201)["url"].(string)
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"path": "new"}).must(t, 200)
	for _, name := range []string{"old", "new"} {
		for path, want := range map[string]string{
			"/-/releases/v1.0.0/downloads/tool":           "https://example.com/tool",
			"/-/releases/permalink/latest/downloads/tool": s.url + "/root/new/-/releases/v1.0.0/downloads/tool",
		} {
			if got := s.do("GET", "/root/"+name+path, nil); got.StatusCode != 302 || got.Header.Get("Location") != want {
				t.Errorf("%s%s: %d %s, want %s", name, path, got.StatusCode, got.Header.Get("Location"), want)
			}
		}
		s.do("GET", "/root/"+name+upload, nil).is(t, 200, "notes")
	}
}
