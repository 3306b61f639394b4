package api_test

import (
	"net/url"
	"strings"
	"testing"

	"granary/internal/naming"
)

// relaxed makes a project with today's GitLab's naming.
func (s *server) relaxed(name string) string {
	s.t.Helper()
	p := s.project(name, "public")
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_package_naming": "relaxed"}).must(s.t, 200)
	return p
}

// TestStrictNaming is mission rows 5 to 7.
func TestStrictNaming(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	for _, rest := range []string{"tool/1.0.0/f", "My.Pkg_2-x/0.0.0/F.tar.gz", "-/123.456.789/-", "a..b/1.2.3/..c", ".../1.2.3/...", "_/00.01.1/_",
		strings.Repeat("n", 255) + "/1.2." + strings.Repeat("3", 251) + "/" + strings.Repeat("f", 255)} {
		s.root("PUT", generic(p, rest), rest).is(t, 201, created)
		s.root("GET", generic(p, rest), nil).is(t, 200, rest)
	}
	for _, tc := range []struct{ rest, text string }{
		{"a+b/1.0.0/f", "package_name is invalid"}, {"a%2Bb/1.0.0/f", "package_name is invalid"}, {"a~b/1.0.0/f", "package_name is invalid"},
		{"t%C3%B6l/1.0.0/f", "package_name is invalid"}, {strings.Repeat("n", 256) + "/1.0.0/f", "package_name is invalid"},
		{"!!()()/1.0.0/f", "package_name is invalid"}, {"$foo%2Fbar/1.0.0/f", "package_name is invalid"}, {"my%20file%20name/1.0.0/f", "package_name is invalid"},
		{"tool/1.0/f", "package_version is invalid"}, {"tool/1.0.0.0/f", "package_version is invalid"}, {"tool/1.0./f", "package_version is invalid"},
		{"tool/v1.0.0/f", "package_version is invalid"}, {"tool/1.0.0-rc1/f", "package_version is invalid"}, {"tool/%D9%A1.0.0/f", "package_version is invalid"},
		{"tool/1.2." + strings.Repeat("3", 252) + "/f", "package_version is invalid"},
		{"tool/1.0.0/a+b", "file_name is invalid"}, {"tool/1.0.0/a~b", "file_name is invalid"}, {"tool/1.0.0/a@b", "file_name is invalid"},
		{"tool/1.0.0/f%0a", "file_name is invalid"}, {"tool/1.0.0/f%00", "file_name is invalid"}, {"tool/1.0.0/dir%2Ff", "file_name is invalid"},
		{"tool/1.0.0/dir/f", "path is invalid"}, {"tool/1.0.0/f?path=dir", "path is invalid"},
	} {
		for _, method := range []string{"PUT", "GET"} {
			s.root(method, generic(p, tc.rest), nil).starts(t, 400, tc.text)
		}
	}
	// GitLab's words come first, one for each part; then what to do about it.
	got := s.root("PUT", generic(p, "a+b/1.0/d/a~b?status=no&select=no"), nil).must(t, 400)["error"].(string)
	for _, part := range []string{"package_name is invalid, package_version is invalid, path is invalid, file_name is invalid, ",
		"generic_package_naming", "status does not have a valid value", "select does not have a valid value"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is not in %q", part, got)
		}
	}
}

