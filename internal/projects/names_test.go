package projects

import (
	"strings"
	"testing"

	"granary/internal/fault"
)

// TestPaths: the grammar of a path, and the path that is made from a name.
func TestPaths(t *testing.T) {
	long := strings.Repeat("a", 255)
	for path, ok := range map[string]bool{
		"tool": true, "Tool_1.x-y": true, "_": true, "9": true, "a-": true, "git": true, "a.gits": true, long: true,
		"": false, "-tool": false, ".tool": false, "tool.": false, "tool.git": false, "tool.GIT": false, "tool.Atom": false, ".": false, "..": false,
		"a/b": false, "a b": false, "tööl": false, "tool\n": false, "a%2fb": false, "\xff": false, long + "a": false,
	} {
		if err := checkPath(path); (err == nil) != ok || err != nil && !fault.Is(err, fault.Rejected) {
			t.Errorf("path %.60q: %v", path, err)
		}
	}
	for name, want := range map[string]string{
		"My Tool": "my-tool", "tool": "tool", " Tool! 2.0 ": "tool-2.0", "a/b": "ab", "Größe": "gre", "-.x.-": "x", "日本": "", "a\x00b": "ab",
	} {
		if got := slug(name); got != want {
			t.Errorf("the path of %q: %q, want %q", name, got, want)
		}
	}
}

// TestNames: a name is one line, not blank, of at most 255 characters.
func TestNames(t *testing.T) {
	long := strings.Repeat("ä", 255)
	for name, ok := range map[string]bool{
		"Tool": true, "Größe / 日本 ": true, long: true,
		"": false, " \t ": false, "\u00a0": false, long + "a": false, "a\nb": false, "a\x00": false, "a\x7f": false, "\xff": false,
	} {
		if err := checkName(name); (err == nil) != ok || err != nil && !fault.Is(err, fault.Rejected) {
			t.Errorf("name %.60q: %v", name, err)
		}
	}
}

// TestNewPaths: a full path has a limit, and one that exceeds it already may only become
// shorter.
func TestNewPaths(t *testing.T) {
	full := strings.Repeat("a", 253) + "/b" // 255
	deep := strings.Repeat("a/", 19) + "a"  // 20 segments
	over, deeper := full+"c", strings.Repeat("a/", 20)+"a"
	for _, tt := range []struct {
		name, from, to string
		group, ok      bool
	}{
		{"the longest", "a", full, true, true},
		{"too long", "a", over, true, false},
		{"too long, of a project", "a", over, false, false},
		{"255 characters of two bytes", "a", strings.Repeat("ä", 255), true, true},
		{"the deepest", "a", deep, true, true},
		{"too deep", "a", deeper, true, false},
		{"a project in the deepest", "a", deeper, false, true},
		{"was too long, and stays", over, over, true, true},
		{"was too long, and gets longer", over, over + "d", true, false},
		{"was too long, and gets shorter, still too long", over + "d", over, true, true},
		{"was too deep, and stays", deeper, deeper, true, true},
		{"as long, and too deep now", strings.Repeat("a", len(deeper)), deeper, true, false},
	} {
		if err := CheckNewPath(tt.from, tt.to, tt.group); (err == nil) != tt.ok || err != nil && !fault.Is(err, fault.Rejected) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
