package naming_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"granary/internal/fault"
	"granary/internal/naming"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		naming naming.Grammar
		raw    naming.Raw
		stored string // empty: refused
		fault  string // how its message begins
	}{
		{naming.Strict, naming.Raw{Name: "tool", Version: "1.0.0", File: "f"}, "f", ""},
		{naming.Strict, naming.Raw{Name: "tool", Version: "1.0", File: "f"}, "", "package_version is invalid, "},
		{naming.Strict, naming.Raw{Name: "tool", Version: "1.0.0", File: "d/f"}, "", "file_name is invalid, "},
		{naming.Strict, naming.Raw{Name: "tool", Version: "1.0.0", Dir: "d", File: "f"}, "", "path is invalid, "},
		{naming.Strict, naming.Raw{}, "", "package_name is invalid, package_version is invalid, file_name is invalid, "},
		{naming.Strict, naming.Raw{Name: "..", Version: "1.0.0", File: ".."}, "",
			"package_name should be a valid file path, file_name should be a valid file path, "},
		{naming.Relaxed, naming.Raw{Name: "a+b", Version: "v1", File: "f~1"}, "f~1", ""},
		{naming.Relaxed, naming.Raw{Name: "tool", Version: "v1", File: "d/f"}, "d%2Ff", ""},
		{naming.Relaxed, naming.Raw{Name: "tool", Version: "v1", Dir: "d", File: "f"}, "d%2Ff", ""},
		{naming.Relaxed, naming.Raw{Name: "tool", Version: "v1", Dir: "d", File: "e/f"}, "d%2Fe%2Ff", ""},
		{naming.Relaxed, naming.Raw{Name: "tool", Version: "v1", Dir: "d e", File: "a+b"}, "d%20e%2Fa%2Bb", ""},
		{naming.Relaxed, naming.Raw{Name: "tool", Version: "v1", File: "/f"}, "", "path should be a valid file path, "},
		{naming.Relaxed, naming.Raw{Name: "tool", Version: "v1", Dir: "d", File: "/f"}, "", "path should be a valid file path, "},
		{naming.Relaxed, naming.Raw{Name: "tool", Version: "v1", Dir: "..", File: "f"}, "", "path should be a valid file path, "},
		{naming.Relaxed, naming.Raw{Name: "tool", Version: ".", File: "f"}, "", "package_version is invalid, "},
		{naming.Relaxed, naming.Raw{Name: "tool", Version: "v1", File: "d/"}, "", "file_name is invalid, "},
	} {
		c, err := naming.Parse(tc.naming, tc.raw)
		switch {
		case tc.stored != "" && (err != nil || string(c.File) != tc.stored):
			t.Errorf("%s %+v: %v, %v, want file %s", tc.naming, tc.raw, c, err, tc.stored)
		case tc.stored == "" && (!fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), tc.fault)):
			t.Errorf("%s %+v: %v, %v, want %q", tc.naming, tc.raw, c, err, tc.fault)
		}
	}
}

// Messages stay short and printable, whatever was sent.
func TestParseMessage(t *testing.T) {
	_, err := naming.Parse(naming.Strict, naming.Raw{
		Name: strings.Repeat("\x00é", 100), Version: strings.Repeat("\n", 100), Dir: strings.Repeat("\xff", 100), File: strings.Repeat(`"`, 100),
	})
	if text := err.Error(); len(text) > 4000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("%q", text)
	}
}

func TestFileNameBase(t *testing.T) {
	for stored, base := range map[naming.FileName]string{
		"f": "f", "path%2Fto%2Ffile": "file", "d%2Fa%2Bb": "a+b", "d%20e%2Ff": "f", "100%25%2Ff": "f", "%zz": "%zz",
	} {
		if got := stored.Base(); got != base {
			t.Errorf("%s: %q, want %q", stored, got, base)
		}
	}
}

// FuzzParse: what is accepted keeps to the contract's expressions, is
// stored under a name that reads back, and leads nowhere else.
func FuzzParse(f *testing.F) {
	f.Add("tool", "1.0.0", "", "f", false)
	f.Add("a+b", "v1-rc.1", "path/to", "file~1@x", true)
	f.Add("..", "1..2", "../..", "%2e%2e%2f", true)
	f.Add("tool", "1", "d", "e/f", true)
	f.Add("tool", "1", "a%2Fb", "c", true)
	name, strictVersion := regexp.MustCompile(`\A[A-Za-z0-9\.\_\-\+]+\z`), regexp.MustCompile(`\A\d+\.\d+\.\d+\z`)
	strictName, version := regexp.MustCompile(`\A[A-Za-z0-9._-]+\z`), regexp.MustCompile(`\A[\w+.-]+\z`)
	file := regexp.MustCompile(`\A[A-Za-z0-9._+-]([A-Za-z0-9._+~@-]*[A-Za-z0-9._+-])?\z`)
	f.Fuzz(func(t *testing.T, n, v, dir, fn string, relaxed bool) {
		grammar := naming.Strict
		if relaxed {
			grammar = naming.Relaxed
		}
		c, err := naming.Parse(grammar, naming.Raw{Name: n, Version: v, Dir: dir, File: fn})
		if err != nil {
			if !fault.Is(err, fault.Invalid) || c != (naming.Coordinates{}) {
				t.Fatalf("%v with %v", c, err)
			}
			return
		}
		path, err := url.PathUnescape(string(c.File))
		if err != nil {
			t.Fatalf("stored name %q: %v", c.File, err)
		}
		whole := fn
		if dir != "" {
			whole = dir + "/" + fn
		}
		if path != whole {
			t.Fatalf("stored name %q reads back as %q, want %q", c.File, path, whole)
		}
		for part := range strings.SplitSeq(path, "/") {
			if part == "" || part == "." || part == ".." {
				t.Fatalf("path %q", path)
			}
		}
		base := path[strings.LastIndexByte(path, '/')+1:]
		if base != c.File.Base() || !file.MatchString(base) {
			t.Fatalf("file name %q of %q", base, path)
		}
		switch {
		case !relaxed && (!strictName.MatchString(n) || !strictVersion.MatchString(v) || !strictName.MatchString(string(c.File))):
			t.Fatalf("strict: %v", c)
		case !name.MatchString(n) || !version.MatchString(v) || strings.Contains(v, ".."):
			t.Fatalf("relaxed: %v", c)
		case string(c.Name) != n || string(c.Version) != v || n == "." || n == ".." || v == ".":
			t.Fatalf("%v of %q %q", c, n, v)
		case strings.ContainsAny(string(c.File), "/\\\x00\n"):
			t.Fatalf("stored name %q", c.File)
		}
	})
}
