package releases

import (
	"net/url"
	"strings"
	"testing"
)

func TestTagsAreWhatGitTakes(t *testing.T) {
	for _, good := range []string{"v1.4.0", "release/2026-11", "1.0.0+meta", "ünïcode", "a@b", "HEAD"} {
		if !validTag(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"-v1", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", `a\b`, "a@{b", "@", "a.", ".a", "a/.b", "/a", "a/", "a//b",
		"a.lock", "a.lock/b", "..", ".", "a\nb", "a\x00", "\xff", strings.Repeat("a", 256),
	} {
		if validTag(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestLinksLeadToHTTPAndFTPOnly(t *testing.T) {
	for _, good := range []string{"https://example.com/x?y=1#z", "http://10.0.0.1:8080/api/v4/projects/a%2Fb/packages", "ftp://example.com/f", "HTTPS://example.com"} {
		if !validURL(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", "example.com/x", "/x", "//example.com/x", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ssh://h/x",
		"https:", "https:///x", "https:x", " https://example.com", "https://example.com/\r\nSet-Cookie: a=b", "https://exa mple.com",
		`https:\\example.com`, `http://a\b`, "https://example.com/\u2028", "https://" + strings.Repeat("a", maxURL),
	} {
		if validURL(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestAssetPathsSurviveAURL(t *testing.T) {
	for _, good := range []string{"/tool", "/bin/tool_1.0.0+meta.tar.gz", "/a b", "/ä", "/~x"} {
		if !validPath(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"tool", "/", "//a", "/a/", "/a//b", "/.", "/a/..", "/../a", `/a\b`, "/a?b", "/a#b", "/a%2fb", "/a\nb", "/" + strings.Repeat("a", 255)} {
		if validPath(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}

// FuzzURL: every accepted address is valid in a Location header.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"https://example.com/x", "javascript:x", "http://a\nb", "ftp://h", "https://u:p@h:1/?q#f"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !validURL(text) {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || !strings.Contains("http https ftp", u.Scheme) || u.Opaque != "" {
			t.Errorf("%q is taken", text)
		}
		if strings.ContainsAny(text, "\r\n\t \x00\\") {
			t.Errorf("%q would break a header", text)
		}
	})
}
