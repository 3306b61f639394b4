package api

import (
	"crypto/sha256"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"granary/internal/fault"
	"granary/internal/registry"
)

// FuzzDigests: a digest comes out only where it stands in the field, whole and once,
// and nothing that names our algorithm is passed over.
func FuzzDigests(f *testing.F) {
	sum := sha256.Sum256([]byte("hello"))
	text := base64.StdEncoding.EncodeToString(sum[:])
	for _, field := range []string{
		"", "sha-256=:" + text + ":", "sha-512=:x:, sha-256=:" + text + ":;a=1", "sha-256", "SHA-256 = :x:", "sha-256=:" + text, ",,,", "sha-256=::",
		"sha-256=" + text, "MD5=XUFAKrxLKna5cZ2REBfFkg==", "adler32=3da0195,crc32c=a72a4df", "5d41402abc4b2a76b9719d911017c592", "XUFAKrxLKna5cZ2REBfFkg",
	} {
		f.Add(field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		for _, in := range digestHeaders() {
			d, err := declaredDigests(http.Header{in.header: {field}})
			if err != nil && (d != nil || !fault.Is(err, fault.Refused)) {
				t.Fatalf("%s: %v, %v", in.header, d, err)
			}
			seen := map[registry.Algorithm]bool{}
			for _, c := range d {
				if seen[c.Algorithm] || len(c.Sum) == 0 || len(c.Sum) != c.Algorithm.Size() {
					t.Fatalf("%s: %v", in.header, d)
				}
				seen[c.Algorithm] = true
			}
		}
		d, err := declaredDigests(http.Header{"Content-Digest": {field}})
		named := false
		for member := range strings.SplitSeq(field, ",") {
			key, _, _ := strings.Cut(member, "=")
			named = named || strings.EqualFold(strings.TrimSpace(key), "sha-256")
		}
		found, _ := d.split()
		switch {
		case err == nil && named != (found != nil):
			t.Fatalf("%q: %v", field, d)
		case found != nil && !strings.Contains(strings.NewReplacer("\r", "", "\n", "").Replace(field), base64.StdEncoding.EncodeToString(found[:])[:42]):
			t.Fatalf("%q: %s is not in it", field, found)
		}
	})
}

// FuzzDisposition: whatever a file is called, the header is one line that says
// attachment, and says that name to whoever reads it by the book.
func FuzzDisposition(f *testing.F) {
	for _, name := range []string{"f", "a b", `a"b\c`, "é", "a+b~c@d", "a%20b", "\r\nX: y", "\xff", "", `";x="`} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := disposition(name)
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q", got)
		}
		kind, params, err := mime.ParseMediaType(got)
		if err != nil || kind != "attachment" || len(params) != 1 {
			t.Fatalf("%q: %s %v %v", got, kind, params, err)
		}
		if utf8.ValidString(name) && params["filename"] != name {
			t.Fatalf("%q reads as %q", got, params["filename"])
		}
		if back, err := url.PathUnescape(extValue(name)); err != nil || back != name {
			t.Fatalf("%q: %q, %v", extValue(name), back, err)
		}
		if strings.ContainsAny(extValue(name), ` "'();,/\*`) {
			t.Fatalf("%q is no ext-value", extValue(name))
		}
		if !strings.HasPrefix(contentType(name), "application/") {
			t.Fatalf("%q is served as %s", name, contentType(name))
		}
	})
}

// FuzzSplitGeneric: a path that is taken for a generic one comes together again
// from its parts, and one that a router would redirect is known as such.
func FuzzSplitGeneric(f *testing.F) {
	for _, p := range []string{
		"/api/v4/projects/1/packages/generic/tool/1.0.0/f", "/api/v4/projects/a%2Fb/p%61ckages/generic/t/1/d/e%2Ff", "/api/v4/projects/1/packages/generic/../1/f",
		"/api/v4/projects//packages/generic////", "/api/v4/projects/1/packages/generic/t/1/", "/", "", "//", "/api/v4/./x", "/api/v4/x/..",
		"/api/v4/projects/1/packages/generic/tool/1.0.0//f", "/api/v4/projects/1/packages/generic/tool/1.0.0/%2F",
	} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(u.Path, "/") {
			return
		}
		escaped := tidy(targetPath(&http.Request{RequestURI: target, URL: u}))
		pattern, project, raw := splitGeneric(escaped)
		whole := "/api/v4/projects/" + project + "/packages/generic/" + raw.Name
		switch pattern {
		case "":
			if project != "" || raw != (registry.Raw{}) {
				t.Fatalf("%q: %q %+v", escaped, project, raw)
			}
			whole = decoded(escaped)
		case genericVersion:
			whole += "/" + raw.Version
		case genericPath:
			whole += "/" + raw.Version + "/" + joined(raw, escaped)
		}
		if whole != decoded(escaped) {
			t.Fatalf("%q: project %q, %+v make %q", escaped, project, raw, whole)
		}
		clean := path.Clean(escaped)
		if strings.HasSuffix(escaped, "/") && clean != "/" {
			clean += "/"
		}
		if unclean(escaped) != (clean != escaped) {
			t.Fatalf("%q cleans to %q, unclean says %v", escaped, clean, unclean(escaped))
		}
	})
}

