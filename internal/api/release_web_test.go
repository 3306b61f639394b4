package api_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
)

// markupOf holds an answer to the headers that a browser needs to be safe.
func (a answer) markupOf(t *testing.T, kind string) string {
	t.Helper()
	a.header(t, "Content-Type: "+kind, "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer", "X-Frame-Options: SAMEORIGIN", "Set-Cookie:",
		"Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	if a.StatusCode != 200 {
		t.Fatalf("%s: %d %s", a.Request.URL, a.StatusCode, a.body)
	}
	return a.body
}

// inOrder fails unless a text has all parts, in their order.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Fatalf("no %q, or not there, in\n%.2000s", part, text)
		}
		rest = after
	}
}

// markedUp is a text that would be markup.
const markedUp = `<script>alert("1")</script>&amp;'`

const markedUpInHTML = `&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&amp;amp;&#39;`

// TestReleasePages: the page of a release has its tag, all that was said of it as
// text, and its links.
func TestReleasePages(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	s.release(p, map[string]any{
		"tag_name": "a/b", "name": markedUp, "description": "* new\n" + markedUp, "released_at": "2026-01-02T03:04:05Z",
		"assets": map[string]any{"links": []any{
			map[string]any{"name": markedUp, "url": `https://example.com/?a="b'&c=<d>`},
			map[string]any{"name": "tool", "url": "https://example.com/tool", "filepath": "/bin/tool"},
		}},
	})
	page := s.do("GET", "/root/tool/-/releases/a%2Fb", nil).markupOf(t, "text/html; charset=utf-8")
	inOrder(t, page, "<title>"+markedUpInHTML, "<h1>"+markedUpInHTML+"</h1>", "<code>a/b</code>", "2026-01-02T03:04:05Z", "* new\n"+markedUpInHTML+"</pre>",
		`href="`+s.url+`/root/tool/-/releases/a%2Fb/downloads/bin/tool">tool</a>`, `href="https://example.com/?a=&#34;b&#39;&amp;c=&lt;d&gt;">`+markedUpInHTML+"</a>", "</html>\n")
	if strings.Contains(page, "<script") {
		t.Error("a text became markup")
	}
	if head := s.do("HEAD", "/root/tool/-/releases/a%2Fb", nil); head.StatusCode != 200 || head.Header.Get("Content-Length") != fmt.Sprint(len(page)) {
		t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
	}
	final := s.do("GET", strings.TrimPrefix(s.do("GET", "/root/tool/-/releases/permalink/latest", nil).Header.Get("Location"), s.url), nil)
	if final.body != page {
		t.Errorf("the permalink leads to %d %s", final.StatusCode, final.Request.URL)
	}
	s.do("GET", "/root/tool/-/releases/none", nil).is(t, 404, `{"message":"404 Not Found"}`)
}

// TestLargeReleasePage: a description and links that are read in parts are whole.
func TestLargeReleasePage(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	var links []any
	for i := range 300 {
		links = append(links, map[string]any{"name": fmt.Sprint("file", i), "url": "https://example.com/" + strings.Repeat("u", 1000) + fmt.Sprint(i)})
	}
	s.release(p, map[string]any{"description": strings.Repeat("<é>", 50_000), "assets": map[string]any{"links": links}})
	page := s.do("GET", "/root/tool/-/releases/v1.0.0", nil).markupOf(t, "text/html; charset=utf-8")
	if !strings.Contains(page, "<pre>\n"+strings.Repeat("&lt;é&gt;", 50_000)+"</pre>") || strings.Count(page, "<li>") != 300 {
		t.Errorf("%d bytes, %d links", len(page), strings.Count(page, "<li>"))
	}
	feed := s.do("GET", "/root/tool/-/releases.atom", nil).markupOf(t, "application/atom+xml; charset=utf-8")
	var read atomFeed
	if err := xml.Unmarshal([]byte(feed), &read); err != nil {
		t.Fatal(err)
	}
	if e := read.Entries[0]; e.Content != "<p>"+strings.Repeat("&lt;é&gt;", 50_000)+"</p>" || len([]rune(e.Summary)) != 500 || !strings.HasSuffix(e.Summary, "<é...") {
		t.Errorf("%d bytes of content, summary %s", len(e.Content), e.Summary)
	}
}

