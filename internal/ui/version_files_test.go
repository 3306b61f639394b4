package ui_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"granary/internal/registry"
)

const sondeURL = "/acme/tools/-/packages/generic/"

// digestOf is the SHA-256 of a text as pages write it.
func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// commands are the texts of the snippets of a page.
func (a answer) commands(t *testing.T) (all string) {
	t.Helper()
	for pre := range a.parse(t).elements("pre") {
		all += pre.text() + "\n"
	}
	return all
}

// TestReplacedFile: of a name that was published twice the newer file is offered, which is
// what the address serves, on whichever page of files the older one is.
func TestReplacedFile(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("guest")
	s.publish("acme/tools", "twice", "1.0.0", "tool.bin", "older and larger")
	s.publish("acme/tools", "twice", "1.0.0", "tool.bin", "newer")
	got := b.get(sondeURL+"twice/1.0.0").wants(t, 200, "replaced")
	if n := strings.Count(got.body, `<option value="tool.bin"`); n != 1 {
		t.Errorf("tool.bin is offered %d times", n)
	}
	if text := got.commands(t); !strings.Contains(text, digestOf("newer")) || strings.Contains(text, digestOf("older and larger")) {
		t.Errorf("the commands are %s", text)
	}

	s.publishMany(49, func(i int) registry.Raw {
		return registry.Raw{Name: "edge", Version: "1.0.0", File: fmt.Sprintf("a%02d", i)}
	})
	s.publish("acme/tools", "edge", "1.0.0", "b_linux_amd64.tar.gz", "older")
	s.publish("acme/tools", "edge", "1.0.0", "b_linux_amd64.tar.gz", "newer")
	for _, page := range []string{"", "?page=2"} {
		if text := b.get(sondeURL + "edge/1.0.0" + page).commands(t); !strings.Contains(text, digestOf("newer")) || strings.Contains(text, digestOf("older")) {
			t.Errorf("edge%s: the commands are %s", page, text)
		}
	}
}

// TestFileOfAnotherPage: a link to a file works from any page of files, the choice of a
// file keeps the page, and a file that is not there is named.
func TestFileOfAnotherPage(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("guest")
	s.publishMany(60, func(i int) registry.Raw {
		return registry.Raw{Name: "wide", Version: "1.0.0", File: fmt.Sprintf("f%02d", i)}
	})
	const at = sondeURL + "wide/1.0.0"
	for _, query := range []string{"?file=f58", "?page=2&file=f58", "?page=1&file=f58"} {
		got := b.get(at+query).wants(t, 200, `<option value="f58" selected>`)
		if text := got.commands(t); !strings.Contains(text, "/f58") || strings.Contains(text, "/f00") {
			t.Errorf("%s: the commands are %s", query, text)
		}
	}
	b.get(at+"?page=2").wants(t, 200, `<input type="hidden" name="page" value="2">`)
	b.get(at).lacks(t, `name="page"`)
	for _, none := range []string{"none", "../f01"} {
		b.get(at+"?file="+none).wants(t, 200, "This version has no file ", "granary pull")
	}
}

// TestLongReadme: a README that is too large for a page is mentioned.
func TestLongReadme(t *testing.T) {
	s := newSite(t)
	s.acme()
	s.publish("acme/tools", "book", "1.0.0", "README.md", strings.Repeat("word ", 60_000))
	s.publish("acme/tools", "book", "1.1.0", "README.md", "# Hello")
	at := "/acme/tools/-/packages/generic/book/"
	s.as("owner").get(at+"1.0.0").wants(t, 200, "is larger than 256 KiB").lacks(t, "word word")
	s.as("owner").get(at+"1.1.0").wants(t, 200, "Hello").lacks(t, "is larger than 256 KiB")
}
