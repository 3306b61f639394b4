package cli

import (
	"runtime"
	"strings"
	"testing"
)

// What a system cannot have under its own name is named; nowhere else.
func TestStrangeNames(t *testing.T) {
	for _, tt := range []struct {
		paths           string // with spaces between them
		windows, darwin string // words of the refusal, "" for none
	}{
		{"a.txt lib/b.so .hidden null con2 COM10.txt lib/aux1", "", ""},
		{"a:b", `"a:b"`, ""},
		{`dir\a`, `"dir\\a"`, ""},
		{"a?b", "cannot be part of a name", ""},
		{"CON", `"CON" is a device`, ""},
		{"lib/nul.tar.gz", `"nul.tar.gz" is a device`, ""},
		{"com1/a", `"com1" is a device`, ""},
		{"LPT\u00b3.x", "is a device", ""},
		{"dir./a", "dropped", ""},
		{"README readme", `"README" and "readme"`, `"README" and "readme"`},
		{"Lib/a lib/A", "would be one file", "would be one file"},
		{"\u00c4.txt \u00e4.TXT", "would be one file", "would be one file"},
		{"Lib/a lib/b", "", ""},
	} {
		for system, want := range map[string]string{"windows": tt.windows, "darwin": tt.darwin, "linux": ""} {
			why := strange(system, strings.Fields(tt.paths))
			if (why == "") != (want == "") || !strings.Contains(why, want) {
				t.Errorf("%s on %s: %q, want %q", tt.paths, system, why, want)
			}
		}
	}
	if strange("windows", []string{"a "}) == "" {
		t.Error("a space at the end is not refused")
	}
}

// Where the server's promises do not hold, serve says so in one line.
func TestServeNotOnWindows(t *testing.T) {
	if runtime.GOOS != "windows" {
		t.Skip("the server runs here")
	}
	code, _, stderr := run(t, nil, "serve", "--data-dir", t.TempDir())
	if code != exitFailure || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "does not run on Windows") {
		t.Errorf("%d %q", code, stderr)
	}
}