// TestReleaseLists are the page of all releases, and its JSON.
func TestReleaseLists(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	inOrder(t, s.do("GET", "/root/tool/-/releases", nil).markupOf(t, "text/html; charset=utf-8"), "<h1>tool releases</h1>", "<ul>\n</ul>")
	s.do("GET", "/root/tool/-/releases.json", nil).is(t, 200, "[]")
	s.tagged(p, "v1", "v2", "a/b")
	s.root("PUT", releasesOf(p)+"/v2", map[string]any{"name": markedUp}).must(t, 200)
	inOrder(t, s.do("GET", "/root/tool/-/releases", nil).markupOf(t, "text/html; charset=utf-8"),
		`<a href="`+s.url+`/root/tool/-/releases/a%2Fb">a/b</a>`, markedUpInHTML+"</a> <code>v2</code>", "<code>v1</code>")
	first := s.do("GET", "/root/tool/-/releases?per_page=2&private_token="+rootToken, nil).header(t, "X-Total: 3", "X-Next-Page: 2")
	inOrder(t, first.body, "<code>v2</code>", `<a href="`+s.url+`/root/tool/-/releases?page=2&amp;per_page=2">Page 2</a>`)
	if second := s.do("GET", "/root/tool/-/releases?per_page=2&page=2", nil); strings.Contains(second.body, "v2") || !strings.Contains(second.body, "v1") || strings.Contains(second.body, "Page") {
		t.Error(second.body)
	}
	s.do("GET", "/root/tool/-/releases?page=0", nil).is(t, 400, `{"error":"page does not have a valid value"}`)
	s.do("GET", "/root/tool/-/releases.json", nil).header(t, "Content-Type: application/json").
		is(t, 200, `[{"id":3,"tag":"a/b"},{"id":2,"tag":"v2"},{"id":1,"tag":"v1"}]`)
}

type atomFeed struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	Title   string   `xml:"title"`
	ID      string   `xml:"id"`
	Updated string   `xml:"updated"`
	Links   []struct {
		Rel  string `xml:"rel,attr"`
		Href string `xml:"href,attr"`
	} `xml:"link"`
	Entries []struct {
		ID   string `xml:"id"`
		Link struct {
			Href string `xml:"href,attr"`
		} `xml:"link"`
		Title     string `xml:"title"`
		Summary   string `xml:"summary"`
		Content   string `xml:"content"`
		Updated   string `xml:"updated"`
		Published string `xml:"published"`
		Author    string `xml:"author>name"`
	} `xml:"entry"`
}

// TestReleaseFeed reads the feed as a feed reader does.
func TestReleaseFeed(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	feed := func(query string) (read atomFeed) {
		t.Helper()
		text := s.do("GET", "/root/tool/-/releases.atom"+query, nil).markupOf(t, "application/atom+xml; charset=utf-8")
		if err := xml.Unmarshal([]byte(text), &read); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return read
	}
	at := s.url + "/root/tool/-/releases"
	if f := feed(""); f.Title != "tool releases" || f.ID != at || f.Updated == "" || len(f.Entries) != 0 || len(f.Links) != 2 ||
		f.Links[0].Href != at+".atom" || f.Links[1].Href != at {
		t.Errorf("empty: %+v", f)
	}
	s.release(p, map[string]any{"tag_name": "old", "released_at": "2019-01-01"})
	s.release(p, map[string]any{"tag_name": "a/b", "name": markedUp, "description": markedUp + "\x01\n", "released_at": "2026-01-02T03:04:05Z"})
	f := feed("")
	if len(f.Entries) != 2 || f.Entries[1].Title != "old" || f.Updated != f.Entries[0].Updated {
		t.Fatalf("%+v", f)
	}
	e := f.Entries[0]
	if e.ID != at+"/a%2Fb" || e.Link.Href != e.ID || e.Title != markedUp || e.Published != "2026-01-02T03:04:05Z" || e.Author != "Administrator" ||
		e.Summary != markedUp+"\uFFFD\n" || e.Content != "<p>"+markedUpInHTML+"\uFFFD\n</p>" {
		t.Errorf("%+v", e)
	}
	if f := feed("?per_page=1&page=2"); len(f.Entries) != 1 || f.Entries[0].Title != "old" {
		t.Errorf("%+v", f)
	}
	s.root("PUT", releasesOf(p)+"/old", map[string]any{"name": strings.Repeat("é", 100) + strings.Repeat("x", 55)}).must(t, 200)
	s.root("PUT", releasesOf(p)+"/a%2Fb", map[string]any{"name": strings.Repeat("x", 161)}).must(t, 200)
	if f := feed(""); f.Entries[0].Title != strings.Repeat("x", 157)+"..." || strings.HasSuffix(f.Entries[1].Title, "...") {
		t.Errorf("titles %q and %q", f.Entries[0].Title, f.Entries[1].Title)
	}
}

