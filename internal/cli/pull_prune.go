package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"granary/internal/client"
)

// pruning is what --prune came to.
type pruning struct {
	removed  []string // by path; in a dry run those that would be
	stayed   int      // files in the directory that are neither the version's nor removed
	declined bool     // the answer was no
}

// prune removes unchanged files that earlier pulls of this package installed and that
// neither the version nor another package has. It returns the list of the files that
// are still here.
func (p *pull) prune(ctx context.Context, root *os.Root, list pullList) (done pruning, left pullList, err error) {
	if root == nil {
		return done, list, nil
	}
	others, err := p.readClaims(root, list)
	if err != nil {
		return done, list, err
	}
	here := p.versionsFiles()
	list = list.without(list.givenUp(here, others))
	gone, err := p.prunable(ctx, root, list, here)
	if err != nil {
		return done, list, err
	}
	if len(gone) > 0 && !p.dryRun {
		agreed, err := p.agreed(ctx, gone)
		if err != nil {
			return done, list, err
		}
		if !agreed {
			gone, done.declined = nil, true
		}
	}
	removed, err := p.removeAll(ctx, root, gone)
	for _, f := range gone {
		if removed[f.Path] {
			done.removed = append(done.removed, f.Path)
		}
	}
	done.stayed = countOthers(ctx, root, func(name string) bool { return here[name] || removed[name] })
	return done, list.without(list.of(removed)), err
}

// pruneListed prunes and keeps the list true.
func (p *pull) pruneListed(ctx context.Context, root *os.Root, list pullList) (pruning, error) {
	done, left, err := p.prune(ctx, root, list)
	if !p.dryRun && !slices.Equal(left.Files, list.Files) {
		err = errors.Join(err, p.keep(root, left))
	}
	if err != nil && !p.dryRun {
		err = fmt.Errorf("%w\nthe package is installed; some files of older versions are not removed", err)
	}
	return done, err
}

// givenUp marks the files that only other packages still have: from now on they belong
// to those alone.
func (l pullList) givenUp(here map[string]bool, others claims) map[listedFile]bool {
	given := map[listedFile]bool{}
	for _, f := range l.Files {
		given[f] = !here[f.Path] && others.has(f.Path)
	}
	return given
}

// of is all that the list says of these paths.
func (l pullList) of(paths map[string]bool) map[listedFile]bool {
	said := map[listedFile]bool{}
	for _, f := range l.Files {
		said[f] = paths[f.Path]
	}
	return said
}

// removeAll removes what may go and is still as it was, and says by path what went.
func (p *pull) removeAll(ctx context.Context, root *os.Root, gone []listedFile) (removed map[string]bool, err error) {
	removed = map[string]bool{}
	if len(gone) > 0 && !p.dryRun && p.unheld != nil {
		return removed, p.unheld // another pull may note at this moment what it needs
	}
	for _, f := range gone {
		went, err := p.removeListed(ctx, root, f)
		if err != nil {
			return removed, err
		}
		removed[f.Path] = went
	}
	return removed, nil
}

// removeListed removes a file, except in a dry run, and reports whether it did. It
// checks the file again first: it may have changed during the prompt.
func (p *pull) removeListed(ctx context.Context, root *os.Root, f listedFile) (bool, error) {
	if err := ctx.Err(); err != nil || p.dryRun {
		return err == nil, err
	}
	if !f.untouched(root) {
		return false, nil
	}
	return true, removeFile(root, f.Path)
}

// untouched reports whether a file is as it was installed, and where.
func (f listedFile) untouched(root *os.Root) bool {
	name := filepath.FromSlash(f.Path)
	return filepath.IsLocal(name) && inPlainDirectories(root, name) && holds(root, name, f.Size, f.SHA256)
}

// holds reports whether a file below root has these bytes. A file that cannot
// be read has not.
func holds(root *os.Root, name string, size int64, sum string) bool {
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != size {
		return false
	}
	f, err := root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	got, _, err := sumOf(f, size)
	return err == nil && got == sum
}

// versionsFiles is the names of all files of the version, not only of those that
// were asked for.
func (p *pull) versionsFiles() map[string]bool {
	here := map[string]bool{}
	for _, f := range p.listed {
		here[f.Path] = true
	}
	return here
}

// prunable is the files of the list that may go. They are read whole, one after the
// other.
func (p *pull) prunable(ctx context.Context, root *os.Root, list pullList, here map[string]bool) (gone []listedFile, err error) {
	folded := map[string]string{} // names that a file system may take for the same
	for name := range here {
		folded[strings.ToLower(name)] = name
	}
	for _, f := range list.Files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name := filepath.FromSlash(f.Path)
		if here[f.Path] || slices.Contains(gone[max(0, len(gone)-1):], f) || !filepath.IsLocal(name) {
			continue
		}
		if twin, ok := folded[strings.ToLower(f.Path)]; ok && sameFile(root, name, filepath.FromSlash(twin)) {
			continue
		}
		if f.untouched(root) {
			gone = append(gone, f)
		}
	}
	return gone, nil
}

// inPlainDirectories reports whether no directory of a path is a link: behind a link
// the file may have another name, too.
func inPlainDirectories(root *os.Root, name string) bool {
	for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
		if info, err := root.Lstat(dir); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

func sameFile(root *os.Root, a, b string) bool {
	one, err := root.Lstat(a)
	other, otherErr := root.Lstat(b)
	return err == nil && otherErr == nil && os.SameFile(one, other)
}

// removeFile removes a file, and the directories that are empty without it. What is
// gone already is gone.
func removeFile(root *os.Root, file string) error {
	name := filepath.FromSlash(file)
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s cannot be removed: %s", file, reason(err))
	}
	removeEmpty(root, filepath.Dir(name))
	return nil
}

// removeEmpty removes a directory and those above it, up to one that is not empty.
func removeEmpty(root *os.Root, dir string) {
	for dir != "." && root.Remove(dir) == nil {
		dir = filepath.Dir(dir)
	}
}

// countOthers counts the regular files below root but those that are known and our
// own. What cannot be read is not counted, nor what is left when ctx ends.
func countOthers(ctx context.Context, root *os.Root, known func(path string) bool) (n int) {
	// By its path, and not through root, which would walk down to every directory anew.
	_ = filepath.WalkDir(root.Name(), func(local string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return fs.SkipAll
		}
		if err == nil && entry.Type().IsRegular() && !client.IsOwn(entry.Name()) && !known(relativePath(root.Name(), local)) {
			n++
		}
		return nil
	})
	return n
}

// agreed shows what would be removed and asks, unless --yes has said so.
func (p *pull) agreed(ctx context.Context, gone []listedFile) (bool, error) {
	if p.yes {
		return true, nil
	}
	fmt.Fprintf(p.env.Stderr, "Earlier pulls installed these files, and %s %s does not have them:\n", p.at.Name, p.at.Version)
	for _, f := range gone {
		fmt.Fprintf(p.env.Stderr, "  %s\n", onOneLine(f.Path))
	}
	return ask(ctx, p.env, fmt.Sprintf("Remove %s?", counted(int64(len(gone)), "file")))
}
