package ui_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/projects"
)

// TestLinesAreKept: a text of several lines is stored with the ends of lines that it was
// typed with, and comes back as it was.
func TestLinesAreKept(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	const sent, want = "\r\none\r\ntwo\r\n\r\nthree", "\none\ntwo\n\nthree"
	b.post("/acme/tools/-/settings/variables", "key", "LINES", "value", sent).wants(t, 303)
	found, err := s.places.ProjectVariables().Reveal(t.Context(), s.actor("admin"), "acme/tools", projects.VariableRef{Key: "LINES"})
	if err != nil || found.Value != want {
		t.Errorf("the variable is %q, %v", found.Value, err)
	}
	b.post("/acme/tools/-/releases/v1.0.0/edit", "name", "First", "description", sent).wants(t, 303)
	for range 2 {
		if got := s.notes("v1.0.0"); got != want {
			t.Errorf("the notes are %q", got)
		}
		page := b.get("/acme/tools/-/releases/v1.0.0/edit").wants(t, 200)
		for _, f := range page.parse(t).forms("") {
			if strings.HasSuffix(f.action, "/edit") {
				b.post(f.action, "name", "First", "description", strings.ReplaceAll(f.fields.Get("description"), "\n", "\r\n")).wants(t, 303)
			}
		}
	}
	for _, at := range []string{"/acme", "/acme/tools"} {
		b.post(at+"/-/settings", "name", "thing", "description", "one\r\ntwo").wants(t, 303)
	}
	p, err := s.places.Project(t.Context(), s.actor("admin"), "acme/tools")
	g, groupErr := s.places.Group(t.Context(), s.actor("admin"), "acme")
	if err != nil || groupErr != nil || p.Description != "one\ntwo" || g.Description != "one\ntwo" {
		t.Errorf("the descriptions are %q and %q, %v, %v", p.Description, g.Description, err, groupErr)
	}
}

// TestTextareasBeginALine: parsers of HTML drop one newline after <textarea>. Each has one,
// so that a text that begins with a newline keeps its own.
func TestTextareasBeginALine(t *testing.T) {
	files, err := filepath.Glob("templates/*.html")
	parts, err2 := filepath.Glob("templates/parts/*.html")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	n := 0
	for _, file := range append(files, parts...) {
		text, err := os.ReadFile(file) //nolint:gosec // a template of ours
		if err != nil {
			t.Fatal(err)
		}
		for i, rest := range strings.Split(string(text), "<textarea") {
			if i == 0 {
				continue
			}
			n++
			if line, _, _ := strings.Cut(rest, "\n"); !strings.HasSuffix(line, ">") || strings.Contains(line, "</textarea") {
				t.Errorf("%s: no newline after <textarea%s", file, line)
			}
		}
	}
	if n == 0 {
		t.Error("no template has a textarea")
	}
}