// TestRelaxedNaming is contract generic-packages 2.2, today's column, with its
// samples.
func TestRelaxedNaming(t *testing.T) {
	s := newServer(t)
	p := s.relaxed("tool")
	for _, version := range []string{"1.2.3", "1.3.350-20201230123456", "1.2.3-rc1", "1.2.3g", "1.2", "1.2.bananas", "v1.2.4-build",
		"d50d836eb3de6177ce6c7a5482f27f9c2c84b672", "this_is_a_string_only", "1.0+build.7", "1.0%2Bbuild.8", "-", "1.", ".1"} {
		s.root("PUT", generic(p, "tool/"+version+"/f"), version).is(t, 201, created)
		s.root("GET", generic(p, "tool/"+version+"/f"), nil).is(t, 200, version)
	}
	for _, version := range []string{"..1.2.3", "%201.2.3", "1.2.3%20", "%0D1.2.3", "1.2.3%09", "1.2.3%0A", "1.2.3-4%2F..%2F..%2F", "1.2.3-4%252e%252e%25",
		"..%2F..%2F..%2F..%2F..%2F1.2.3", "%252e%252e%252f1.2.3", ".", "..", "1..2", "1~2", "1@2", "%C3%A9", strings.Repeat("1", 256)} {
		for _, method := range []string{"PUT", "GET"} {
			s.root(method, generic(p, "tool/"+version+"/f"), nil).starts(t, 400, "package_version is invalid")
		}
	}
	for _, name := range []string{"a+b", "a%2Bb", "c++", "a.b_c-d"} {
		s.root("PUT", generic(p, name+"/1/"+name), name).is(t, 201, created)
	}
	s.root("GET", generic(p, "a+b/1/a%2Bb"), nil).is(t, 200, "a%2Bb")
	for _, file := range []string{"a~b", "a@b", "a%40b%7Ec"} {
		s.root("PUT", generic(p, "tool/1/"+file), file).is(t, 201, created)
		s.root("GET", generic(p, "tool/1/"+file), nil).is(t, 200, file)
	}
	for _, file := range []string{"~a", "a~", "@a", "a@", "~", "a%20b", "a%00", "a%5Cb", "..%5C..%5Cfoo", "%252e%252e%252ff", "a:b", "a*b", "%C3%A9"} {
		s.root("PUT", generic(p, "tool/1/"+file), nil).starts(t, 400, "file_name is invalid")
	}
	for _, name := range []string{"a~b", "a@b", "a%2Fb", "..%2F..%2Ffoo", "..%5C..%5Cfoo", "!!()()"} {
		s.root("PUT", generic(p, name+"/1/f"), nil).starts(t, 400, "package_name is invalid")
	}
	names := []string{}
	for _, name := range []string{"a+b", "c++"} {
		names = append(names, ask[string](s, `SELECT file_name FROM package_files WHERE file_name = $1 LIMIT 1`, name))
	}
	if names[0] != "a+b" || names[1] != "c++" {
		t.Errorf("stored names %q: at the top they are kept as they are", names)
	}
}

