package cli

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"granary/internal/client"
)

// finder turns a command's paths into files. What is wrong with any of them is told
// all at once.
type finder struct {
	flat    bool   // only base names count
	links   string // a word of --links
	exclude globs
	has     map[string]bool                  // what a package has below the one directory, and the directories of it: that stays
	notice  func(format string, args ...any) // told what linksSkip leaves out

	ignores  map[string]globs // by directory
	found    []source
	problems []string
}

// find is for the paths of a command line: a file is its base name, a directory all
// regular files below it under their relative paths, a pattern what it matches; and
// for listed files, which keep the paths they are listed under. Two files of one
// name are an error, and so is a path that leads to none.
func (f *finder) find(paths, listed []string) ([]source, error) {
	for _, p := range paths {
		f.expand(p)
	}
	for _, p := range listed {
		f.listed(p)
	}
	for i := range f.found {
		if f.flat {
			f.found[i].path = path.Base(f.found[i].path)
		}
	}
	slices.SortFunc(f.found, func(a, b source) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.local, b.local))
	})
	for i, s := range f.found[min(1, len(f.found)):] {
		if old := f.found[i]; s.path == old.path && s.local != old.local {
			f.problem("%s and %s would both be %s", old.local, s.local, s.path)
		}
	}
	if len(f.found) == 0 && len(f.problems) == 0 {
		f.problem("there is no file in %s", strings.Join(slices.Concat(paths, listed), ", "))
	}
	if err := f.failed(); err != nil {
		return nil, err
	}
	return slices.CompactFunc(f.found, func(a, b source) bool { return a.path == b.path }), nil
}

// problem is one line, whatever the names in it.
func (f *finder) problem(format string, args ...any) {
	f.problems = append(f.problems, onOneLine(fmt.Sprintf(format, args...)))
}

func (f *finder) failed() error {
	const most = 20 // lines
	if len(f.problems) == 0 {
		return nil
	}
	if more := len(f.problems) - most; more > 0 {
		f.problems = append(f.problems[:most], fmt.Sprintf("and %d more", more))
	}
	return usagef("%s", strings.Join(f.problems, "\n"))
}

// expand is for patterns that no shell has expanded. One with ** gives its files
// the paths below what is fixed of it.
func (f *finder) expand(p string) {
	if _, err := os.Lstat(p); err == nil || !strings.ContainsAny(p, "*?[{") {
		f.at(p)
		return
	}
	if !doublestar.ValidatePathPattern(p) {
		f.problem("%s is no pattern", p)
		return
	}
	before := len(f.found) + len(f.problems)
	f.glob(p)
	if len(f.found)+len(f.problems) == before {
		f.problem("nothing matches %s", p)
	}
}

// glob leaves out below what is fixed of a pattern the same as at would.
func (f *finder) glob(p string) {
	base, pattern := doublestar.SplitPattern(filepath.ToSlash(p))
	base = filepath.Clean(filepath.FromSlash(base))
	if gitsOwn(base) {
		f.problem("%s is git's own and never published", base)
		return
	}
	if strings.Contains(pattern, "**") {
		f.below(base, base, pattern)
		return
	}
	matches, err := doublestar.FilepathGlob(p)
	if err != nil {
		f.problem("%s: %v", p, err)
	}
	for _, m := range matches {
		f.matched(base, filepath.Clean(m))
	}
}

// matched is a file or directory below base that a pattern matches.
func (f *finder) matched(base, local string) {
	info, err := os.Stat(local)
	switch isDir := err == nil && info.IsDir(); {
	case gitsOwn(local) || f.leftOut(base, local, isDir):
	case !f.goodPath(base, local):
	case isDir:
		f.below(base, local, "**")
	default:
		f.add(local, filepath.Base(local))
	}
}

func (f *finder) at(at string) {
	info, err := os.Stat(at)
	switch {
	case err != nil:
		f.problem("%v", err)
	case gitsOwn(at):
		f.problem("%s is git's own and never published", at)
	case info.IsDir():
		f.below(at, at, "**")
	default:
		f.add(at, filepath.Base(at))
	}
}