// TestReleaseBadge: the tag is in the picture's text, and widths and text are bounded.
func TestReleaseBadge(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	badge := func(query string) string {
		t.Helper()
		got := s.do("GET", "/root/tool/-/badges/release.svg"+query, nil).header(t, "Cache-Control: private, no-store", "Pragma: no-cache", "Expires: Fri, 01 Jan 1990 00:00:00 GMT")
		text := got.markupOf(t, "image/svg+xml; charset=utf-8")
		if err := xml.Unmarshal([]byte(text), new(struct{})); err != nil {
			t.Errorf("%v in %s", err, text)
		}
		return text
	}
	inOrder(t, badge(""), `width="144"`, ">Latest Release</text>", `fill="#e05d44"`, ">none</text>")
	s.root("POST", releasesOf(p), map[string]any{"tag_name": "v2", "released_at": "2020-01-01"}).must(t, 201)
	s.root("POST", releasesOf(p), map[string]any{"tag_name": "v1<&", "released_at": "2021-01-01"}).must(t, 201)
	s.skew++
	s.root("POST", releasesOf(p), map[string]any{"tag_name": "v0", "released_at": "2019-01-01"}).must(t, 201)
	s.root("POST", releasesOf(p), map[string]any{"tag_name": "soon", "released_at": "2090-01-01"}).must(t, 201)
	inOrder(t, badge(""), `fill="#3076af"`, ">v1&lt;&amp;</text>")
	inOrder(t, badge("?order_by=created_at"), ">v0</text>")
	inOrder(t, badge("?order_by=semver"), ">v1&lt;&amp;</text>")
	inOrder(t, badge("?key_text=%3Cb%3E%22&key_width=200&value_width=100"), `width="300"`, "&lt;b&gt;&#34;</text>")
	for _, query := range []string{"?key_width=0&value_width=0", "?key_width=513&value_width=201", "?key_width=-1", "?key_width=x", "?key_text=" + strings.Repeat("x", 65), "?key_text="} {
		inOrder(t, badge(query), `width="144"`, ">Latest Release</text>")
	}
	inOrder(t, badge("?key_text="+strings.Repeat("%C3%A9", 64)+"&key_width=512&value_width=200"), `width="712"`, ">"+strings.Repeat("é", 64)+"</text>")
	s.do("GET", "/root/none/-/badges/release.svg", nil).must(t, 401)
}

// TestReleasePagesAreForThoseWhoSeeTheProject, whichever way they log in.
func TestReleasePagesAreForThoseWhoSeeTheProject(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	s.release(p, nil)
	_, stranger := s.user("eve")
	for _, path := range []string{"", ".json", ".atom", "/v1.0.0", "/../badges/release.svg"} {
		at := strings.ReplaceAll("/root/tool/-/releases"+path, "releases/../", "")
		s.do("GET", at, nil).header(t, `WWW-Authenticate: Basic realm="GitLab Packages Registry"`).is(t, 401, `{"message":"401 Unauthorized"}`)
		s.as(stranger, "GET", at, nil).must(t, 404)
		if got := s.do("GET", at+"?private_token="+rootToken, nil); got.StatusCode != 200 || strings.Contains(got.body, rootToken) {
			t.Errorf("%s: %d %s", at, got.StatusCode, got.body)
		}
		s.do("POST", at, nil).must(t, 404)
	}
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"path": "new"}).must(t, 200)
	for _, path := range []string{"", ".json", ".atom", "/v1.0.0"} { // what is written down leads on
		s.root("GET", "/root/tool/-/releases"+path, nil).must(t, 200)
	}
}

