package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const pullHelp = `Install a package, or some of its files (names, or patterns such as 'lib/*'), in
a directory. VERSION (also as a word after NAME, if it is not a pattern) is one of
the package's versions, or latest (the default), or a range: ^1.4, ~1.4.2, 1.x,
'>=1.2 <2', or a channel of granary's: NAME@@stable. A version with exactly this name
always wins; else pull takes the highest in semantic order, pre-releases only if --pre
or the range includes them, or for the latest if there is nothing else. A yanked version
is installed by its exact name alone, and pull says why it was yanked.

Every file is checked against the package's SHA-256 before it gets its name. A file
that is there already with the same bytes is left alone; another one is replaced,
unless --skip-existing (leave it) or --no-clobber (refuse) is given. Large files are
downloaded in several parts at once. A broken download leaves a hidden .part file
next to its target; the next pull resumes it, or removes it. Pull never writes
outside the directory, or into a .git. Two pulls into one directory take turns.

A hidden list in the directory records what was pulled. With it, --prune removes
files that an earlier pull of this package installed, that this version does not
have, that no other package in the directory has, and that have not changed since.
It asks on a terminal, and needs --yes elsewhere. Other files stay and are counted.

--archive fetches all files of the version in one archive instead, to standard output
or to the file of --output; only granary makes archives. The files in it are compared
with the package's SHA-256 as they arrive (in a zip only if it goes to a file). If one
differs, the exit code is 1: what came before has been printed, but the file is not made.`

func newPull(env Env) *cobra.Command {
	p := &pull{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "pull PROJECT NAME[@VERSION] [FILE...]",
		Short: "Install a package, or some of its files",
		Long:  pullHelp,
		Example: "  granary pull acme/tools firmware@^1.4 -o vendor/\n" +
			"  granary pull acme/tools tool@latest tool-linux --stdout >/usr/local/bin/tool\n" +
			"  granary pull acme/tools manual@@stable --archive tar | tar -x -C /srv/manual",
		Args: packageArguments(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.dirNamed = cmd.Flags().Changed("output")
			if err := p.check(); err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			advice := "run the same command again: it goes on from there"
			if p.archive != "" {
				advice = "run the same command again: an archive begins anew"
			}
			return ended(ctx, p.run(ctx, args), advice)
		},
	}
	p.addFlags(cmd)
	p.complete(cmd, aProject, aPackage, aFile)
	f := cmd.Flags()
	f.StringVarP(&p.dir, "output", "o", ".", "install in this `directory`, which is created if needed; - is --stdout")
	f.BoolVar(&p.stdout, "stdout", false, "write the one file to standard output")
	f.StringVar(&p.archive, "archive", "", "fetch all files in one archive of this `format`: tar, zip or tar.zst, to standard output or to the file of --output")
	f.BoolVar(&p.dryRun, "dry-run", false, "say what would be installed, and do nothing")
	f.BoolVar(&p.skipExisting, "skip-existing", false, "leave files that exist, whatever their content")
	f.BoolVar(&p.noClobber, "no-clobber", false, "install nothing if a file would be replaced")
	f.BoolVar(&p.pruning, "prune", false, "remove files of earlier pulls that this version does not have")
	f.BoolVarP(&p.yes, "yes", "y", false, "remove without asking")
	f.StringVar(&p.rate, "limit-rate", "", "fetch at most so many `bytes` a second, such as 500k or 2M")
	f.BoolVarP(&p.executable, "executable", "x", false, "set the executable bit")
	f.BoolVar(&p.pre, "pre", false, "include pre-releases")
	f.IntVarP(&p.jobs, "jobs", "j", 8, "fetch this `number` of files at once")
	f.BoolVar(&p.json, "json", false, "print the result as JSON")
	return cmd
}

type pull struct {
	connection
	dir, rate, archive            string
	stdout, executable, pre, json bool
	dryRun, skipExisting          bool
	noClobber, pruning, yes       bool
	jobs                          int
	dirNamed                      bool // by --output

	client *client.Client
	at     client.Coordinates // without a path
	owner  string             // the project's id, as projectID finds it
	unheld error              // why no lock keeps other pulls from the directory; nil if one does
	listed []client.File      // all files of the version; only the named ones if the token reads no list
}

// pulled is one file of the result.
type pulled struct {
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256,omitempty"`
	Action   string `json:"action"`             // "download", "unchanged" or "skipped"
	Replaced bool   `json:"replaced,omitempty"` // it takes the place of another file
	Verified bool   `json:"verified"`           // the server gave a digest, and it is the same

	file client.File
}

func (p *pull) run(ctx context.Context, args []string) (err error) {
	if p.client, err = p.connection.client(); err != nil {
		return err
	}
	if p.at.Project, err = p.project(args[0]); err != nil {
		return err
	}
	if p.archive != "" {
		return advise(p.toArchive(ctx, args[1:]), p.at.Project)
	}
	name, version, wanted, err := versionedFiles(ctx, p.client, p.at.Project, args[1:])
	if err != nil {
		return advise(err, p.at.Project)
	}
	files, err := p.find(ctx, name, version, wanted)
	if err != nil {
		return advise(err, p.at.Project)
	}
	if p.stdout {
		return advise(p.toStdout(ctx, files), p.at.Project)
	}
	return advise(p.toDirectory(ctx, files), p.at.Project)
}

