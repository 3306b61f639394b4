package api_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
)

// The same parameters in query, form, multipart and JSON mean the same.
func TestParametersTravelAnyWay(t *testing.T) {
	s := newServer(t)
	send := map[string]func(name string) answer{
		"query": func(name string) answer {
			return s.root("POST", v4+"/projects?name="+name+"&visibility=public&topics[]=a&topics[]=b&generic_packages_max_file_size=9", nil)
		},
		"form": func(name string) answer {
			return s.form(rootToken, "POST", v4+"/projects", "name="+name+"&visibility=public&topics[]=a&topics[]=b&generic_packages_max_file_size=9")
		},
		"multipart": func(name string) answer {
			var body bytes.Buffer
			w := multipart.NewWriter(&body)
			for _, pair := range [][2]string{{"name", name}, {"visibility", "public"}, {"topics", "a,b"}, {"generic_packages_max_file_size", "9"}} {
				if err := w.WriteField(pair[0], pair[1]); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return s.do("POST", v4+"/projects", &body, "PRIVATE-TOKEN: "+rootToken, "Content-Type: "+w.FormDataContentType())
		},
		"json": func(name string) answer {
			return s.root("POST", v4+"/projects", map[string]any{"name": name, "visibility": "public", "topics": []string{"a", "b"}, "generic_packages_max_file_size": 9})
		},
		"mixed": func(name string) answer {
			return s.root("POST", v4+"/projects?name=not&visibility=public&topics=a,b", map[string]any{"name": name, "generic_packages_max_file_size": "9"})
		},
	}
	for way, do := range send {
		t.Run(way, func(t *testing.T) {
			fields(t, do(way).must(t, 201), map[string]string{
				"name": way, "visibility": "public", "topics": "[a b]", "generic_packages_max_file_size": "9",
			})
		})
	}
	t.Run("a DELETE may have a body", func(t *testing.T) {
		s.user("ada")
		s.as(rootToken, "POST", v4+"/projects?sudo=ada&name=hers", nil).must(t, 201)
		s.form(rootToken, "DELETE", v4+"/projects/ada%2Fhers", "sudo=ada").status(t, 202)
		s.do("DELETE", v4+"/features/x", strings.NewReader("{}"), "PRIVATE-TOKEN: "+rootToken, "Content-Type: application/json").status(t, 204)
	})
	t.Run("true and false in many words", func(t *testing.T) {
		for word, want := range map[string]string{"true": "true", "1": "true", "on": "true", "yes": "true", "T": "true", "false": "false", "0": "false", "f": "false", "OFF": "false"} {
			fields(t, s.form(rootToken, "PUT", v4+"/projects/root%2Fform", "packages_enabled="+word).must(t, 200), map[string]string{"packages_enabled": want})
		}
	})
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	s := newServer(t)
	s.project("tool", "private")
	const asJSON, asForm, asMultipart = "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
	for name, test := range map[string]struct{ kind, body string }{
		"broken":            {asJSON, `{"name":`},
		"no object":         {asJSON, `["name"]`},
		"two objects":       {asJSON, `{"name":"a"}{"name":"b"}`},
		"nested too deep":   {asJSON, strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50)},
		"nested absurdly":   {asJSON, strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000)},
		"too many":          {asJSON, "{" + strings.TrimSuffix(manyKeys(2000), ",") + "}"},
		"too many in one":   {asJSON, `{"topics":[` + strings.Repeat("1,", 2000) + `1]}`},
		"too large":         {asJSON, `{"description":"` + strings.Repeat("x", 1<<20) + `"}`},
		"too large a form":  {asForm, "description=" + strings.Repeat("x", 1<<20)},
		"NUL":               {asJSON, `{"description":"a\u0000b"}`},
		"NUL in a form":     {asForm, `description=a%00b`},
		"no UTF-8":          {asForm, `description=%ff%fe`},
		"bad escapes":       {asForm, `description=%zz`},
		"broken multipart":  {asMultipart, "--x\r\nContent-Disp"},
		"multipart, no end": {"multipart/form-data", "x"},
		"text":              {"text/plain", "hello"},
		"list for a value":  {asJSON, `{"name":["a","b"]}`},
		"list in a form":    {asForm, `name[]=a&name[]=b`},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.do("PUT", v4+"/projects/root%2Ftool", strings.NewReader(test.body), "PRIVATE-TOKEN: "+rootToken, "Content-Type: "+test.kind)
			got.status(t, 400)
			if !strings.HasPrefix(got.body, `{"error":"`) && !strings.HasPrefix(got.body, `{"message":"400 Bad request - `) {
				t.Errorf("%s", got.body)
			}
		})
	}
	s.root("GET", v4+"/projects?search=%00", nil).status(t, 400)
	s.root("GET", v4+"/projects?search=%ff", nil).status(t, 400)
	fields(t, s.root("GET", v4+"/projects/root%2Ftool", nil).must(t, 200), map[string]string{"name": "tool", "description": ""})
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":1,`, i)
	}
	return b.String()
}

