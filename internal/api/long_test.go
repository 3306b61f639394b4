package api_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestLongTexts sends 50,000 letters, and 256, in every text parameter and in
// every place of the path of every operation of the document, where all names
// stand that handlers ask for (watch). What is read is refused; the
// rest is ignored; and no answer, and no header of one, grows with it.
func TestLongTexts(t *testing.T) {
	s := newServer(t)
	s.group("acme", 0)
	p := s.project("tool", "private")
	s.root("PUT", generic(p, "tool/1.0.0/a.bin"), "x").is(t, 201, created)
	s.root("POST", v4+"/projects/1/variables", map[string]any{"key": "A", "value": "b"}).must(t, 201)
	s.root("POST", v4+"/projects/1/releases", map[string]any{"tag_name": "v1"}).must(t, 201)
	s.root("POST", v4+"/projects/1/releases/v1/assets/links", map[string]any{"name": "a", "url": "https://example.com/"}).must(t, 201)
	s.root("POST", v4+"/projects/1/hooks", map[string]any{"url": "https://example.com/"}).must(t, 201)
	var mu sync.Mutex
	asked := map[string]bool{}
	s.api.OnParam(func(_ *http.Request, name string) {
		mu.Lock()
		defer mu.Unlock()
		asked[name] = true
	})
	d := described()
	for _, at := range slices.Sorted(maps.Keys(d.operations)) {
		if at == "GET /openapi.json" {
			continue // it takes nothing, and is long
		}
		method, path, _ := strings.Cut(at, " ")
		path = v4 + path
		l := longTexts{s: s, t: t, method: method, asked: asked}
		for _, n := range []int{256, 50_000} {
			text := strings.Repeat("x", n)
			for _, part := range strings.Split(path, "/") {
				if strings.HasPrefix(part, "{") {
					l.call(usual(strings.Replace(path, part, text, 1)), "", n, "")
				}
			}
			for name := range d.parameters(d.operations[at]) {
				for _, spelled := range spellings(name) {
					l.call(usual(path)+"?"+url.QueryEscape(spelled)+"="+text, "", n, spelled)
					if method != "GET" && method != "HEAD" && !strings.Contains(path, "/generic/") {
						l.call(usual(path), beside(at, spelled)+url.QueryEscape(spelled)+"="+text, n, spelled)
					}
				}
			}
			l.call(usual(path)+"?"+text+"=x", "", n, "")
		}
	}
}

// spellings are how a form names a parameter, also one of objects in a list.
func spellings(name string) []string {
	spelled := []string{name}
	if i := strings.LastIndex(name, "["); i >= 0 {
		spelled = append(spelled, name[:i]+"[0]"+name[i:])
	}
	return spelled
}

// beside is what makes the request a good one but for the parameter.
func beside(at, but string) string {
	form, _ := url.ParseQuery(map[string]string{
		"POST /projects": "name=a",
		"POST /groups":   "name=a&path=a",
		"POST /users":    "name=a&username=a&email=a@example.com&force_random_password=true",
		"POST /users/{id}/personal_access_tokens":                 "name=a&scopes=api",
		"POST /user/personal_access_tokens":                       "name=a&scopes=self_rotate",
		"POST /projects/{id}/access_tokens":                       "name=a&scopes=api",
		"POST /groups/{id}/access_tokens":                         "name=a&scopes=api",
		"POST /projects/{id}/deploy_tokens":                       "name=a&scopes=read_package_registry",
		"POST /groups/{id}/deploy_tokens":                         "name=a&scopes=read_package_registry",
		"POST /projects/{id}/variables":                           "key=B&value=a",
		"POST /groups/{id}/variables":                             "key=B&value=a",
		"POST /projects/{id}/hooks":                               "url=https://example.com/&custom_headers[0][key]=a&custom_headers[0][value]=a",
		"PUT /projects/{id}/hooks/{hook_id}":                      "custom_headers[0][key]=a&custom_headers[0][value]=a",
		"POST /projects/{id}/packages/protection/rules":           "package_name_pattern=a&package_type=generic&minimum_access_level_for_push=owner",
		"POST /projects/{id}/releases":                            "tag_name=v2&assets[links][0][name]=b&assets[links][0][url]=https://example.com/b",
		"POST /projects/{id}/releases/{tag_name}/assets/links":    "name=b&url=https://example.com/b",
		"POST /features/{name}":                                   "value=true",
		"POST /projects/{id}/members":                             "user_id=1&access_level=10",
		"POST /groups/{id}/members":                               "user_id=1&access_level=10",
		"POST /projects/{id}/job_token_scope/allowlist":           "target_project_id=1",
		"POST /projects/{id}/job_token_scope/groups_allowlist":    "target_group_id=1",
		"PUT /projects/{id}/hooks/{hook_id}/custom_headers/{key}": "value=a",
	}[at])
	delete(form, but)
	if len(form) == 0 {
		return ""
	}
	return form.Encode() + "&"
}