// toDirectory checks everything that could prevent the install, and then begins.
func (p *pull) toDirectory(ctx context.Context, files []pulled) error {
	if err := checkNames(files); err != nil {
		return err
	}
	root, err := p.openDirectory()
	if err != nil {
		return err
	}
	if root != nil {
		defer func() { _ = root.Close() }() // nothing is written through it any more
	}
	unlock, err := p.hold(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	list, err := p.readPullList(root)
	if err != nil {
		return err
	}
	if err := p.plan(ctx, root, files); err != nil {
		return err
	}
	if !p.dryRun {
		p.sweep(root, files, list)
		if list, err = p.installListed(ctx, root, files, list); err != nil {
			return err
		}
	}
	var done pruning
	if p.pruning {
		if done, err = p.pruneListed(ctx, root, list); err != nil {
			return err
		}
	}
	if err := p.print(files, done); err != nil || !done.declined {
		return err
	}
	return refused("nothing was removed; the package is installed")
}

// find settles the version, and the files that are wanted of it.
func (p *pull) find(ctx context.Context, name, version string, wanted []string) ([]pulled, error) {
	found, err := p.client.Select(ctx, p.at.Project, name, version, p.pre)
	if client.Unsupported(err) {
		owner := make(chan string, 1)
		if !p.stdout {
			go func() { owner <- projectID(ctx, p.client, p.at.Project) }() // in parallel with the lists
			defer func() { p.owner = <-owner }()
		}
		found, err = p.client.Find(ctx, p.at.Project, name, version, p.pre)
	}
	p.at.Name, p.at.Version = name, version
	if _, answered := errors.AsType[*client.Error](err); answered && version != "" && len(wanted) > 0 && !p.pruning {
		return p.unlisted(ctx, wanted, err)
	}
	if err != nil {
		return nil, err
	}
	p.at.Version, p.owner, p.listed = found.Version, strconv.FormatInt(found.ProjectID, 10), found.Files
	p.tellMarks(found.Package)
	chosen, err := chooseFiles(found.Files, wanted, found.Package)
	rows := make([]pulled, len(chosen))
	for i, f := range chosen {
		rows[i] = newPulled(f)
	}
	return rows, err
}

// tellMarks says that a version should not be used.
func (p *pull) tellMarks(found client.Package) {
	what := found.Name + " " + found.Version
	if found.Yanked {
		p.env.notice("%s", onOneLine(strings.TrimSuffix(what+" is yanked: "+found.YankReason, ": ")))
	}
	if found.Status == "deprecated" {
		p.env.notice("%s", onOneLine(strings.TrimSuffix(what+" is deprecated: "+found.Deprecation, ": ")))
	}
}

// unlisted is for tokens that may install files and not list them: deploy
// tokens. The files must be named.
func (p *pull) unlisted(ctx context.Context, wanted []string, denied error) (files []pulled, err error) {
	for _, name := range wanted {
		f, err := p.client.Stat(ctx, p.at.File(name))
		if err != nil || strings.ContainsAny(name, "*?[") {
			return nil, denied
		}
		if f.Size == 0 {
			f.Size = -1 // of an answer without a body, a proxy may say so of any file
		}
		p.listed = append(p.listed, f)
		files = append(files, newPulled(f))
	}
	return files, nil
}

func newPulled(f client.File) pulled {
	return pulled{Path: f.Path, Size: max(0, f.Size), SHA256: f.SHA256, Action: "download", file: f}
}

func (p *pull) toStdout(ctx context.Context, files []pulled) error {
	if len(files) != 1 {
		return usagef("--stdout is for one file, and these are %d; name one", len(files))
	}
	at := p.at.File(files[0].Path)
	bar := newProgress(p.env, p.quiet, "pull", 1, files[0].Size)
	defer bar.close()
	verified, err := p.client.Copy(ctx, at, files[0].file, raw(p.env.Stdout), bar.add)
	if err == nil && !verified {
		p.warn(at.Path)
	}
	return err
}

func (p *pull) warn(path string) {
	p.env.notice("%s: the server gives no digest, so the file was not checked", path)
}

// install brings the files of the plan into the directory.
func (p *pull) install(ctx context.Context, root *os.Root, files []pulled) error {
	var due []*pulled
	size := int64(0)
	for i := range files {
		f := &files[i]
		if f.Action == "download" {
			due = append(due, f)
			size += f.Size
			continue
		}
		if err := p.makeExecutable(root, f); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	bar := newProgress(p.env, p.quiet, "pull", len(due), size)
	defer bar.close()
	return parallel(ctx, p.jobs, len(due), func(ctx context.Context, i int) error {
		if err := p.installOne(ctx, root, due[i], bar); err != nil {
			return fmt.Errorf("%s: %w", due[i].Path, err)
		}
		bar.fileDone()
		return nil
	})
}

func (p *pull) installOne(ctx context.Context, root *os.Root, f *pulled, bar *progress) (err error) {
	f.Verified, err = p.client.Download(ctx, client.Download{
		Coordinates: p.at.File(f.Path), File: f.file, Root: root, Executable: p.executable, Progress: bar.add,
	})
	if err == nil && !f.Verified {
		p.warn(f.Path)
	}
	return err
}

// makeExecutable sets the executable bits of a file that is there already, for all who
// may read it, if --executable is given.
func (p *pull) makeExecutable(root *os.Root, f *pulled) error {
	if !p.executable || f.Action != "unchanged" {
		return nil
	}
	name := filepath.FromSlash(f.Path)
	info, err := root.Stat(name)
	if err != nil {
		return err
	}
	return root.Chmod(name, info.Mode().Perm()|info.Mode().Perm()>>2&0o111)
}
