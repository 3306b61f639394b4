package cli

import (
	"bufio"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// ignoreFile lies in a directory that is published, and names what is left out.
const ignoreFile = ".granaryignore"

// globs are patterns of what is left out. One without a slash is held against the
// name of a file or directory, one with a slash against its path; one that ends with
// a slash is for directories. What is below a directory goes with it.
type globs []string

// newGlobs refuses what is no pattern, or would mean something else elsewhere.
func newGlobs(patterns []string) (globs, error) {
	for _, p := range patterns {
		if strings.HasPrefix(p, "!") {
			return nil, usagef("the pattern %q takes something back, which is not done here", p)
		}
		if strings.Trim(p, "/") == "" || !doublestar.ValidatePattern(p) {
			return nil, usagef("%q is no pattern: want one such as '*.tmp' or 'build/**'", p)
		}
	}
	return patterns, nil
}

// readIgnore reads the ignoreFile of a directory, where it has one: a pattern in
// every line, and # before a remark.
func readIgnore(dir string) (globs, error) {
	f, err := openRegular(filepath.Join(dir, ignoreFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var patterns []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
			patterns = append(patterns, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return newGlobs(patterns)
}

// match reports whether a path, with slashes, is left out, or a directory above it.
func (g globs) match(name string, isDir bool) bool {
	for ; name != "." && name != "/"; name, isDir = path.Dir(name), true {
		for _, pattern := range g {
			if g.matchOne(pattern, name, isDir) {
				return true
			}
		}
	}
	return false
}

func (globs) matchOne(pattern, name string, isDir bool) bool {
	pattern, dirOnly := strings.CutSuffix(pattern, "/")
	if dirOnly && !isDir {
		return false
	}
	if !strings.Contains(pattern, "/") {
		name = path.Base(name)
	}
	return doublestar.MatchUnvalidated(strings.TrimPrefix(pattern, "/"), name)
}
