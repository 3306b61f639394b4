package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// An ignoreFile is in a directory that is published, and names what is left out.
const (
	ignoreFile    = ".granaryignore"
	maxIgnoreFile = 1 << 20 // bytes

	mostAlternatives = 1000 // of one pattern with braces
)

// globs are patterns of what is left out. A pattern without a slash is compared with
// the name of a file or directory, one with a slash with its path; one that ends with
// a slash is for directories. Everything below a matching directory is left out, too.
type globs []string

// newGlobs takes the patterns of --exclude.
func newGlobs(patterns []string) (globs, error) {
	for _, p := range patterns {
		if fault := globFault(p); fault != "" {
			return nil, usagef("--exclude %q %s", p, fault)
		}
	}
	return patterns, nil
}

// globFault says why a text is not a pattern here, or would mean something else in
// other programs; "" if it is one.
func globFault(p string) string {
	switch {
	case strings.HasPrefix(p, "!"):
		return "begins with !, which is not supported here"
	case strings.Trim(p, "/") == "" || !doublestar.ValidatePattern(p):
		return "is not a pattern: want one such as '*.tmp' or 'build/**'"
	case !fewAlternatives(p):
		return fmt.Sprintf("expands to more than %d patterns; use several lines, or flags", mostAlternatives)
	}
	return ""
}

// fewAlternatives reports whether a pattern with braces expands to few: each of them may
// be compared with every name, and others may have written the patterns of a tree.
func fewAlternatives(p string) bool {
	means, commas := 1, []int{} // those of every open brace
	for _, c := range p {
		switch last := len(commas) - 1; {
		case c == '{':
			commas = append(commas, 0)
		case c == ',' && last >= 0:
			commas[last]++
		case c == '}' && last >= 0:
			if means *= 1 + commas[last]; means > mostAlternatives {
				return false
			}
			commas = commas[:last]
		}
	}
	return true
}

// readIgnore reads an ignoreFile, if there is one: a pattern in every line, and #
// before a remark. A fault names the number of the line, never its text: a planted
// file may be a link to secrets.
func readIgnore(file string) (globs, error) {
	f, err := openRegular(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := readAtMost(f, file, maxIgnoreFile)
	if err != nil {
		return nil, err
	}
	var patterns globs
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if fault := globFault(line); fault != "" {
			return nil, fmt.Errorf("%s:%d %s", file, n, fault)
		}
		patterns = append(patterns, line)
	}
	return patterns, nil
}

// match reports whether a path, with slashes, is left out, or a directory above it.
func (g globs) match(name string, isDir bool) bool {
	for ; len(g) > 0 && name != "." && name != "/"; name, isDir = path.Dir(name), true {
		if g.matchSelf(name, isDir) {
			return true
		}
	}
	return false
}

// matchSelf is match for a caller that has checked the directories above the path.
func (g globs) matchSelf(name string, isDir bool) bool {
	for _, pattern := range g {
		pattern, dirOnly := strings.CutSuffix(pattern, "/")
		if dirOnly && !isDir {
			continue
		}
		against := name
		if !strings.Contains(pattern, "/") {
			against = path.Base(name)
		}
		if doublestar.MatchUnvalidated(strings.TrimPrefix(pattern, "/"), against) {
			return true
		}
	}
	return false
}
