package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"granary/internal/client"
)

// check looks at the flags.
func (p *pull) check() (err error) {
	if p.dir == "-" {
		p.stdout = true
	}
	if p.archive != "" {
		if err := p.checkArchive(); err != nil {
			return err
		}
	}
	switch {
	case p.jobs < 1 || p.jobs > 64:
		return usagef("--jobs is %d: want 1 to 64", p.jobs)
	case p.skipExisting && p.noClobber:
		return usagef("--skip-existing leaves files that --no-clobber refuses; want one of both")
	case p.stdout && p.json:
		return usagef("--json prints what was installed, and --stdout writes the file itself; want one of both")
	case p.stdout && p.dirNamed && p.dir != "-":
		return usagef("--stdout installs nothing in %s; want one of --stdout and --output", p.dir)
	case p.stdout && p.executable:
		return usagef("--stdout makes no file, so --executable has no effect")
	case p.stdout && (p.dryRun || p.skipExisting || p.noClobber || p.pruning):
		return usagef("with --stdout nothing is installed: it goes with none of --dry-run, --skip-existing, --no-clobber and --prune")
	case p.pruning && !p.yes && !p.dryRun && !canAsk(p.env):
		return usagef("--prune removes files, and asks on a terminal only; add --yes, or --dry-run to see which")
	}
	p.bytesPerSecond, err = parseRate("--limit-rate", p.rate)
	return err
}

// checkNames looks at the names before anything else: a package with one that cannot
// be here, or that two files claim, is installed not even in part.
func checkNames(files []pulled) error {
	paths := pathsOf(files)
	for _, p := range paths {
		if why := unfit(p); why != "" {
			return refused("the package has a file %q, which %s; nothing was installed, name the files you want", shortened(p), why)
		}
	}
	why := strange(runtime.GOOS, paths)
	if why == "" {
		why = clash(paths)
	}
	if why != "" {
		return refused("the package has %s; nothing was installed, name the files you want", why)
	}
	return nil
}

// openDirectory makes the directory and opens it. In a dry run nothing is made, and
// root is nil if there is none.
func (p *pull) openDirectory() (root *os.Root, err error) {
	if inGit(filepath.ToSlash(p.dir)) || inGit(filepath.ToSlash(resolve(nearestOnDisk(p.dir)))) {
		return nil, refused("the directory %s is git's own; nothing was installed", p.dir)
	}
	if err := p.makeDirectory(); err != nil {
		return nil, fmt.Errorf("the directory %s cannot be made: %s; nothing was installed", p.dir, reason(err))
	}
	root, err = os.OpenRoot(p.dir)
	if p.dryRun && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the directory %s cannot be opened: %s; nothing was installed", p.dir, reason(err))
	}
	return root, nil
}

// makeDirectory makes the output directory. In a dry run it looks whether that would be
// done.
func (p *pull) makeDirectory() error {
	if !p.dryRun {
		return os.MkdirAll(p.dir, 0o777)
	}
	above := nearestOnDisk(p.dir)
	info, err := os.Stat(above)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return syscall.ENOTDIR
	case above == filepath.Clean(p.dir):
		return nil
	}
	return mayWrite(above)
}

// nearestOnDisk is the nearest path at or above one that is there.
func nearestOnDisk(dir string) string {
	for dir = filepath.Clean(dir); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
	}
}