// joined is the path of the file, as it stands at the end of the request's path.
func joined(raw registry.Raw, escaped string) string {
	switch raw.Dir {
	case "":
		return raw.File
	case "/": // an empty directory, or one that says so itself
		if tail := "/" + raw.File; strings.HasSuffix(decoded(escaped), tail) {
			return tail
		}
		return "//" + raw.File
	}
	return raw.Dir + "/" + raw.File
}

// FuzzTidy: a path has the segments that it came with, but for the empty ones: %2F
// parts none, and nothing that a client sends raw changes that. net/http splits it
// in the same way.
func FuzzTidy(f *testing.F) {
	for _, p := range []string{"/", "//", "/a//b/", "/a%2Fb/^c", `/a%2f/|"<>\`, "/é/%C3%A9", "/a/../b", "/%2e/", "/a?b//c", "/a#b", "/%", "/[x]//{y}", "///?"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		r := &http.Request{RequestURI: target, URL: u}
		came := targetPath(r)
		path := tidy(came)
		if tidy(path) != path || strings.Contains(path, "//") || !strings.HasPrefix(path, "/") {
			t.Fatalf("%q is not tidy", path)
		}
		if path == came && u.EscapedPath() != came {
			t.Fatalf("net/http reads %q as %q", came, u.EscapedPath())
		}
		segments := func(path string) (found []string) {
			for segment := range strings.SplitSeq(path, "/") {
				if segment != "" {
					found = append(found, decoded(segment))
				}
			}
			return found
		}
		before, _, _ := strings.Cut(target, "?")
		want := segments(before)
		if got := segments(path); !slices.Equal(got, want) {
			t.Fatalf("%q has the segments %q, want %q", target, got, want)
		}
		if at := withPath(u, path); at.EscapedPath() != path || at.RawQuery != u.RawQuery {
			t.Fatalf("net/http reads %q as %q", path, at.EscapedPath())
		}
		if short := dropSlash(path); short != path && (short+"/" != path || strings.Contains(path, "/packages/generic/")) {
			t.Fatalf("%q became %q", path, short)
		}
		u, err = url.ParseRequestURI("http://u:p@h" + target)
		if err != nil {
			t.Fatal(err)
		}
		if whole := targetPath(&http.Request{RequestURI: "http://u:p@h" + target, URL: u}); whole != came {
			t.Fatalf("behind a host %q is %q", came, whole)
		}
	})
}

// FuzzCredentials: reading what a request carries never fails, finds nothing
// that is not there, and takes each carrier for what it is.
func FuzzCredentials(f *testing.F) {
	f.Add("Bearer x", "a", "b", "c", "private_token=q&job_token=r&token=s&access_token=t")
	f.Add("Basic YTpi", "", "", "", "")
	f.Add("Basic !!!", "", "", "", "%zz&;=&token")
	f.Add("bearer  x y ", "", "", "", "token=%00&sudo=ada")
	f.Fuzz(func(t *testing.T, authorization, private, job, deploy, query string) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{
			"Authorization": {authorization}, "Private-Token": {private}, "Job-Token": {job}, "Deploy-Token": {deploy},
		}}
		c, sudo := credentials(r)
		q := r.URL.Query()
		switch {
		case sudo != q.Get("sudo"):
			t.Fatalf("sudo %q", sudo)
		case c.DeployToken != deploy:
			t.Fatalf("deploy token %q", c.DeployToken)
		case c.PrivateToken != private && c.PrivateToken != q.Get("private_token"):
			t.Fatalf("private token %q", c.PrivateToken)
		case c.JobToken != job && c.JobToken != q.Get("job_token") && c.JobToken != q.Get("token"):
			t.Fatalf("job token %q", c.JobToken)
		case c.Bearer != "" && c.Bearer != q.Get("access_token") && !strings.Contains(authorization, c.Bearer):
			t.Fatalf("bearer %q", c.Bearer)
		case c.HasBasic && len(authorization) < 6, !c.HasBasic && c.BasicUser+c.BasicPassword != "":
			t.Fatalf("basic %+v", c)
		case c.HasBasic && bearer(authorization) != "":
			t.Fatalf("%q is Basic and Bearer", authorization)
		}
	})
}
