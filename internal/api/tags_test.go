package api_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"granary/internal/api"
	"granary/internal/throttle"
)

func tagsAt(project string) string { return "/api/v4/projects/" + project + "/repository/tags" }

// tagged makes a release of each tag, a second after the one before.
func (s *server) tagged(project string, tags ...string) {
	s.t.Helper()
	for _, tag := range tags {
		s.root("POST", releasesOf(project), map[string]any{"tag_name": tag}).must(s.t, 201)
		s.skew += time.Second
	}
}

// names are the tags of a list, with blanks between.
func (a answer) names(t *testing.T) string {
	t.Helper()
	var names []string
	for _, row := range a.list(t) {
		names = append(names, row["name"].(string))
	}
	return strings.Join(names, " ")
}

// TestTags lists tags in every order and by every search, and pages through them.
func TestTags(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	s.tagged(p, "v1.9.0", "v1.10.0-rc1", "v1.10.0", "app/v2", "V1.2", "v1%_x")
	at := tagsAt(p)
	for _, list := range []struct{ query, want string }{
		{"", "v1%_x V1.2 app/v2 v1.10.0 v1.10.0-rc1 v1.9.0"},
		{"?sort=asc", "v1.9.0 v1.10.0-rc1 v1.10.0 app/v2 V1.2 v1%_x"},
		{"?order_by=updated", "v1%_x V1.2 app/v2 v1.10.0 v1.10.0-rc1 v1.9.0"},
		{"?order_by=name", "v1.9.0 v1.10.0-rc1 v1.10.0 v1%_x app/v2 V1.2"},
		{"?order_by=name&sort=asc", "V1.2 app/v2 v1%_x v1.10.0 v1.10.0-rc1 v1.9.0"},
		{"?order_by=version", "app/v2 v1.10.0 v1.10.0-rc1 v1.9.0 V1.2 v1%_x"},
		{"?order_by=version&sort=asc", "v1%_x V1.2 v1.9.0 v1.10.0-rc1 v1.10.0 app/v2"},
		{"?search=v1.10.0", "v1.10.0 v1.10.0-rc1"},
		{"?search=V1.10.0&sort=asc", "v1.10.0 v1.10.0-rc1"}, // what is meant exactly comes first
		{"?search=v1.10.0&order_by=version&sort=asc", "v1.10.0 v1.10.0-rc1"},
		{"?search=^v1.1", "v1.10.0 v1.10.0-rc1"},
		{"?search=^v1.1&order_by=version&sort=asc", "v1.10.0-rc1 v1.10.0"},
		{"?search=.0$", "v1.10.0 v1.9.0"},
		{"?search=^v1.9.0$", "v1.9.0"},
		{"?search=^v*0$", "v1.10.0 v1.9.0"},
		{"?search=%25_", "v1%_x"},
		{"?search=v1.1_.0", ""},
		{"?search=/", "app/v2"},
		{"?search=none", ""},
		{"?search=^", "v1%_x V1.2 app/v2 v1.10.0 v1.10.0-rc1 v1.9.0"},
		{"?per_page=2&page=2", "app/v2 v1.10.0"},
		{"?per_page=4&page=2&order_by=version", "V1.2 v1%_x"},
		{"?page=9&order_by=version", ""},
	} {
		got := s.do("GET", at+list.query, nil)
		if names := got.names(t); names != list.want {
			t.Errorf("%q lists %q, want %q", list.query, names, list.want)
		}
		if got.Header.Get("X-Total") == "" || !strings.Contains(got.Header.Get("Link"), `rel="first"`) {
			t.Errorf("%q has no paging headers", list.query)
		}
	}
	s.do("GET", at+"?per_page=2&search=^v1.1", nil).header(t, "X-Total: 2", "X-Total-Pages: 1", "X-Next-Page:")
	for query, fault := range map[string]string{
		"?order_by=released_at": "order_by does not have a valid value",
		"?sort=up":              "sort does not have a valid value",
		"?pagination=none":      "pagination does not have a valid value",
	} {
		s.do("GET", at+query, nil).is(t, 400, `{"error":"`+fault+`"}`)
	}
	s.project("empty", "public")
	s.do("GET", tagsAt("root%2Fempty"), nil).header(t, "X-Total: 0").is(t, 200, "[]")
}

