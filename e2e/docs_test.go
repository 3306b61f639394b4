package e2e_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"granary/dev/servers"
)

// TestREADME does what the README says under "Run it" and "In CI", in a copy of the
// repository, which has to build afterwards.
func TestREADME(t *testing.T) {
	t.Parallel()
	repository, home, address := filepath.Join(t.TempDir(), "granary"), t.TempDir(), freeAddress(t)
	copyRepository(t, repository)
	build := exec.CommandContext(t.Context(), "go", "build", "./...") // a server has a minute to start, and make run builds it
	build.Dir = repository
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	env := []string{
		"GRANARY_LISTEN=" + address, "GRANARY_DISK_RESERVE=0", "NO_PROXY=*",
		"GOBIN=" + home, "XDG_CONFIG_HOME=" + t.TempDir(), "PATH=" + home + ":" + os.Getenv("PATH"),
	}
	startProxy(t, &servers.Process{
		Name: "make run", Args: []string{"make", "-C", repository, "run"}, Env: env,
		Log: filepath.Join(t.TempDir(), "log"), Ready: servers.Answers("http://" + address + "/-/readiness"),
	}, address)
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, section := range regexp.MustCompile(`(?m)^## `).Split(string(text), -1) {
		if strings.HasPrefix(section, "Run it\n") || strings.HasPrefix(section, "In CI\n") {
			for _, line := range regexp.MustCompile(`(?m)^    (.*)$`).FindAllStringSubmatch(section, -1) {
				lines = append(lines, line[1])
			}
		}
	}
	if len(lines) < 10 || lines[0] != "make run" {
		t.Fatalf("the README's commands are %q, want make run first", lines)
	}
	script := strings.ReplaceAll(strings.Join(lines[1:], "\n"), "127.0.0.1:8080", address)
	cmd := exec.CommandContext(t.Context(), "bash", "-euxo", "pipefail", "-c", script+`
cmp tool.tar.gz installed/tool.tar.gz
granary whoami
go build ./...
`)
	cmd.Dir, cmd.Env = repository, append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// copyRepository copies what a clone has, and what is not committed yet.
func copyRepository(t *testing.T, to string) {
	t.Helper()
	left := map[string]bool{".git": true, ".cache": true, "granary-data": true, "installed": true}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == ".." {
			return err
		}
		name, _ := filepath.Rel("..", path)
		target := filepath.Join(to, name)
		switch {
		case left[name] && entry.IsDir():
			return fs.SkipDir
		case left[name]:
			return nil // .git of a worktree is a file, and .cache may be a link
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDocumentsLinkToWhatThereIs holds every relative link, and its heading.
func TestDocumentsLinkToWhatThereIs(t *testing.T) {
	t.Parallel()
	links := 0
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?:\]\(|(?:src|srcset)=")([^)"\s]+)`).FindAllStringSubmatch(string(text), -1) {
			if regexp.MustCompile(`^[a-z]+:`).MatchString(m[1]) {
				continue
			}
			links++
			name, anchor, _ := strings.Cut(m[1], "#")
			target := path
			if name != "" {
				target = filepath.Join(filepath.Dir(path), name)
			}
			page, err := os.ReadFile(target)
			if info, stat := os.Stat(target); stat != nil || err != nil && !info.IsDir() {
				t.Errorf("%s links to %s, which is not there", path, m[1])
			} else if anchor != "" && !hasHeading(string(page), anchor) {
				t.Errorf("%s links to %s: there is no such heading", path, m[1])
			}
		}
	}
	if links < 50 {
		t.Errorf("%d links found, want those of all pages", links)
	}
}

func documents(t *testing.T) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../docs/design/*.md", "../examples/*.md", "../examples/*/*.md", "../findings/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	return paths
}

// hasHeading says whether a page has a heading that Markdown gives this anchor.
func hasHeading(page, anchor string) bool {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		plain := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(plain, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// TestClientsNamesEveryFinding: a script that no row names is read by nobody, and a
// row without a script is hearsay.
func TestClientsNamesEveryFinding(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n|---|")
	table, _, _ = strings.Cut(table, "\n\n")
	named := map[string]bool{}
	for _, row := range strings.Split(table, "\n")[1:] {
		cells := strings.Split(strings.Trim(row, "|"), "|")
		m := regexp.MustCompile(`\(\.\./findings/([a-z0-9-]+\.sh)\)`).FindStringSubmatch(cells[len(cells)-1])
		if len(cells) != 4 || m == nil {
			t.Errorf("this row of docs/clients.md has no script: %s", row)
			continue
		}
		named[m[1]] = true
		if info, err := os.Stat("../findings/" + m[1]); err != nil || info.Mode()&0o100 == 0 {
			t.Errorf("docs/clients.md names %s: it is not there, or not to be run", m[1])
		}
	}
	scripts, err := filepath.Glob("../findings/*.sh")
	if err != nil || len(scripts) < 8 {
		t.Fatalf("%d scripts found, %v", len(scripts), err)
	}
	for _, script := range scripts {
		if name := filepath.Base(script); name != "lib.sh" && !named[name] {
			t.Errorf("no row of docs/clients.md names %s", name)
		}
	}
}

// TestTroubleshootingKnowsTheMessages finds every message of
// docs/troubleshooting.md in the program's text: what stands between its dots is in
// one literal, in this order, and long enough to tell it from others.
func TestTroubleshootingKnowsTheMessages(t *testing.T) {
	t.Parallel()
	const least = 12 // letters in one piece
	page, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	literals := productLiterals(t)
	messages := 0
	for _, row := range regexp.MustCompile(`(?m)^\|.*$`).FindAllString(string(page), -1) {
		if row == "| Message | Cause | What to do |" || row == "|---|---|---|" {
			continue
		}
		cells := strings.Split(row, "|")
		if len(cells) != 5 || strings.TrimSpace(regexp.MustCompile("`[^`]+`").ReplaceAllString(cells[1], "")) != "" {
			t.Errorf("this row does not begin with messages, or has more or less than three cells: %s", row)
			continue
		}
		for _, message := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			messages++
			parts := strings.Split(message[1], "...")
			longest := 0
			for _, part := range parts {
				longest = max(longest, len(strings.TrimSpace(part)))
			}
			if longest < least {
				t.Errorf("%q could be anything: want %d letters in one piece", message[1], least)
			}
			if !anyHas(literals, parts) {
				t.Errorf("the program never says %q", message[1])
			}
		}
	}
	if messages < 50 {
		t.Errorf("%d messages found, want those of all tables", messages)
	}
}

// anyHas reports a literal that has all these parts, in their order.
func anyHas(literals, parts []string) bool {
	for _, text := range literals {
		found := true
		for _, part := range parts {
			var ok bool
			_, text, ok = strings.Cut(text, strings.TrimSpace(part))
			found = found && ok
		}
		if found {
			return true
		}
	}
	return false
}

// productLiterals are the texts in the program's source, without its tests.
func productLiterals(t *testing.T) (texts []string) {
	t.Helper()
	err := filepath.WalkDir("../internal", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		var scan scanner.Scanner
		scan.Init(files.AddFile(path, -1, len(source)), source, nil, 0)
		for {
			_, kind, literal := scan.Scan()
			if kind == token.EOF {
				return nil
			}
			if kind == token.STRING {
				text, err := strconv.Unquote(literal)
				if err != nil {
					return err
				}
				texts = append(texts, text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
