package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"granary/internal/client"
)

// checkArchive looks at the flags that do not go with --archive.
func (p *pull) checkArchive() error {
	formats := []string{client.FormatTar, client.FormatZip, client.FormatZst}
	_, screen := terminal(p.env.Stdout)
	switch {
	case !slices.Contains(formats, p.archive):
		return usagef("--archive is %q: want tar, zip or tar.zst", p.archive)
	case p.executable || p.dryRun || p.skipExisting || p.noClobber || p.pruning:
		return usagef("--archive installs no files: it goes with none of --dry-run, --executable, --skip-existing, --no-clobber and --prune")
	case p.json && p.toStandardOutput():
		return usagef("--json prints where the archive is, and without --output the archive itself is printed; want --output FILE")
	case p.toStandardOutput() && screen:
		return usagef("an archive is not written to a terminal: want --output FILE, or a pipe")
	}
	return nil
}

// toStandardOutput reports whether an archive goes there: - and no --output are it.
func (p *pull) toStandardOutput() bool { return p.stdout || !p.dirNamed }

// toArchive fetches a whole version as an archive.
func (p *pull) toArchive(ctx context.Context, words []string) error {
	name, version, rest := versioned(words)
	if len(rest) > 0 {
		return usagef("%q is an argument too many: an archive has all files of a version", rest[0])
	}
	found, err := p.client.Select(ctx, p.at.Project, name, version, p.pre)
	if client.Unsupported(err) {
		return refused("%s makes no archives of packages, GitLab does not, either; pull without --archive installs the files", p.client.Server())
	}
	if err != nil {
		return err
	}
	p.tellMarks(found.Package)
	bar := newProgress(p.env, p.quiet, "pull", 1, -1)
	a := client.Archive{Files: found.Files, Format: p.archive, Progress: bar.add,
		Coordinates: client.Coordinates{Project: p.at.Project, Name: name, Version: found.Version}}
	if p.toStandardOutput() {
		err = p.client.StreamArchive(ctx, a, raw(p.env.Stdout))
		bar.close()
		if err == nil && p.archive == client.FormatZip {
			p.env.notice("the files in a zip are compared with the package only if it goes to a file: --output FILE")
		}
		return err
	}
	size, err := p.saveArchive(ctx, a)
	bar.close()
	if err != nil {
		return err
	}
	return p.printArchive(a, size)
}

// saveArchive puts the archive in the file of --output.
func (p *pull) saveArchive(ctx context.Context, a client.Archive) (size int64, err error) {
	// The file is replaced, and what is no file must not be: /dev/stdout, a FIFO, a link.
	switch info, err := os.Lstat(p.dir); {
	case err == nil && info.IsDir():
		return 0, usagef("--output is the directory %s: want the name of a file", p.dir)
	case err == nil && !info.Mode().IsRegular():
		return 0, usagef("--output %s is no regular file: leave --output out to write to standard output", p.dir)
	}
	dir := filepath.Dir(p.dir)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return 0, fmt.Errorf("the directory %s cannot be made: %s", dir, reason(err))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, fmt.Errorf("the directory %s cannot be opened: %s", dir, reason(err))
	}
	defer func() { _ = root.Close() }() // nothing is written through it any more
	return p.client.SaveArchive(ctx, a, root, filepath.Base(p.dir))
}

func (p *pull) printArchive(a client.Archive, size int64) error {
	if p.json {
		return printJSON(p.env, struct {
			Project string `json:"project"`
			Name    string `json:"name"`
			Version string `json:"version"`
			Archive string `json:"archive"` // the file
			Format  string `json:"format"`
			Size    int64  `json:"size"`
			Files   int    `json:"files"` // in the archive; all were checked
		}{a.Project, a.Name, a.Version, p.dir, a.Format, size, len(a.Files)})
	}
	if p.quiet {
		return nil
	}
	out := &printer{w: p.env.Stdout}
	out.printf("%s %s: %s in %s (%s)\n", a.Name, a.Version, counted(int64(len(a.Files)), "file"), p.dir, formatBytes(size))
	return out.err
}