// reason is why a file cannot be had, without the system call that said so.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// plan decides what to do with every file, and finds all obstacles before the first
// byte is written.
func (p *pull) plan(ctx context.Context, root *os.Root, files []pulled) error {
	if root == nil {
		return nil
	}
	g := ground{root: root, dir: p.dir, known: map[string]string{".": "."}}
	there := make([]bool, len(files))
	for i, f := range files {
		var err error
		if there[i], err = g.place(f.Path); err != nil {
			return err
		}
	}
	err := parallel(ctx, p.jobs, len(files), func(_ context.Context, i int) error {
		f := &files[i]
		switch {
		case !there[i]:
		case p.skipExisting:
			f.Action = "skipped"
		case f.SHA256 != "" && holds(root, filepath.FromSlash(f.Path), f.Size, f.SHA256):
			f.Action, f.Verified = "unchanged", true
		default:
			f.Replaced = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.noClobber {
		if err := wouldReplace(files); err != nil {
			return err
		}
	}
	return g.writable(files, p.dryRun)
}

// wouldReplace refuses a plan that replaces a file.
func wouldReplace(files []pulled) error {
	var taken []string
	for _, f := range files {
		if f.Replaced {
			taken = append(taken, f.Path)
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return refused("other files are there already: %s; nothing was installed", firstOf(taken))
}

// ground is the directory that a package is installed in, as it was found.
type ground struct {
	root  *os.Root
	dir   string            // as it was named
	known map[string]string // directory of the package: the nearest one at or above it that is there
}

// place looks at a file's place, and reports whether a file is in it.
func (g *ground) place(file string) (there bool, err error) {
	name := filepath.FromSlash(file)
	dir := filepath.Dir(name)
	above, err := g.nearest(dir, file)
	if err != nil || above != dir {
		return false, err
	}
	info, err := g.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%s: %s; nothing was installed", file, reason(err))
	case info.IsDir():
		return false, refused("%s is a directory, and the package has a file of that name; nothing was installed", filepath.Join(g.dir, name))
	}
	return true, nil
}

// nearest is the nearest existing directory at or above dir. file is a file in dir.
func (g *ground) nearest(dir, file string) (string, error) {
	if at, ok := g.known[dir]; ok {
		return at, nil
	}
	at, err := g.nearest(filepath.Dir(dir), file)
	if err != nil {
		return "", err
	}
	if at == filepath.Dir(dir) {
		there, err := g.directory(dir, file)
		if err != nil {
			return "", err
		}
		if there {
			at = dir
		}
	}
	g.known[dir] = at
	return at, nil
}

// directory reports whether a directory exists. Anything else with its name, or a link
// that may not be followed, is an error.
func (g *ground) directory(dir, file string) (bool, error) {
	named := filepath.Join(g.dir, dir)
	at, err := g.root.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	link := err == nil && at.Mode()&fs.ModeSymlink != 0
	info, err := g.root.Stat(dir) // behind a link
	switch {
	case err == nil && info.IsDir() && link && inGit(filepath.ToSlash(resolve(filepath.Join(g.root.Name(), dir)))):
		return false, refused("%s is a link into a .git, and the package has a file there, %s; nothing was installed", named, file)
	case err == nil && info.IsDir():
		return true, nil
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return false, refused("%s is not a directory, and the package has one of that name, with %s; nothing was installed", named, file)
	case link && !errors.Is(err, fs.ErrPermission):
		return false, refused("%s is a link that leads out of %s, or is written as a path from the root, and is not followed; the package has a file there, %s; nothing was installed", named, g.dir, file)
	}
	return false, fmt.Errorf("%s: %s: %s; nothing was installed", file, named, reason(err))
}

// writable wants every directory in which a file or a directory has to be made to
// allow it. It tries, or in a dry run asks what the system says of it.
func (g *ground) writable(files []pulled, dryRun bool) error {
	tried := map[string]bool{}
	for _, f := range files {
		at := g.known[filepath.Dir(filepath.FromSlash(f.Path))]
		if f.Action != "download" || tried[at] {
			continue
		}
		tried[at] = true
		var err error
		if dryRun {
			err = mayWrite(filepath.Join(g.root.Name(), at))
		} else {
			err = client.CanWrite(g.root, at)
		}
		if err != nil {
			return fmt.Errorf("no file can be made in %s: %s; nothing was installed", filepath.Join(g.dir, at), reason(err))
		}
	}
	return nil
}

func pathsOf(files []pulled) []string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
	}
	return paths
}
