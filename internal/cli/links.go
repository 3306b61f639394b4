package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"
)

// What is done with a link below a directory that leads out of it.
const (
	linksError  = "error"
	linksSkip   = "skip" // with links that lead nowhere or to a directory, too
	linksFollow = "follow"
)

// finding is the flags of the commands that look for files below a directory.
type finding struct {
	exclude []string
	links   string
}

func (o *finding) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.exclude, "exclude", nil, "leave out files that match this `pattern`; may be repeated")
	f.StringVar(&o.links, "links", linksError, "what to do with links that lead out of a directory: error, skip or follow; skip also leaves out broken links and links to directories")
}

// finder is one that goes by the flags.
func (o *finding) finder(env Env) (finder, error) {
	if !slices.Contains([]string{linksError, linksSkip, linksFollow}, o.links) {
		return finder{}, usagef("--links is %q: want error, skip or follow", o.links)
	}
	exclude, err := newGlobs(o.exclude)
	return finder{links: o.links, exclude: exclude, notice: env.notice}, err
}

// goodPath judges the links on the way from base to a path below it.
func (f *finder) goodPath(base, local string) bool {
	if local == base || local == filepath.Dir(local) {
		return true
	}
	if !f.goodPath(base, filepath.Dir(local)) {
		return false
	}
	info, err := os.Lstat(local)
	return err != nil || info.Mode()&fs.ModeSymlink == 0 || f.goodLink(local, base)
}

// goodLink reports whether a link below dir is published. A link to a directory is
// not: it could lead in a circle. The user can name it as a PATH.
func (f *finder) goodLink(local, dir string) bool {
	target := resolve(local)
	why, next := "", "--links skip leaves it out"
	if info, err := os.Stat(local); err != nil {
		why = "is a link that leads nowhere"
	} else if info.IsDir() {
		why = "is a link to a directory"
	} else if inGit(filepath.ToSlash(target)) {
		why = "is a link into a .git"
	} else if f.links != linksFollow && f.outside(target, dir) {
		why = fmt.Sprintf("is a link that leads out of %s, to %s", dir, target)
		next += ", --links follow publishes it"
	}
	switch {
	case why == "":
		return true
	case f.links == linksSkip:
		f.notice("%s: left out", onOneLine(local+" "+why))
	default:
		f.problem("%s %s (%s)", local, why, next)
	}
	return false
}

// gitsOwn reports whether a path, or its target, is a directory called .git, or is in
// one.
func (f *finder) gitsOwn(p string) bool {
	full, err := filepath.Abs(p)
	if err != nil {
		full = p
	}
	if inGit(filepath.ToSlash(full)) {
		return true
	}
	if info, err := os.Lstat(full); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return inGit(filepath.ToSlash(f.resolved(filepath.Dir(full))))
	}
	return inGit(filepath.ToSlash(resolve(full)))
}

// outside reports whether what resolve found leads out of a directory.
func (f *finder) outside(target, dir string) bool {
	relative, err := filepath.Rel(f.resolved(dir), target)
	return err != nil || !filepath.IsLocal(relative)
}

// resolved is resolve for a directory, which many files ask for.
func (f *finder) resolved(dir string) string {
	known, ok := f.resolves[dir]
	if !ok {
		known = resolve(dir)
		if f.resolves == nil {
			f.resolves = map[string]string{}
		}
		f.resolves[dir] = known
	}
	return known
}

// resolve is the full path without links of what a path leads to. Of what is not there
// it is the path.
func resolve(p string) string {
	if full, err := filepath.Abs(p); err == nil {
		p = full
	}
	if target, err := filepath.EvalSymlinks(p); err == nil {
		return target
	}
	return p
}