// TestTagsByKeyset follows the links of all orders to the end, and sees each tag
// once, in the order that numbered pages have.
func TestTagsByKeyset(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	s.tagged(p, "v1.9.0", "v1.10.0-rc1", "v1.10.0", "app/v2", "V1.2")
	s.exec(`UPDATE releases SET created_at = (SELECT MIN(created_at) FROM releases) WHERE tag <> 'app/v2'`) // so that the id decides
	for _, order := range []string{"updated", "name", "version"} {
		for _, sort := range []string{"asc", "desc"} {
			for _, search := range []string{"", "&search=v1."} {
				query := "?order_by=" + order + "&sort=" + sort + search
				all := s.do("GET", tagsAt(p)+query, nil).list(t)
				var seen []string
				next := s.url + tagsAt(p) + query + "&per_page=2&pagination=keyset&page=3"
				for pages := 0; next != "" && pages < 9; pages++ {
					got := s.do("GET", strings.TrimPrefix(next, s.url), nil).header(t, "X-Total:", "X-Page:")
					seen = append(seen, strings.Fields(got.names(t))...)
					link := got.Header.Get("Link")
					next, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
					if link != "" && (!strings.HasSuffix(link, `>; rel="next"`) || strings.Contains(next, "&page=")) {
						t.Fatalf("%s: the link is %s", query, link)
					}
				}
				var want []string
				for _, row := range all {
					want = append(want, row["name"].(string))
				}
				if !slices.Equal(seen, want) {
					t.Errorf("%s: by keyset %q, want %q", query, seen, want)
				}
			}
		}
	}
	s.do("GET", tagsAt(p)+"?order_by=version&page_token=v1.10.0&per_page=1", nil).is(t, 200, s.do("GET", tagsAt(p)+"?search=^v1.10.0-rc1$", nil).body)
	s.do("GET", tagsAt(p)+"?pagination=keyset&page_token=none", nil).is(t, 422, `{"message":"Invalid page token: refs/tags/none"}`)
	s.root("GET", tagsAt(p)+"?pagination=keyset&per_page=1&private_token="+rootToken, nil).header(t,
		"Link: <"+s.url+tagsAt(p)+`?page_token=app%2Fv2&pagination=keyset&per_page=1>; rel="next"`)
}

