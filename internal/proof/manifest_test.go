package proof

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// filesOf are files whose content is their path.
func filesOf(paths ...string) []File {
	files := make([]File, len(paths))
	for i, p := range paths {
		files[i] = File{p, sha256.Sum256([]byte(p))}
	}
	return files
}

func TestManifest(t *testing.T) {
	files := filesOf("b", "a/b", "a-b", "é", "a")
	files[4].Digest = [32]byte{0: 0xab, 31: 0xcd}
	want := "ab" + strings.Repeat("0", 60) + "cd  a\n"
	for _, p := range []string{"a-b", "a/b", "b", "é"} {
		want += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(p)), p)
	}
	if got := string(Manifest(files)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if files[0].Path != "b" {
		t.Error("the caller's files were sorted")
	}
	if got := Manifest(nil); len(got) != 0 {
		t.Errorf("of no files: %q", got)
	}
}

// TestCoreutilsMakeTheManifest is the command of coreutils that computes a manifest
// without us.
func TestCoreutilsMakeTheManifest(t *testing.T) {
	needCoreutils(t)
	dir := t.TempDir()
	for _, paths := range [][]string{
		nil,
		{"b", "a/b", "a-b", "a.b", "-x.bin", "é", "*", " two  blanks ", "#", "Z", "d/-", "a/c/d", "[x]", "$(x)", `"`, "'"},
	} {
		files := filesOf(paths...)
		if err := Check(files); err != nil {
			t.Error(err)
		}
		write(t, dir, files)
		made := exec.CommandContext(t.Context(), "bash", "-c", `set -o pipefail; find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 -r sha256sum --`)
		made.Dir, made.Stderr = dir, os.Stderr
		got, err := made.Output()
		if want := Manifest(files); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: got\n%s\nwant\n%s", err, got, want)
		}
	}
}

// TestCoreutilsCheckOddPaths holds the lines of paths that no final version may have to
// `sha256sum --check`: it finds these files, and finds changed ones to be changed.
func TestCoreutilsCheckOddPaths(t *testing.T) {
	needCoreutils(t)
	dir := t.TempDir()
	files := filesOf(`a\b`, "a\nb", "a\rb", `\`, `a\nb`, "-", "tab\there", "\xff", "\x1b", "plain")
	write(t, dir, files)
	check := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet")
		cmd.Dir, cmd.Stdin = dir, bytes.NewReader(Manifest(files))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := check(); err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
	for i := range files {
		files[i].Digest[0]++
	}
	if out, err := check(); err == nil || strings.Count(out, ": FAILED\n") != len(files) {
		t.Errorf("%v\n%s", err, out)
	}
}

// needCoreutils leaves out a test that runs them with -short: that needs only Go.
func needCoreutils(t *testing.T) {
	if testing.Short() {
		t.Skip("other programs are not run with -short")
	}
}

func write(t *testing.T, dir string, files []File) {
	t.Helper()
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f.Path), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckPath(t *testing.T) {
	for _, path := range []string{"a", "a/b", "-x", "a/-", "...", ".a", "a..", "é", " ", "~", "@", strings.Repeat("a/", 600) + "a"} {
		if err := CheckPath(path); err != nil {
			t.Error(err)
		}
	}
	for path, why := range map[string]string{
		"":          `has the part ""`,
		"/a":        `has the part ""`,
		"a/":        `has the part ""`,
		"a//b":      `has the part ""`,
		".":         `has the part "."`,
		"a/./b":     `has the part "."`,
		"../a":      `has the part ".."`,
		"a/..":      `has the part ".."`,
		"-":         "is the standard input of sha256sum",
		`a\b`:       "has a backslash",
		"a\nb":      "has a control character",
		"a\x00":     "has a control character",
		"a\x7f":     "has a control character",
		"a\u0085/b": "has a control character",
		"a\xff":     "is not UTF-8",
	} {
		if err := CheckPath(path); err == nil || err.Error() != fmt.Sprintf("the path %q %s", path, why) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		paths []string
		want  string
	}{
		{nil, ""},
		{[]string{"a/b", "a-b", "a.b", "ab", "a/c", "b/a", "A"}, ""},
		{[]string{"a/b", "x", "a/b"}, `the path "a/b" is there twice`},
		{[]string{"a/b", "a-b", "a!", "a"}, `the path "a" is a file and, because of "a/b", a folder`},
		{[]string{"d/a/b/c", "d/a b", "d/a"}, `the path "d/a" is a file and, because of "d/a/b/c", a folder`},
		{[]string{"a", ".."}, `the path ".." has the part ".."`},
	} {
		got := ""
		if err := Check(filesOf(tc.paths...)); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%q: %q, want %q", tc.paths, got, tc.want)
		}
	}
	many := make([]File, MaxFiles+1)
	for i := range many {
		many[i].Path = fmt.Sprint(i)
	}
	if err := Check(many[1:]); err != nil {
		t.Error(err)
	}
	if err := Check(many); err == nil || err.Error() != "10001 files are too many: a version may have 10000" {
		t.Error(err)
	}
}

// FuzzCheck compares Check with the plain rule, every path beside every other.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"a\na/b", "a-b\na\na/b", "a\na", "x/y/z\nx\nx.y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		files := filesOf(strings.Split(s, "\n")...)
		conflict := false
		for i, a := range files {
			if CheckPath(a.Path) != nil {
				return
			}
			for j, b := range files {
				conflict = conflict || i != j && (a.Path == b.Path || strings.HasPrefix(b.Path, a.Path+"/"))
			}
		}
		if err := Check(files); (err != nil) != conflict {
			t.Errorf("%q: %v, conflict %v", s, err, conflict)
		}
	})
}
