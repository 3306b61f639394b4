package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"granary/internal/client"
)

// pulling is a pull into a directory that has these files; a name with a slash at
// its end is a directory.
func pulling(t *testing.T, there ...string) (*pull, *os.Root) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range there {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(at, 0o777); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(at, []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	c, err := client.New(client.Config{Server: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	return &pull{dir: "out", jobs: 2, client: c, at: client.Coordinates{Project: "p", Name: "tool", Version: "1"}}, root
}

func filesOf(names ...string) (files []pulled) {
	for _, name := range names {
		files = append(files, newPulled(client.File{Path: name, Size: 1}))
	}
	return files
}

// What stands in the way is told with the names that people know, and without the
// name of a system call.
func TestPullPlaces(t *testing.T) {
	p, root := pulling(t, "file", "dir/x", "dir/sub/y", ".git/hooks/")
	for link, to := range map[string]string{"nowhere": "gone", "outside": "..", "inside": "dir", "round": "round", "dir/git": "../.git/hooks"} {
		if err := root.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"new": "", "dir/new": "", "a/b/c": "", "file": "", "inside/new": "",
		"dir":           "out/dir is a directory, and the package has a file of that name",
		"dir/sub":       "out/dir/sub is a directory, and",
		"file/a":        "out/file is not a directory, and the package has one of that name, with file/a",
		"file/a/b":      "out/file is not a directory, and the package has one of that name, with file/a/b",
		"nowhere/a":     "out/nowhere is not a directory, and",
		"outside/a":     "out/outside is a link that leads out of out, or ",
		"outside/a/b":   "out/outside is a link that leads out of out, or ",
		"round/a":       "out/round is a link",
		"dir/git/a":     "out/dir/git is a link into a .git, and the package has a file there, dir/git/a",
		"inside/git/a":  "out/inside/git is a link into a .git",
		"inside/sub":    "out/inside/sub is a directory, and",
		"inside/x/deep": "out/inside/x is not a directory, and",
	} {
		err := p.plan(t.Context(), root, filesOf("first", name))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), filepath.FromSlash(want))) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "stat") || !strings.HasSuffix(err.Error(), "; nothing was installed")) {
			t.Errorf("%s: a system call's name, or not what became of it: %v", name, err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(root.Name(), "dir"))
	if err != nil || len(entries) != 3 {
		t.Errorf("a plan leaves something: %v %v", entries, err)
	}
}

// Nothing is written into git's own directory, however it is named.
func TestPullIntoGit(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(".GIT/hooks", 0o777); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"all": ".GIT", "hooks": ".GIT/hooks", "fine": "."} {
		if err := os.Symlink(to, link); err != nil {
			t.Skip(err) // there are file systems without
		}
	}
	for dir, refused := range map[string]bool{".GIT": true, ".GIT/new": true, "all": true, "all/new/deep": true,
		"hooks": true, "new/.git": true, "fine": false, "fine/new": false, ".gitlab": false} {
		root, err := (&pull{dir: dir}).openDirectory()
		if err == nil {
			_ = root.Close() // it was only to be opened
		}
		if (err != nil) != refused || err != nil && exitCode(err) != exitRefused {
			t.Errorf("%s: %v, refused: %v", dir, err, refused)
		}
	}
	if entries, err := os.ReadDir(".GIT"); err != nil || len(entries) != 1 {
		t.Error(entries, err)
	}
}

// A directory that takes no file, though its mode may allow it, is found before
// anything is fetched.
func TestPullReadOnly(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a file system in which root makes no file")
	}
	root, err := os.OpenRoot("/sys")
	if err != nil {
		t.Skip(err)
	}
	defer root.Close()
	p, _ := pulling(t)
	err = p.plan(t.Context(), root, filesOf("kernel/new"))
	if err == nil || !strings.HasPrefix(err.Error(), "no file can be made in out/kernel: ") || strings.Contains(err.Error(), "openat") {
		t.Error(err)
	}
}

