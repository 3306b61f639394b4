package cli

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// finder turns a command's paths into files. It reports the faults of all of them
// together.
type finder struct {
	flat    bool   // only base names count
	links   string // a word of --links
	exclude globs
	has     map[string]bool                  // what a package has below the one directory, and the directories of it: that stays
	notice  func(format string, args ...any) // reports what linksSkip leaves out

	leavings map[string]*leaving // by base and directory below it
	resolves map[string]string   // by directory
	found    []source
	problems []string
}

// find is for the paths of a command line: a file is its base name, a directory all
// regular files below it under their relative paths, a pattern what it matches; and
// for listed files, which keep the paths they are listed under. Two files of one
// name are an error, and so is a path that leads to none.
func (f *finder) find(ctx context.Context, paths, listed []string) ([]source, error) {
	for _, p := range paths {
		f.expand(ctx, p)
	}
	for _, p := range listed {
		if ctx.Err() == nil {
			f.listed(p)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
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
func (f *finder) expand(ctx context.Context, p string) {
	if _, err := os.Lstat(p); err == nil || !strings.ContainsAny(p, "*?[{") {
		f.at(ctx, p)
		return
	}
	if !doublestar.ValidatePathPattern(p) {
		f.problem("%s is not a pattern", p)
		return
	}
	before := len(f.found) + len(f.problems)
	f.glob(ctx, p)
	if len(f.found)+len(f.problems) == before {
		f.problem("nothing matches %s", p)
	}
}

// glob leaves out below what is fixed of a pattern the same as at would.
func (f *finder) glob(ctx context.Context, p string) {
	base, pattern := doublestar.SplitPattern(filepath.ToSlash(p))
	base = filepath.Clean(filepath.FromSlash(base))
	if f.gitsOwn(base) {
		f.problem("%s belongs to git and is never published", base)
		return
	}
	if strings.Contains(pattern, "**") {
		f.below(ctx, base, base, pattern)
		return
	}
	matches, err := doublestar.FilepathGlob(p)
	if err != nil {
		f.problem("%s: %v", p, err)
	}
	for _, m := range matches {
		if ctx.Err() == nil {
			f.matched(ctx, base, filepath.Clean(m))
		}
	}
}

// matched is a file or directory below base that a pattern matches.
func (f *finder) matched(ctx context.Context, base, local string) {
	info, err := os.Stat(local)
	switch isDir := err == nil && info.IsDir(); {
	case f.gitsOwn(local) || f.leftOut(base, local, isDir):
	case !f.goodPath(base, local):
	case isDir:
		f.below(ctx, base, local, "**")
	default:
		f.addNamed(local, filepath.Base(local))
	}
}

func (f *finder) at(ctx context.Context, at string) {
	info, err := os.Stat(at)
	switch {
	case err != nil:
		f.problem("%v", err)
	case f.gitsOwn(at):
		f.problem("%s belongs to git and is never published", at)
	case info.IsDir():
		f.below(ctx, at, at, "**")
	default:
		f.addNamed(at, filepath.Base(at))
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
	case f.gitsOwn(p):
	case filepath.IsLocal(p) && f.leftOut(".", filepath.Clean(p), false):
	case !filepath.IsLocal(p) && f.leftOut(filepath.Dir(p), filepath.Clean(p), false):
	default:
		f.addNamed(p, name)
	}
}

// below finds the files below a directory whose relative paths match. The directory
// is base or is below it. Each entry is left out or taken on the way down, and ctx
// ends the search between two entries.
func (f *finder) below(ctx context.Context, base, dir, pattern string) {
	root := dir + string(filepath.Separator) // a link that was named is followed
	err := filepath.WalkDir(root, func(local string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return fs.SkipAll
		}
		if err != nil {
			f.problem("%v", err)
			return nil
		}
		name := relativePath(dir, local)
		switch isDir := entry.IsDir(); {
		case name == ".":
		case f.leftOut(base, local, isDir) || f.exclude.matchSelf(name, isDir):
			if isDir {
				return fs.SkipDir
			}
		case isDir || !doublestar.MatchUnvalidated(pattern, name):
		case entry.Type()&fs.ModeSymlink == 0 || f.goodLink(local, base):
			f.add(local, name)
		}
		return nil
	})
	if err != nil {
		f.problem("%v", err)
	}
}

// addNamed is one file that the command line, or a list, names.
func (f *finder) addNamed(local, name string) {
	if !f.exclude.match(name, false) {
		f.add(local, name)
	}
}

// add is one file that can be read.
func (f *finder) add(local, name string) {
	info, err := os.Stat(local)
	if err != nil {
		f.problem("%v", err)
		return
	}
	if !info.Mode().IsRegular() {
		f.problem("%s is not a regular file", local)
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