// listed is a file that a list names.
func (f *finder) listed(p string) {
	info, err := os.Stat(p)
	switch name := filepath.ToSlash(filepath.Clean(p)); {
	case err != nil:
		f.problem("%v", err)
	case info.IsDir():
		f.problem("%s is a directory: a list names files", p)
	case !filepath.IsLocal(p) && !f.flat:
		f.problem("%s is not below this directory: want --flat, which leaves directories out of names", p)
	case gitsOwn(p):
	case filepath.IsLocal(p) && f.leftOut(".", filepath.Clean(p), false):
	case !filepath.IsLocal(p) && f.leftOut(filepath.Dir(p), filepath.Clean(p), false):
	default:
		f.add(p, name)
	}
}

// below finds the files below a directory whose relative paths match. The directory
// is base or lies below it.
func (f *finder) below(base, dir, pattern string) {
	root := dir + string(filepath.Separator) // a link that was named is followed
	err := filepath.WalkDir(root, func(local string, entry fs.DirEntry, err error) error {
		if err != nil {
			f.problem("%v", err)
			return nil
		}
		relative, err := filepath.Rel(dir, local)
		if err != nil || relative == "." {
			return err
		}
		if f.leftOut(base, local, entry.IsDir()) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		name := filepath.ToSlash(relative)
		if entry.IsDir() || !doublestar.MatchUnvalidated(pattern, name) {
			return nil
		}
		if entry.Type()&fs.ModeSymlink == 0 || f.goodLink(local, base) {
			f.add(local, name)
		}
		return nil
	})
	if err != nil {
		f.problem("%v", err)
	}
}

// leftOut reports what below base is not published: what nobody publishes, and what
// is named by --exclude or by an ignoreFile of base or of a directory in between. What
// a package has was published, and an ignoreFile among it hides nothing.
func (f *finder) leftOut(base, local string, isDir bool) bool {
	base = filepath.Clean(base)
	if f.exclude.match(relativePath(base, local), isDir) {
		return true
	}
	if f.has[relativePath(base, local)] {
		return false
	}
	if name := filepath.Base(local); name == ".git" || name == ignoreFile || client.IsOwn(name) {
		return true
	}
	for dir := filepath.Dir(local); ; dir = filepath.Dir(dir) {
		if !f.has[relativePath(base, filepath.Join(dir, ignoreFile))] && f.ignored(dir).match(relativePath(dir, local), isDir) {
			return true
		}
		if dir == base || dir == filepath.Dir(dir) {
			return false
		}
	}
}

// relativePath is a path below a directory as a package has it.
func relativePath(dir, local string) string {
	relative, err := filepath.Rel(dir, local)
	if err != nil {
		return filepath.ToSlash(local)
	}
	return filepath.ToSlash(relative)
}

// ignored is what the ignoreFile of a directory names, which is read once.
func (f *finder) ignored(dir string) globs {
	known, ok := f.ignores[dir]
	if ok {
		return known
	}
	read, err := readIgnore(dir)
	if err != nil {
		f.problem("%s: %v", filepath.Join(dir, ignoreFile), err)
	}
	if f.ignores == nil {
		f.ignores = map[string]globs{}
	}
	f.ignores[dir] = read
	return read
}

// add is one file that can be read.
func (f *finder) add(local, name string) {
	if f.exclude.match(name, false) {
		return
	}
	info, err := os.Stat(local)
	if err != nil {
		f.problem("%v", err)
		return
	}
	if !info.Mode().IsRegular() {
		f.problem("%s is no regular file", local)
		return
	}
	file, err := os.Open(local)
	if err != nil {
		f.problem("%v", err)
		return
	}
	_ = file.Close() // it was only to be seen that it opens
	f.found = append(f.found, source{local: local, path: name, size: info.Size(), info: info})
}
