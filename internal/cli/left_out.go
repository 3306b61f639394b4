package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"granary/internal/client"
)

// leaving is what is left out of one directory: of base, or of one below it.
type leaving struct {
	path     string // below base, with slashes and one at its end; "" for base
	rules    []rule // of base, of this directory, and of those in between
	excluded bool   // --exclude names the directory, or one above it
	ignored  bool   // the directory is left out, but for what a package has of it
}

// rule is what an ignoreFile names.
type rule struct {
	globs
	above int // length of the path below base of its directory
}

// leftOut reports whether a file below base is not published: it is never published,
// or --exclude or an ignoreFile of base or of a directory in between names it. An
// ignoreFile does not hide a file that the package has: it was published.
func (f *finder) leftOut(base, local string, isDir bool) bool {
	in := f.leavingOf(filepath.Clean(base), filepath.Dir(local))
	name := filepath.Base(local)
	excluded, ignored := f.judge(in, name, isDir)
	return excluded || ignored && !f.has[in.path+name]
}

// leavingOf is for a directory, base or one below it. It is made once, of that for the
// directory above, so that a walk asks only for one step.
func (f *finder) leavingOf(base, dir string) *leaving {
	key := base + "\x00" + dir
	if known, ok := f.leavings[key]; ok {
		return known
	}
	in := &leaving{}
	if above := filepath.Dir(dir); dir != base && dir != above {
		outer, name := f.leavingOf(base, above), filepath.Base(dir)
		in.path, in.rules = outer.path+name+"/", outer.rules[:len(outer.rules):len(outer.rules)]
		in.excluded, in.ignored = f.judge(outer, name, true)
	}
	if !in.excluded && !in.ignored && !f.has[in.path+ignoreFile] {
		if read := f.ignoring(base, filepath.Join(dir, ignoreFile)); len(read) > 0 {
			in.rules = append(in.rules, rule{read, len(in.path)})
		}
	}
	if f.leavings == nil {
		f.leavings = map[string]*leaving{}
	}
	f.leavings[key] = in
	return in
}

// judge says of a name in a directory whether --exclude leaves it out, or something
// else that a package which has it outweighs.
func (f *finder) judge(in *leaving, name string, isDir bool) (excluded, ignored bool) {
	at := in.path + name
	if in.excluded || f.exclude.matchSelf(at, isDir) {
		return true, false
	}
	if in.ignored || inGit(name) || name == ignoreFile || client.IsOwn(name) {
		return false, true
	}
	for _, r := range in.rules {
		if r.matchSelf(at[r.above:], isDir) {
			return false, true
		}
	}
	return false, false
}

// ignoring reads an ignoreFile below base. One that is a link out of base is refused,
// whatever --links says: an attacker may have planted it to see the link's target.
func (f *finder) ignoring(base, file string) globs {
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 && f.outside(resolve(file), base) {
		f.problem("%s is a link that leads out of %s, and its patterns are not read; want a file", file, base)
		return nil
	}
	read, err := readIgnore(file)
	if err != nil {
		f.problem("%v", err)
	}
	return read
}

// relativePath is a path below a directory as a package has it.
func relativePath(dir, local string) string {
	relative, err := filepath.Rel(dir, local)
	if err != nil {
		return filepath.ToSlash(local)
	}
	return filepath.ToSlash(relative)
}
