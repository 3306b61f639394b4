package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const pullHelp = `Install a package, or some of its files (names, or patterns such as 'lib/*'), in
a directory. VERSION is one of the package's versions, or latest (which is also
meant without one), or a range: ^1.4, ~1.4.2, 1.x, '>=1.2 <2'. A version of
exactly this name always wins; else the highest in semantic order is taken,
pre-releases only where --pre or the range asks for them.

Every file is checked against the package's SHA-256 before it gets its name; a
file that is there already with these bytes is left alone, another one is
replaced. Large files arrive in several parts at once. A download that breaks off
leaves a hidden .part file beside its place, and the next pull goes on from
there. Nothing is ever written outside the directory.`

func newPull(env Env) *cobra.Command {
	p := &pull{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "pull PROJECT NAME[@VERSION] [FILE...]",
		Short: "Install a package, or some of its files",
		Long:  pullHelp,
		Example: "  granary pull acme/tools firmware@^1.4 -o vendor/\n" +
			"  granary pull acme/tools tool@latest tool-linux --stdout >/usr/local/bin/tool",
		Args: arguments(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return ended(ctx, p.run(ctx, args), "run the same command again: it goes on from there")
		},
	}
	p.addFlags(cmd)
	p.complete(cmd, aProject, aPackage, aFile)
	f := cmd.Flags()
	f.StringVarP(&p.dir, "output", "o", ".", "install in this `directory`, which is made")
	f.BoolVar(&p.stdout, "stdout", false, "write the one file to standard output")
	f.BoolVarP(&p.executable, "executable", "x", false, "set the executable bit")
	f.BoolVar(&p.pre, "pre", false, "take pre-releases too")
	f.IntVarP(&p.jobs, "jobs", "j", 8, "fetch this `number` of files at once")
	f.BoolVar(&p.json, "json", false, "print the result as JSON")
	return cmd
}

type pull struct {
	connection
	dir                           string
	stdout, executable, pre, json bool
	jobs                          int

	client *client.Client
	at     client.Coordinates // without a path
}

// pulled is one file of the result.
type pulled struct {
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256,omitempty"`
	Action   string `json:"action"`   // "download" or "unchanged"
	Verified bool   `json:"verified"` // the server told a digest, and it is the same

	file client.File
}

func (p *pull) run(ctx context.Context, args []string) (err error) {
	if p.jobs < 1 || p.jobs > 64 {
		return usagef("--jobs is %d: want 1 to 64", p.jobs)
	}
	if p.client, err = p.connection.client(); err != nil {
		return err
	}
	if p.at.Project, err = p.project(args[0]); err != nil {
		return err
	}
	name, version, _ := strings.Cut(args[1], "@")
	files, err := p.find(ctx, name, version, args[2:])
	if err != nil {
		return advise(err, p.at.Project)
	}
	if p.stdout {
		return advise(p.toStdout(ctx, files), p.at.Project)
	}
	if err := p.install(ctx, files); err != nil {
		return advise(err, p.at.Project)
	}
	return p.print(files)
}

// find settles the version, and the files that are wanted of it.
func (p *pull) find(ctx context.Context, name, version string, wanted []string) ([]pulled, error) {
	found, err := p.client.Resolve(ctx, p.at.Project, name, version, p.pre)
	p.at.Name, p.at.Version = name, version
	if _, answered := errors.AsType[*client.Error](err); answered && version != "" && len(wanted) > 0 {
		return p.unlisted(ctx, wanted, err)
	}
	if err != nil {
		return nil, err
	}
	p.at.Version = found.Version
	files, err := p.client.Files(ctx, p.at.Project, found.ID)
	if err != nil {
		return nil, err
	}
	chosen, err := chooseFiles(files, wanted, found)
	rows := make([]pulled, len(chosen))
	for i, f := range chosen {
		rows[i] = newPulled(f)
	}
	return rows, err
}

// unlisted is for tokens that may install files and not list them: deploy
// tokens. The files must be named.
func (p *pull) unlisted(ctx context.Context, wanted []string, denied error) (files []pulled, err error) {
	for _, name := range wanted {
		at := p.at
		at.Path = name
		f, err := p.client.Stat(ctx, at)
		if err != nil || strings.ContainsAny(name, "*?[") {
			return nil, denied
		}
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
	at := p.at
	at.Path = files[0].Path
	bar := newProgress(p.env, p.quiet, "pull", 1, files[0].Size)
	defer bar.close()
	verified, err := p.client.Copy(ctx, at, files[0].file, p.env.Stdout, bar.add)
	if err == nil && !verified {
		p.warn(at.Path)
	}
	return err
}

func (p *pull) warn(path string) {
	p.env.notice("%s: the server tells no digest, so nothing was compared", path)
}

// install brings the files into the directory. Their names are looked at first:
// a package with one that leads out of it is installed not even in part.
func (p *pull) install(ctx context.Context, files []pulled) error {
	if err := refuseNames(runtime.GOOS, pathsOf(files)); err != nil {
		return err
	}
	size := int64(0)
	for _, f := range files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return refused("the package has a file %q, which leads out of the directory; nothing was installed", f.Path)
		}
		size += f.Size
	}
	if err := os.MkdirAll(p.dir, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(p.dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // nothing is written through it any more
	bar := newProgress(p.env, p.quiet, "pull", len(files), size)
	defer bar.close()
	return parallel(ctx, p.jobs, len(files), func(ctx context.Context, i int) error {
		if err := p.installOne(ctx, root, &files[i], bar); err != nil {
			return fmt.Errorf("%s: %w", files[i].Path, err)
		}
		bar.fileDone()
		return nil
	})
}

func pathsOf(files []pulled) []string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
	}
	return paths
}

func (p *pull) installOne(ctx context.Context, root *os.Root, f *pulled, bar *progress) (err error) {
	name := filepath.FromSlash(f.Path)
	if f.SHA256 != "" && holds(root, name, f.Size, f.SHA256) {
		f.Action, f.Verified = "unchanged", true
		bar.add(f.Size)
		return p.makeExecutable(root, name)
	}
	at := p.at
	at.Path = f.Path
	f.Verified, err = p.client.Download(ctx, client.Download{
		Coordinates: at, File: f.file, Root: root, Executable: p.executable, Progress: bar.add,
	})
	if err == nil && !f.Verified {
		p.warn(f.Path)
	}
	return err
}

// makeExecutable lets whoever may read a file run it, where that is wanted.
func (p *pull) makeExecutable(root *os.Root, name string) error {
	if !p.executable {
		return nil
	}
	info, err := root.Stat(name)
	if err != nil {
		return err
	}
	return root.Chmod(name, info.Mode().Perm()|info.Mode().Perm()>>2&0o111)
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

func (p *pull) print(files []pulled) error {
	if p.json {
		return printJSON(p.env, struct {
			Project   string   `json:"project"`
			Name      string   `json:"name"`
			Version   string   `json:"version"`
			Directory string   `json:"directory"`
			Files     []pulled `json:"files"`
		}{p.at.Project, p.at.Name, p.at.Version, p.dir, files})
	}
	if p.quiet {
		return nil
	}
	size, same := int64(0), 0
	for _, f := range files {
		if f.Action == "unchanged" {
			same++
		} else {
			size += f.Size
		}
	}
	out := &printer{w: p.env.Stdout}
	out.printf("%s %s: %s installed in %s (%s)", p.at.Name, p.at.Version, countFiles(len(files)-same), p.dir, formatBytes(size))
	if same > 0 {
		out.printf(", %d there already", same)
	}
	out.printf("\n")
	return out.err
}