func TestPullNames(t *testing.T) {
	own := client.PullListName("x")
	for names, want := range map[string]string{
		"a b a/c":        "a file a and a directory of that name, with a/c",
		"x/y/z x":        "a file x and a directory of that name, with x/y/z",
		"x/y/z x/y":      "a file x/y and a directory",
		"a ab/c a.b/c":   "",
		"../a":           "leads out of the directory",
		own:              "pull calls its own list",
		"deeper/" + own:  "pull calls its own list",
		"a/":             "not a plain path",
		"a//b":           "not a plain path",
		"a/./b":          "not a plain path",
		"x/../y":         "not a plain path",
		"a\x00b":         "not a plain path",
		".git/hooks/x":   "git would take for its own",
		"sub/.GIT/x":     "git would take for its own",
		".gitignore":     "",
		client.PullLock:  "pull calls its own",
		".a.part b.part": "",

		strings.Repeat("d/", maxLevels-1) + "f":                     "",
		strings.Repeat("d/", maxLevels) + "f":                       "has 256 levels",
		strings.Repeat("d/", 2000) + "f":                            "has 4001 bytes",
		"x/" + strings.Repeat("é", 127) + "/f":                      "",
		"x/" + strings.Repeat("é", 128) + "/f":                      "has 256 bytes in a part",
		strings.Repeat("long/", 400) + strings.Repeat("f", maxPart): "bytes",
	} {
		err := checkNames(filesOf(strings.Fields(names)...))
		if want == "" && err != nil || want != "" && (exitCode(err) != exitRefused || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "nothing was installed") || len(err.Error()) > 300) {
			t.Errorf("%s: %v, want %q", names, err, want)
		}
	}
}

// Only what is in the list, as it is in the list, is removed: nothing behind a
// link, nothing outside, nothing that the version has under a name that the file
// system takes for the same.
func TestPrunable(t *testing.T) {
	p, root := pulling(t, "gone", "changed", "d/e/gone", "kept", "mine", "behind/x", "case")
	if err := root.Symlink("behind", "link"); err != nil {
		t.Fatal(err)
	}
	if err := root.Link("case", "CASE"); err != nil { // as if both names were one
		t.Fatal(err)
	}
	var list pullList
	for _, name := range []string{"gone", "gone", "d/e/gone", "kept", "link/x", "../out", "/etc/passwd", "missing", "CASE"} {
		content := name
		if name == "CASE" {
			content = "case"
		}
		list = list.with([]listedFile{{name, int64(len(content)), sumOfText(t, content)}})
	}
	list = list.with([]listedFile{{"changed", 7, sumOfText(t, "another")}, {"gone", 3, sumOfText(t, "old")}, {"link/x", 8, sumOfText(t, "behind/x")}})
	p.listed = []client.File{{Path: "kept"}, {Path: "case"}}
	p.yes = true
	done, left, err := p.prune(t.Context(), root, list)
	if want := []string{"d/e/gone", "gone"}; err != nil || !slices.Equal(done.removed, want) || done.stayed != 4 { // changed, mine, behind/x, CASE
		t.Errorf("%+v %v, want %q", done, err, want)
	}
	if slices.ContainsFunc(left.Files, func(f listedFile) bool { return strings.HasSuffix(f.Path, "gone") }) {
		t.Errorf("the list keeps what is gone: %v", left.Files)
	}
	if _, err := root.Stat("d"); err == nil {
		t.Error("an empty directory stays")
	}
}

// answering says yes, and does something before.
type answering func()

func (a answering) Read(b []byte) (int, error) {
	a()
	return copy(b, "y\n"), io.EOF
}