type longTexts struct {
	s      *server
	t      *testing.T
	method string
	asked  map[string]bool
}

// ignored reports a parameter whose value nobody keeps: that it is there is
// enough, or it only says how the answer is to be written.
func ignored(name string) bool {
	return slices.Contains([]string{"password", "simple", "include_html_description"}, name)
}

// call sends a request with so many letters in one place: in the parameter, or
// in the path where there is none.
func (l longTexts) call(path, form string, letters int, name string) {
	l.t.Helper()
	clear(l.asked)
	header := []string{"PRIVATE-TOKEN: " + rootToken}
	if form != "" {
		header = append(header, "Content-Type: application/x-www-form-urlencoded")
	}
	got := l.s.do(l.method, path, strings.NewReader(form), header...)
	about := l.method + " " + path[:min(len(path), 120)] + " " + form[:min(len(form), 120)]
	if got.StatusCode >= 500 {
		l.t.Errorf("%s: %d %.200s", about, got.StatusCode, got.body)
	}
	if letters > 256 && got.StatusCode < 400 && (name == "" && !strings.Contains(path, "?") || l.asked[name] && !ignored(name)) {
		l.t.Errorf("%s: %d letters in %q were taken: %d %.200s", about, letters, name, got.StatusCode, got.body)
	}
	size := len(got.body)
	for field, values := range got.Header {
		size += len(field) + len(strings.Join(values, ""))
	}
	if got.StatusCode >= 400 && size > 4096 || size > 20_000 {
		l.t.Errorf("%s: the answer has %d bytes: %d %.200s", about, size, got.StatusCode, got.body)
	}
}