// TestPermalinksKeepTheQuery, a token in it too, but for order_by; and nothing of it
// leaves the server.
func TestPermalinksKeepTheQuery(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	s.release(p, map[string]any{"description": "x", "assets": map[string]any{"links": []any{
		map[string]any{"name": "tool", "url": "https://example.com/tool", "filepath": "/tool"},
	}}})
	token := "private_token=" + rootToken
	for _, at := range []struct{ from, to string }{
		{releasesOf(p) + "/permalink/latest", releasesOf(p) + "/v1.0.0"},
		{"/root/tool/-/releases/permalink/latest", "/root/tool/-/releases/v1.0.0"},
	} {
		for query, want := range map[string]string{
			"?" + token: "?" + token,
			"?include_html_description=true&" + token:                         "?include_html_description=true&" + token,
			"?order_by=released_at&" + token:                                  "?" + token,
			"?" + token + "&%6Frder_by=released_at&&order_by&a=b%26c+d&a=&b=": "?" + token + "&a=b%26c+d&a=&b=",
		} {
			for _, suffix := range []string{"", "/downloads/tool"} {
				got := s.do("GET", at.from+suffix+query, nil)
				if to := got.Header.Get("Location"); got.StatusCode != 302 || to != s.url+at.to+suffix+want {
					t.Errorf("%s%s%s: %d %s, want %s%s", at.from, suffix, query, got.StatusCode, to, at.to+suffix, want)
				}
			}
		}
		s.root("GET", at.from+"?a="+strings.Repeat("x", 8192), nil).starts(t, 400, "the parameters are too long in total")
		if got := s.do("GET", at.to+"/downloads/tool?"+token, nil); got.Header.Get("Location") != "https://example.com/tool" {
			t.Errorf("the token went to %s", got.Header.Get("Location"))
		}
	}
	to := s.do("GET", releasesOf(p)+"/permalink/latest?include_html_description=true&"+token, nil).Header.Get("Location")
	if got := s.do("GET", strings.TrimPrefix(to, s.url), nil).must(t, 200); got["description_html"] != "<p>x</p>" {
		t.Errorf("%s: %v", to, got)
	}
}

// A suffix that climbs is none, however it is written: the token in the query would
// go where it does not belong.
func TestPermalinksDoNotClimb(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	s.release(p, map[string]any{"description": "x"})
	for _, from := range []string{releasesOf(p), "/root/tool/-/releases"} {
		for _, suffix := range []string{"/%2e%2e/x", "/%2E./x", "/.%2e", "/a/%2e/b", "/..%2f..%2fother", "/a%2f%2e%2e%2fb", "/%2e%2e%2fx"} {
			got := s.root("GET", from+"/permalink/latest"+suffix+"?private_token="+rootToken, nil)
			if got.StatusCode != 404 || got.Header.Get("Location") != "" {
				t.Errorf("%s: %d %s", suffix, got.StatusCode, got.Header.Get("Location"))
			}
		}
		s.root("GET", from+"/permalink/latest/downloads/..a/b..%2fc...", nil).status(t, 302)
	}
}

// TestNoGraphQL: its clients are told what there is, in their words.
func TestNoGraphQL(t *testing.T) {
	s := newServer(t)
	for _, method := range []string{"GET", "POST"} {
		s.root(method, "/api/graphql", nil).is(t, 404, `{"error":"404 Not Found","errors":[{"message":"there is no GraphQL here: use the REST API, which `+
			s.url+`/api/v4/openapi.json describes"}]}`)
	}
}