// J1, on every list with pages.
func TestPages(t *testing.T) {
	s := newServer(t)
	ada, _ := s.user("ada")
	s.groupAt("acme", "public")
	p := s.project("tool", "public")
	group := s.root("GET", v4+"/groups/acme", nil).must(t, 200)["id"]
	made := map[string]func(i int){
		"/groups?search=g-": func(i int) {
			s.root("POST", v4+"/groups", map[string]any{"name": "g", "path": fmt.Sprint("g-", i)}).must(t, 201)
		},
		"/groups/acme/subgroups?": func(i int) {
			s.root("POST", v4+"/groups", map[string]any{"name": "s", "path": fmt.Sprint("s-", i), "parent_id": group}).must(t, 201)
		},
		"/projects?search=p-": func(i int) { s.project(fmt.Sprint("p-", i), "public") },
		"/groups/acme/projects?": func(i int) {
			s.root("POST", v4+"/projects", map[string]any{"name": fmt.Sprint("x", i), "namespace_id": group}).must(t, 201)
		},
		"/users/" + itoa(ada) + "/projects?": func(i int) {
			s.root("POST", v4+"/projects?sudo=ada", map[string]any{"name": fmt.Sprint("y", i)}).must(t, 201)
		},
		"/personal_access_tokens?search=t&user_id=" + itoa(ada): func(i int) {
			if i > 0 { // there is one already
				s.token(ada, "api")
			}
		},
		"/deploy_tokens?": func(int) {
			s.form(rootToken, "POST", v4+"/projects/"+p+"/deploy_tokens", "name=x&scopes=read_package_registry").must(t, 201)
		},
		"/projects/" + p + "/deploy_tokens?": nil,
		"/projects/" + p + "/jobs?":          func(int) { s.root("POST", v4+"/projects/"+p+"/jobs", nil).must(t, 201) },
		"/groups/acme/members?": func(i int) {
			if i > 0 {
				n, _ := s.user(fmt.Sprint("person", i))
				s.memberAt("/groups/acme", n, 10)
			}
		},
		"/users?search=person": func(i int) {
			if i == 0 {
				s.user("person0")
			}
		},
		"/groups/acme/members/all?skip_users=999&": nil,
	}
	for _, fill := range made {
		for i := range 21 {
			if fill != nil {
				fill(i)
			}
		}
	}
	for path := range made {
		t.Run(path, func(t *testing.T) {
			joint := "&"
			if strings.HasSuffix(path, "?") || strings.HasSuffix(path, "&") {
				joint = ""
			}
			first := s.root("GET", v4+path, nil)
			second := s.root("GET", v4+path+joint+"page=2", nil)
			beyond := s.root("GET", v4+path+joint+"page=2147483648", nil)
			if a, b, c := len(first.list(t)), len(second.list(t)), len(beyond.list(t)); a != 20 || b != 1 || c != 0 {
				t.Errorf("rows on pages: %d, %d and %d, want 20, 1 and 0", a, b, c)
			}
			checkHeaders(t, first, "1", "2", "", "next first last")
			checkHeaders(t, second, "2", "", "1", "prev first last")
			checkHeaders(t, beyond, "2147483648", "", "", "first last")
			for query, body := range map[string]string{
				"per_page=0": `{"error":"per_page has a value not allowed"}`, "per_page=-1": `{"error":"per_page does not have a valid value"}`,
				"page=0": `{"error":"page does not have a valid value"}`, "page=x": `{"error":"page is invalid"}`,
				"page=99999999999999999999": `{"error":"page is invalid"}`, "page=2147483649": `{"error":"page does not have a valid value"}`,
			} {
				s.root("GET", v4+path+joint+query, nil).is(t, 400, body)
			}
			if all := s.root("GET", v4+path+joint+"per_page=1000", nil); all.Header.Get("X-Per-Page") != "100" || len(all.list(t)) != 21 {
				t.Errorf("per_page=1000: %d rows, X-Per-Page %s", len(all.list(t)), all.Header.Get("X-Per-Page"))
			}
		})
	}
	t.Run("Link", func(t *testing.T) {
		got := s.root("GET", v4+"/projects/"+p+"/deploy_tokens?per_page=7&page=2&active=true&private_token="+rootToken, nil).Header.Get("Link")
		base := s.url + v4 + "/projects/" + p + "/deploy_tokens?active=true&id=" + url.QueryEscape("root/tool") + "&page="
		want := "<" + base + `1&per_page=7>; rel="prev", <` + base + `3&per_page=7>; rel="next", <` + base + `1&per_page=7>; rel="first", <` + base + `3&per_page=7>; rel="last"`
		if got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	})
}

func checkHeaders(t *testing.T, a answer, page, next, prev, rels string) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Page": page, "X-Next-Page": next, "X-Prev-Page": prev, "X-Total": "21", "X-Total-Pages": "2", "X-Per-Page": "20",
	} {
		if got, sent := a.Header[name]; !sent || got[0] != want {
			t.Errorf("page %s: %s is %q, want %q", page, name, got, want)
		}
	}
	var got []string
	for link := range strings.SplitSeq(a.Header.Get("Link"), ", ") {
		_, rel, _ := strings.Cut(link, `rel="`)
		got = append(got, strings.TrimSuffix(rel, `"`))
	}
	if strings.Join(got, " ") != rels {
		t.Errorf("page %s: Link has %v, want %s", page, got, rels)
	}
}