// TestTag holds all of one tag, with and without a commit behind it.
func TestTag(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	sha := strings.Repeat("0123456789", 4)
	s.release(p, map[string]any{"tag_name": "a/b", "ref": sha, "description": "* new"})
	s.release(p, map[string]any{"ref": "main"})
	made := s.root("GET", releasesOf(p)+"/a%2Fb", nil).must(t, 200)["created_at"].(string)
	unknown := `"parent_ids":[],"title":"","message":"","author_name":"","author_email":"","authored_date":null,` +
		`"committer_name":"","committer_email":"","committed_date":null,"trailers":{},"extended_trailers":{},`
	commit := `{"id":"` + sha + `","short_id":"01234567","created_at":"` + made + `",` + unknown + `"web_url":"` + s.url + `/root/tool/-/commit/` + sha + `"}`
	want := `{"name":"a/b","message":"","target":"` + sha + `","commit":` + commit +
		`,"release":{"tag_name":"a/b","description":"* new"},"protected":false,"created_at":"` + made + `"}`
	s.root("GET", tagsAt(p)+"/a%2Fb", nil).is(t, 200, want)
	s.root("GET", tagsAt(p)+"?search=a/b", nil).is(t, 200, "["+want+"]")
	if got := s.root("GET", releasesOf(p)+"/a%2Fb", nil); !strings.Contains(got.body, `"commit":`+commit+`,`) {
		t.Errorf("the release has another commit: %s", got.body)
	}
	bare := s.root("GET", tagsAt(p)+"/v1.0.0", nil).must(t, 200)
	if c := bare["commit"].(map[string]any); bare["target"] != "" || c["id"] != "" || c["short_id"] != "" || c["web_url"] != "" || c["created_at"] != bare["created_at"] {
		t.Errorf("without a commit: %v", bare)
	}
	for _, path := range []string{"/none", "/a%2Fc", "/a%2F"} {
		s.root("GET", tagsAt(p)+path, nil).is(t, 404, `{"message":"404 Tag Not Found"}`)
	}
	s.root("GET", tagsAt("root%2Fnone")+"/v1.0.0", nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	s.root("GET", tagsAt(p)+"/a/b", nil).must(t, 404)
	for _, method := range []string{"POST", "DELETE"} { // there is no git to write to
		at := map[string]string{"POST": tagsAt(p), "DELETE": tagsAt(p) + "/v1.0.0"}[method]
		s.root(method, at, nil).is(t, 405, `{"error":"405 Not Allowed"}`)
	}
	s.root("DELETE", releasesOf(p)+"/v1.0.0", nil).must(t, 200)
	s.root("GET", tagsAt(p)+"/v1.0.0", nil).must(t, 404)
}

// TestLargeTags: descriptions that are read in parts are whole, in lists of all orders too.
func TestLargeTags(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	text := strings.Repeat(`"é`, 100_000)
	for i := range 3 {
		s.release(p, map[string]any{"tag_name": fmt.Sprint("v", i), "description": text})
	}
	for _, order := range []string{"updated", "version"} {
		rows := s.do("GET", tagsAt(p)+"?order_by="+order, nil).list(t)
		if len(rows) != 3 {
			t.Fatalf("%d tags", len(rows))
		}
		for i, row := range rows {
			if got := row["release"].(map[string]any); row["name"] != fmt.Sprint("v", 2-i) || got["description"] != text {
				t.Errorf("%s: row %d is %v", order, i, row["name"])
			}
		}
	}
	if got := s.do("GET", tagsAt(p)+"/v1", nil).must(t, 200)["release"].(map[string]any); got["description"] != text {
		t.Error("the description of one tag is not whole")
	}
}

// TestSortedTagsTakeTurns: who has many lists sorted waits for them, for a while, and
// others do not wait for that; no other order has to wait. What a list took is given
// back.
func TestSortedTagsTakeTurns(t *testing.T) {
	s := serveAnswers(t, 0, 0)
	p := s.project("tool", "public")
	s.release(p, map[string]any{"tag_name": "v1"})
	const from, other = "X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 203.0.113.2"
	crowd := throttle.Address(netip.MustParseAddr("203.0.113.1"))
	if err := s.api.Answers.Take(t.Context(), crowd, api.AnswersEach); err != nil {
		t.Fatal(err)
	}
	byVersion := tagsAt(p) + "?order_by=version"
	s.hurried().do("GET", byVersion, nil, from).header(t, "Retry-After: 5").is(t, 503,
		`{"message":"503 Service Unavailable - too many lists are being sorted by version; try again later, or order by name"}`)
	s.hurried().do("GET", byVersion, nil, other).must(t, 200)
	s.hurried().do("GET", tagsAt(p)+"?order_by=name", nil, from).must(t, 200)
	s.api.Answers.Give(crowd, api.AnswersEach)
	for range 5 {
		s.hurried().do("GET", byVersion, nil, from).must(t, 200)
	}
	if taken, waiting := s.api.Answers.Held(); taken != 0 || waiting != 0 {
		t.Errorf("%d bytes are taken, %d wait", taken, waiting)
	}
}

// TestGitLabsClientTags reads tags with GitLab's own Go client.
func TestGitLabsClientTags(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	s.tagged(p, "v1.9.0", "v1.10.0", "app/v2")
	sha := strings.Repeat("ab", 20)
	s.release(p, map[string]any{"tag_name": "v3", "ref": sha, "description": "three"})
	client, err := gitlab.NewClient(rootToken, gitlab.WithBaseURL(s.url), gitlab.WithoutRetries())
	if err != nil {
		t.Fatal(err)
	}
	tags, resp, err := client.Tags.ListTags("root/tool", &gitlab.ListTagsOptions{
		OrderBy: gitlab.Ptr("version"), Sort: gitlab.Ptr("desc"), Search: gitlab.Ptr("^v"), ListOptions: gitlab.ListOptions{PerPage: 2},
	})
	if err != nil || len(tags) != 2 || tags[0].Name != "v3" || tags[1].Name != "v1.10.0" || resp.TotalItems != 3 || resp.NextPage != 2 {
		t.Fatalf("%v %v %v", tags, resp, err)
	}
	tag := tags[0]
	if tag.Target != sha || tag.Commit.ID != sha || tag.Commit.ShortID != sha[:8] || tag.Commit.CreatedAt == nil || tag.Commit.CommittedDate != nil ||
		tag.Release.TagName != "v3" || tag.Release.Description != "three" || tag.CreatedAt == nil || tag.Protected || tag.Message != "" {
		t.Errorf("%v", tag)
	}
	one, _, err := client.Tags.GetTag("root/tool", "app/v2")
	if err != nil || one.Name != "app/v2" || one.Commit == nil || one.Commit.ID != "" {
		t.Errorf("%v %v", one, err)
	}
	if _, resp, err := client.Tags.GetTag("root/tool", "none"); err == nil || resp.StatusCode != 404 {
		t.Errorf("%v", err)
	}
	all, err := gitlab.ScanAndCollect(func(o gitlab.PaginationOptionFunc) ([]*gitlab.Tag, *gitlab.Response, error) {
		return client.Tags.ListTags("root/tool", &gitlab.ListTagsOptions{ListOptions: gitlab.ListOptions{Pagination: "keyset", PerPage: 1}}, o)
	})
	if err != nil || len(all) != 4 {
		t.Errorf("%d tags by keyset, %v", len(all), err)
	}
}
