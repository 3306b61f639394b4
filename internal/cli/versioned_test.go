package cli

import (
	"strings"
	"testing"
)

// A package without a name, or with a version that is empty, is nobody's wish: it is
// what a variable leaves that is not set.
func TestNoPackage(t *testing.T) {
	for command, flags := range map[string][]string{
		"pull": nil, "ls": nil, "show": nil, "rm": nil, "verify": nil, "open": nil, "push": nil, "copy": {"--to", "c/d"},
		"yank": {"--reason", "x"}, "unyank": nil, "deprecate": nil,
	} {
		for _, named := range [][]string{{"@1"}, {"tool@"}, {""}, {"@"}, {"tool", ""}} {
			args := append(append([]string{command, "a/b"}, named...), flags...)
			code, _, stderr := run(t, []string{"GRANARY_SERVER=http://127.0.0.1:9", "HOME="}, args...)
			want := "is not a package: want NAME@VERSION, or NAME alone"
			if len(named) > 1 {
				want = "the argument after tool is empty: want granary " + command
			}
			if code != exitUsage || !strings.Contains(stderr, want) {
				t.Errorf("granary %q: exit %d, %s", args, code, stderr)
			}
		}
	}
}