// What is changed while the question waits for its answer stays. So does all of it
// where the command is interrupted.
func TestPruneLooksAgain(t *testing.T) {
	p, root := pulling(t, "edited", "gone", "moved/x", "elsewhere/x")
	list := pullList{}.with([]listedFile{{"edited", 6, sumOfText(t, "edited")}, {"gone", 4, sumOfText(t, "gone")}, {"moved/x", 7, sumOfText(t, "moved/x")}})
	p.env = Env{Stderr: io.Discard, Stdin: answering(func() {
		err := errors.Join(root.WriteFile("edited", []byte("mine!!"), 0o666),
			root.Rename("moved", "there"), root.Symlink("there", "moved"))
		if err != nil {
			t.Error(err)
		}
	})}
	done, left, err := p.prune(t.Context(), root, list)
	if err != nil || !slices.Equal(done.removed, []string{"gone"}) || done.stayed != 3 || len(left.Files) != 2 {
		t.Errorf("%+v %v %v", done, left.Files, err)
	}
	for _, name := range []string{"edited", "there/x"} {
		if _, err := root.Stat(name); err != nil {
			t.Error(err)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	p.yes = true
	list = pullList{}.with([]listedFile{{"there/x", 7, sumOfText(t, "moved/x")}})
	if gone, err := p.prunable(over, root, list, nil); err == nil {
		t.Errorf("interrupted, it goes on to read files: %v", gone)
	}
	if done, left, err := p.prune(over, root, list); err == nil || len(done.removed) != 0 || len(left.Files) != 1 {
		t.Errorf("interrupted: %+v %v %v", done, left.Files, err)
	}
}

func sumOfText(t *testing.T, text string) string {
	t.Helper()
	sum, _, err := sumOf(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// A list that is written is read again; one that cannot be read is not taken for
// an empty one.
func TestPullList(t *testing.T) {
	p, root := pulling(t)
	l, err := p.readPullList(root)
	if err != nil || len(l.Files) != 0 {
		t.Fatal(l, err)
	}
	l = l.with([]listedFile{{"b", 2, "bb"}, {"a", 1, "aa"}, {"b", 2, "bb"}, {"b", 2, "cc"}})
	if err := l.write(root); err != nil {
		t.Fatal(err)
	}
	got, err := p.readPullList(root)
	if want := []listedFile{{"a", 1, "aa"}, {"b", 2, "bb"}, {"b", 2, "cc"}}; err != nil || !slices.Equal(got.Files, want) {
		t.Errorf("%v %v", got, err)
	}
	entries, _ := os.ReadDir(root.Name())
	if len(entries) != 1 || !client.IsOwn(entries[0].Name()) {
		t.Errorf("%v", entries)
	}
	other := *p
	other.owner = "q"
	if got, err := other.readPullList(root); err != nil || len(got.Files) != 0 {
		t.Errorf("another project's package has the same list: %v %v", got, err)
	}
	if err := root.WriteFile(l.fileName(), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := p.readPullList(root); err == nil || exitCode(err) != exitRefused || !strings.Contains(err.Error(), "remove it") {
		t.Error(err)
	}
}

// What a pull replaces is in its list no more; a list of another package under the
// same name is left alone.
func TestPullListReplaces(t *testing.T) {
	p, root := pulling(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "bytes") }))
	defer s.Close()
	var err error
	if p.client, err = client.New(client.Config{Server: s.URL}); err != nil {
		t.Fatal(err)
	}
	p.quiet, p.env = true, Env{Stderr: io.Discard}
	list, err := p.readPullList(root)
	if err != nil {
		t.Fatal(err)
	}
	f := client.File{Path: "new", Size: 5, SHA256: sumOfText(t, "bytes")}
	list, err = p.installListed(t.Context(), root, []pulled{newPulled(f)}, list.with([]listedFile{{"new", 1, "old"}, {"other", 1, "o"}}))
	want := []listedFile{{"new", 5, f.SHA256}, {"other", 1, "o"}}
	if kept, readErr := p.readPullList(root); err != nil || readErr != nil || !slices.Equal(list.Files, want) || !slices.Equal(kept.Files, want) {
		t.Errorf("%v %v, %v %v", list.Files, err, kept.Files, readErr)
	}
	alien := pullList{Server: "s", Project: "p", Name: "n", Files: list.Files}
	text, _ := json.Marshal(alien)
	if err := root.WriteFile(list.fileName(), text, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := p.readPullList(root); exitCode(err) != exitRefused {
		t.Errorf("another package's list: %v", err)
	}
}

// Only a yes is one.
func TestAgreed(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, " YES \n": true, "y": true, "n\n": false, "\n": false, "": false, "yeah\n": false} {
		var asked bytes.Buffer
		p, _ := pulling(t)
		p.env = Env{Stdin: strings.NewReader(answer), Stderr: &asked}
		if got, err := p.agreed(t.Context(), []listedFile{{Path: "a"}, {Path: "b\n  c"}}); err != nil || got != want || !strings.Contains(asked.String(), "  a\n  b?  c\nRemove 2 files? ") {
			t.Errorf("%q: %v %v %q", answer, got, err, asked.String())
		}
	}
}

// A question that goes where nobody sees it is not asked.
func TestPruneAsksWhereItIsSeen(t *testing.T) {
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer screen.Close()
	p, _ := pulling(t)
	p.pruning = true
	p.env = Env{Stdin: screen, Stderr: screen}
	if err := p.check(); err != nil {
		t.Skip("this system's /dev/ptmx is no terminal")
	}
	p.env.Stderr = io.Discard
	if err := p.check(); exitCode(err) != exitUsage {
		t.Error(err)
	}
}

// Who reads no list asks for each file with HEAD. That such an answer has no body is
// not taken for an empty file.
func TestPullUnlisted(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/packages"):
			w.WriteHeader(http.StatusForbidden)
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Length", "0")
		default:
			_, _ = io.WriteString(w, "bytes")
		}
	}))
	defer s.Close()
	var out, told bytes.Buffer
	dir := t.TempDir()
	code := Main(t.Context(), Env{Args: []string{"pull", "p", "tool@1", "file", "-o", dir}, Environ: []string{"GRANARY_SERVER=" + s.URL, "HOME=" + dir}, Stdout: &out, Stderr: &told})
	got, err := os.ReadFile(filepath.Join(dir, "file"))
	if code != exitOK || err != nil || string(got) != "bytes" || !strings.Contains(told.String(), "the file was not checked") {
		t.Errorf("%d %q %v\n%s", code, got, err, told.String())
	}
}