// TestWhereTextsEnd: the words of a refusal, and the longest that is taken.
func TestWhereTextsEnd(t *testing.T) {
	s := newServer(t)
	s.project("tool", "private")
	s.root("POST", v4+"/projects/1/variables", map[string]any{"key": "A", "value": "b"}).must(t, 201)
	x, wide := strings.Repeat("x", 255), url.QueryEscape(strings.Repeat("\U0001F4E6", 255)) // characters, not bytes
	for path, want := range map[string]string{
		"/projects?search=" + x:                                   "",
		"/projects?search=" + wide:                                "",
		"/projects?topic=%25" + x[1:]:                             "",
		"/projects?search=x" + x:                                  "search",
		"/projects?search=x" + wide:                               "search",
		"/projects?topic=x" + x:                                   "topic",
		"/projects?sudo=x" + x:                                    "sudo",
		"/groups?search=x" + x:                                    "search",
		"/users?search=x" + x:                                     "search",
		"/users?username=x" + x:                                   "username",
		"/personal_access_tokens?search=" + x + x:                 "search",
		"/projects/1/packages?package_name=x" + x:                 "package_name",
		"/projects/1/members?query=x" + x:                         "query",
		"/projects/1/members?user_ids[]=1&user_ids[]=" + x + x:    "user_ids",
		"/projects/1/variables/A?filter[environment_scope]=x" + x: "filter[environment_scope]",
		"/projects/1/variables/x" + x:                             "key",
		"/projects/1/releases/x" + x:                              "tag",
		"/projects?page=0" + x:                                    "page",
		"/projects?x" + x + "=1":                                  "a parameter's name",
		"/audit_events?pagination=keyset&cursor=x" + x:            "cursor",
	} {
		got := s.root("GET", v4+path, nil)
		if want == "" {
			got.must(t, 200)
			continue
		}
		got.is(t, 400, `{"error":"`+want+` is too long (maximum is 255 characters)"}`)
	}
	s.do("GET", v4+"/projects", nil, "PRIVATE-TOKEN: "+rootToken, "Sudo: x"+x).is(t, 400, `{"error":"sudo is too long (maximum is 255 characters)"}`)
	s.root("POST", v4+"/projects/1/uploads?sudo=x"+x, nil).is(t, 400, `{"error":"sudo is too long (maximum is 255 characters)"}`)
	s.root("GET", v4+"/projects/1/releases/permalink/latest/"+strings.Repeat("x/", 257), nil).is(t, 400, `{"error":"suffix is too long (maximum is 512 characters)"}`)
	s.root("GET", v4+"/projects/"+strings.Repeat("x", 4097), nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	s.root("GET", "/root/tool/-/releases/"+strings.Repeat("x", 9000)+"/downloads/x", nil).is(t, 404, `{"error":"404 Not Found"}`)
	user := map[string]any{"username": "u", "name": "u", "email": "u@example.com", "force_random_password": true, "note": strings.Repeat("x", 2001)}
	s.root("POST", v4+"/users", user).is(t, 400, `{"error":"note is too long (maximum is 2000 characters)"}`)
	// The name of an object is repeated with each of its keys.
	s.root("POST", v4+"/projects", `{"`+strings.Repeat("x", 500_000)+`":{`+strings.TrimSuffix(manyKeys(20_000), ",")+`}}`).starts(t, 400, "")
	got := s.raw("GET /api/v4/projects HTTP/1.1\r\nHost: " + strings.Repeat("x", 261) + "\r\n\r\n")
	got.is(t, 400, `{"error":"the host is too long (maximum is 260 characters)"}`)
}

// TestOldLongTexts: what was kept before there was a limit is read as it is.
func TestOldLongTexts(t *testing.T) {
	s := newServer(t)
	n, _ := s.user("ada")
	note := strings.Repeat("x", 50_000)
	s.exec(`UPDATE users SET note = '` + note + `' WHERE id = ` + itoa(n))
	if got := s.root("GET", v4+"/users/"+itoa(n), nil).must(t, 200)["note"]; got != note {
		t.Errorf("the note is %.99v...", got)
	}
}

// TestLinksStaySmall: Link and Location repeat of a request what is read, and
// no more than proxies take.
func TestLinksStaySmall(t *testing.T) {
	s := newServer(t)
	for i := range 3 {
		s.project("p"+itoa(int64(i)), "private")
	}
	rels := func(query string) string {
		t.Helper()
		got := s.root("GET", v4+"/projects?per_page=1&page=2"+query, nil)
		got.must(t, 200)
		link := got.Header.Get("Link")
		if len(link) > 8192 || strings.Contains(link, "secret") || got.Header.Get("X-Next-Page") != "3" {
			t.Errorf("%.99s...: Link has %d bytes, X-Next-Page: %s", query, len(link), got.Header.Get("X-Next-Page"))
		}
		var found []string
		for one := range strings.SplitSeq(link, ", ") {
			_, rel, _ := strings.Cut(one, `rel="`)
			found = append(found, strings.TrimSuffix(rel, `"`))
		}
		return strings.Join(found, " ")
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	for query, want := range map[string]string{
		"":                         "prev next first last",
		"&unknown=" + long(50_000): "prev next first last",
		"&private_token=" + rootToken + "&token=secret":                               "prev next first last",
		"&a=" + long(255) + "&b=" + long(255):                                         "prev next",
		"&a=" + long(250) + "&b=" + long(250) + "&c=" + long(250) + "&d=" + long(250): "next",
		manyParameters(40): "",
	} {
		if got := rels(query); got != want {
			t.Errorf("%.99s: Link has %q, want %q", query, got, want)
		}
	}
	keyset := v4 + "/projects?pagination=keyset&order_by=id&per_page=1"
	if got := s.root("GET", keyset+"&search=p&unknown="+long(50_000), nil).Header.Get("Link"); !strings.Contains(got, "search=p") || strings.Contains(got, "unknown") {
		t.Errorf("Link: %.300s", got)
	}
	s.root("GET", keyset+manyParameters(40), nil).is(t, 400, `{"error":"the parameters are too long in total (maximum is 8192 bytes)"}`)
	s.root("PUT", v4+"/projects/root%2Fp0", map[string]any{"path": "moved"}).must(t, 200)
	to := s.root("GET", v4+"/projects/root%2Fp0?x="+long(50_000), nil)
	to.must(t, 301)
	if at := to.Header.Get("Location"); !strings.HasSuffix(at, v4+"/projects/1") {
		t.Errorf("Location: %.99s", at)
	}
}

// manyParameters are so many that together they are too long.
func manyParameters(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("&p" + itoa(int64(i)) + "=" + strings.Repeat("x", 255))
	}
	return b.String()
}