// TestDirectories: contract generic-packages 1 and 2.4. A file in a directory is
// stored under its whole path, percent-encoded.
func TestDirectories(t *testing.T) {
	s := newServer(t)
	p := s.relaxed("tool")
	for _, tc := range []struct{ rest, stored string }{
		{"path/to/file", "path%2Fto%2Ffile"},
		{"dir/a+b", "dir%2Fa%2Bb"},
		{"dir/a~b@c*", ""},
		{"dir/a~b@c", "dir%2Fa%7Eb%40c"},
		{"my%20dir/f", "my%20dir%2Ff"},
		{"d%C3%A9j%C3%A0*/f-1_2.x", "d%C3%A9j%C3%A0*%2Ff-1_2.x"},
		{"path%2Fwith/escaped", "path%2Fwith%2Fescaped"},
		{"pasted%2Fback", "pasted%2Fback"},
		{"a/b%2Fc", "a%2Fb%2Fc"},
		{"a%2Fb%2Fc%2Fd", "a%2Fb%2Fc%2Fd"},
		{"f?path=q/r", "q%2Fr%2Ff"},
		{"f?path=q%2Fs", "q%2Fs%2Ff"},
		{"x/f?path=ignored", "x%2Ff"},
		{"100%25/f", "100%25%2Ff"},
		{"~home/f", "%7Ehome%2Ff"},
		{"twice//f", "twice%2Ff"},
		{"/once", "once"},
	} {
		got := s.root("PUT", withQuery(generic(p, "tool/1/"+tc.rest), "select=package_file"), tc.rest)
		if tc.stored == "" {
			got.must(t, 400)
			continue
		}
		row := got.must(t, 200)
		if row["file_name"] != tc.stored {
			t.Errorf("%s is stored as %v, want %s", tc.rest, row["file_name"], tc.stored)
		}
		s.do("GET", generic(p, "tool/1/"+tc.rest), nil).is(t, 200, tc.rest)
		// What the listing shows can be pasted back, and file.url downloads.
		s.do("GET", generic(p, "tool/1/"+tc.stored), nil).is(t, 200, tc.rest)
		link, err := url.Parse(row["file"].(map[string]any)["url"].(string))
		if err != nil {
			t.Fatal(err)
		}
		s.do("GET", link.EscapedPath(), nil).is(t, 200, tc.rest)
	}
	s.do("GET", generic(p, "tool/1/to/file?path=path"), nil).is(t, 404, noRow) // directories in the path count
	for _, rest := range []string{"a/", "a/../f", "../f", "a/./f", "a/%2e%2e/f", "%2e%2e/f", "%2e%2e%2ff", "%2Ff", "a%2F", "a%2F%2Fb", "a/%2Ff",
		"a%0Ab/f", "a%00/f", "a%7F/f", "..%5Cb/f", "a%5C..%5Cb/f", "%252e%252e/f", "%252e%252e%252ff", "%252Fetc/f", "%FF/f",
		"f?path=..", "f?path=/etc", "f?path=a/../b", "f?path=a//b", "f?path=%2e", "f?path=a/", "f?path=a%0ab",
		strings.Repeat("d", 256) + "/f", strings.Repeat("d/", 600) + "f"} {
		for _, method := range []string{"PUT", "GET"} {
			if got := s.root(method, generic(p, "tool/1/"+rest), nil); got.StatusCode != 400 || !strings.HasPrefix(got.body, `{"error":"`) {
				t.Errorf("%s %s: %d %s", method, rest, got.StatusCode, got.body)
			}
		}
	}
}

func withQuery(path, query string) string {
	if strings.Contains(path, "?") {
		return path + "&" + query
	}
	return path + "?" + query
}

// TestNamingSwitch: the server's word holds where the project has none.
func TestNamingSwitch(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	project, file := "/api/v4/projects/"+p, generic(p, "tool/v1/dir/f")
	s.root("PUT", file, "x").must(t, 400)
	s.registry.Naming = naming.Relaxed
	s.root("PUT", file, "x").is(t, 201, created)
	s.root("PUT", project, map[string]any{"generic_package_naming": "strict"}).must(t, 200)
	s.root("PUT", file, "x").must(t, 400)
	s.root("GET", file, nil).must(t, 400)
	s.root("PUT", project, map[string]any{"generic_package_naming": nil}).must(t, 200)
	s.root("GET", file, nil).is(t, 200, "x")
	s.registry.Naming = naming.Strict
	s.root("PUT", project, map[string]any{"generic_package_naming": "relaxed"}).must(t, 200)
	s.root("GET", file, nil).is(t, 200, "x")

	// Whoever cannot see the project learns nothing of its naming, and is asked
	// to log in: tools with a .netrc wait for that.
	_, stranger := s.user("stranger")
	for _, naming := range []any{"relaxed", "strict"} {
		s.root("PUT", project, map[string]any{"generic_package_naming": naming}).must(t, 200)
		s.as(stranger, "GET", file, nil).is(t, 404, notFound)
		s.do("GET", file, nil).is(t, 401, unauthorized)
		s.as(stranger, "GET", generic(p, "tool/1..0/f"), nil).starts(t, 400, "package_version is invalid")
		s.do("GET", generic(p, "tool/1..0/f"), nil).starts(t, 400, "package_version is invalid")
	}
}
