package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const pushHelp = `Publish files as a version of a package. A PATH is a file, a directory (all files
below it, under their relative paths; a server with strict naming takes none) or
a pattern such as 'dist/*.zip'.

Push is safe to run again. What the package has already is compared by SHA-256:
the same bytes are left alone, or sent again if the server has lost them; other
bytes under a name that is taken are refused before anything is sent, unless
--force publishes them beside the old ones (the newest is what gets installed). The
digest of a file is declared to the server and compared with what the server says it
stored; above 64 MiB it is only compared, unless --declare has it computed before the
file is sent. Broken connections and answers that ask to come again are tried again;
a refusal is not.`

// declareBelow is the size in bytes up to which a file is read once more before
// it is sent, so that the server can refuse bytes that were damaged on the way.
// Reading a large one twice would cost a fifth of the time on a fast line.
const declareBelow = 64 << 20

// smallFile is the size in bytes up to which a file is read once and kept while it
// is sent.
const smallFile = 64 << 10

// How many files are sent at once where --jobs does not say.
const (
	filesAtOnce = 8
	smallAtOnce = 32 // where they are small on average
)

func newPush(env Env) *cobra.Command {
	p := &push{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "push PROJECT NAME VERSION PATH...",
		Short: "Publish files as a version of a package",
		Long:  pushHelp,
		Example: "  granary push acme/tools firmware 1.4.0 build/firmware.bin\n" +
			"  granary push . firmware --version-from-tag dist/   # in a CI job",
		Args: arguments(3, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return ended(ctx, p.run(ctx, args), "run the same command again: what has arrived is not sent again")
		},
	}
	p.addFlags(cmd)
	p.complete(cmd, aProject, aName, localFile)
	f := cmd.Flags()
	f.BoolVar(&p.fromTag, "version-from-tag", false, "take the version from CI_COMMIT_TAG, else from git's tag of this commit, without its v; leave VERSION out")
	f.BoolVar(&p.force, "force", false, "publish other bytes under names that are taken")
	f.BoolVar(&p.dryRun, "dry-run", false, "say what would be done, and do nothing")
	f.BoolVar(&p.declare, "declare", false, "compute and declare the digest of large files too before they are sent")
	f.BoolVar(&p.flat, "flat", false, "leave directories out of the names of files")
	f.IntVarP(&p.jobs, "jobs", "j", 0, "send this `number` of files at once (default: 8, and 32 small ones)")
	f.BoolVar(&p.json, "json", false, "print the result as JSON")
	return cmd
}

type push struct {
	connection
	fromTag, force, dryRun, declare, flat, json bool
	jobs                                        int

	client   *client.Client
	at       client.Coordinates // without a path
	sources  []source
	created  bool // the package is there
	hidden   bool // and no list shows it
	unlisted bool // no list tells its files, but each can be asked for
}

// pushed is one file of the result.
type pushed struct {
	Path      string `json:"path"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256,omitempty"`
	Action    string `json:"action"`    // "upload" or "unchanged", and "refused" with dry-run
	Confirmed bool   `json:"confirmed"` // the server has told the same digest

	source source
}

func (p *push) run(ctx context.Context, args []string) error {
	if err := p.prepare(ctx, args); err != nil {
		return err
	}
	files, err := p.plan(ctx)
	if err != nil {
		return advise(err, p.at.Project)
	}
	if err := p.refuse(files); err != nil {
		return err
	}
	if !p.dryRun {
		if err := p.send(ctx, files); err != nil {
			return advise(err, p.at.Project)
		}
		if err := p.confirm(ctx, files); err != nil {
			return err
		}
	}
	return p.print(files)
}

func (p *push) prepare(ctx context.Context, args []string) (err error) {
	if p.jobs < 0 || p.jobs > 64 {
		return usagef("--jobs is %d: want 1 to 64", p.jobs)
	}
	project, name, rest := args[0], args[1], args[2:]
	version := rest[0]
	if p.fromTag {
		if version, err = versionFromTag(ctx, p.env); err != nil {
			return err
		}
	} else if rest = rest[1:]; len(rest) == 0 {
		return usagef("no file is named; want granary push PROJECT NAME VERSION PATH...")
	}
	if p.client, err = p.connection.client(); err != nil {
		return err
	}
	if project, err = p.project(project); err != nil {
		return err
	}
	p.at = client.Coordinates{Project: project, Name: name, Version: version}
	p.sources, err = findSources(rest, p.flat)
	return err
}

// versionFromTag is the tag that CI runs for, else git's tag of this commit.
func versionFromTag(ctx context.Context, env Env) (string, error) {
	tag := env.getenv("CI_COMMIT_TAG")
	if tag == "" {
		cmd := exec.CommandContext(ctx, "git", "describe", "--tags", "--exact-match", "HEAD")
		cmd.Env = env.Environ
		out, err := cmd.Output()
		if err != nil {
			return "", usagef("--version-from-tag: CI_COMMIT_TAG is not set, and git knows no tag of this commit")
		}
		tag = strings.TrimSpace(string(out))
	}
	if len(tag) > 1 && tag[0] == 'v' && tag[1] >= '0' && tag[1] <= '9' {
		tag = tag[1:]
	}
	return tag, nil
}

// send publishes what is to be published. The first file of a new package goes
// alone: GitLab before 18 fails where several make the package at once.
func (p *push) send(ctx context.Context, files []pushed) error {
	var due []*pushed
	size := int64(0)
	for i := range files {
		if files[i].Action == "upload" {
			due = append(due, &files[i])
			size += files[i].Size
		}
	}
	bar := newProgress(p.env, p.quiet, "push", len(due), size)
	defer bar.close()
	if len(due) > 1 && !p.created {
		i := smallest(due)
		if err := p.sendOne(ctx, due[i], bar); err != nil {
			return err
		}
		due = slices.Delete(due, i, i+1)
	}
	return parallel(ctx, p.atOnce(size, len(due)), len(due), func(ctx context.Context, i int) error { return p.sendOne(ctx, due[i], bar) })
}

// atOnce is how many files are sent at once: as many as was said, else more of small
// ones. A server writes small files down together, and the line is idle meanwhile.
func (p *push) atOnce(size int64, files int) int {
	switch {
	case p.jobs > 0:
		return p.jobs
	case files > 0 && size/int64(files) <= smallFile:
		return smallAtOnce
	}
	return filesAtOnce
}

func smallest(files []*pushed) int {
	f := slices.MinFunc(files, func(a, b *pushed) int { return cmp.Compare(a.Size, b.Size) })
	return slices.Index(files, f)
}

func (p *push) sendOne(ctx context.Context, f *pushed, bar *progress) error {
	open := func() (io.ReadCloser, error) { return os.Open(f.source.local) }
	if f.Size <= smallFile {
		data, err := f.source.read()
		if err != nil {
			return err
		}
		open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		f.SHA256 = sumOfBytes(data)
	} else if f.SHA256 == "" && (f.Size <= declareBelow || p.declare) {
		sum, err := f.source.sum()
		if err != nil {
			return err
		}
		f.SHA256 = sum
	}
	at := p.at
	at.Path = f.Path
	stored, err := p.client.Publish(ctx, client.Upload{
		Coordinates: at, Size: f.Size, SHA256: f.SHA256, Progress: bar.add,
		Open: open,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", f.source.local, err)
	}
	f.SHA256, f.Confirmed = stored.SHA256, stored.Confirmed
	bar.fileDone()
	return nil
}

// confirm asks for the digests that no answer told: servers before
// select=package_file have them in the package's list only.
func (p *push) confirm(ctx context.Context, files []pushed) error {
	if p.unlisted || !slices.ContainsFunc(files, func(f pushed) bool { return !f.Confirmed }) {
		return nil
	}
	there, err := p.existing(ctx)
	if err != nil {
		return err
	}
	for i, f := range files {
		switch got := there[f.Path].SHA256; {
		case f.Confirmed || got == "":
		case got != f.SHA256:
			return fmt.Errorf("%s: the server has other bytes than were sent: SHA-256 %s, want %s", f.source.local, got, f.SHA256)
		default:
			files[i].Confirmed = true
		}
	}
	return nil
}

func (p *push) print(files []pushed) error {
	count, size := map[string]int{}, int64(0)
	for _, f := range files {
		count[f.Action]++
		if f.Action == "upload" {
			size += f.Size
		}
	}
	out := &printer{w: p.env.Stdout}
	switch {
	case p.json:
		return printJSON(p.env, struct {
			Project string   `json:"project"`
			Name    string   `json:"name"`
			Version string   `json:"version"`
			DryRun  bool     `json:"dry_run,omitempty"`
			Files   []pushed `json:"files"`
		}{p.at.Project, p.at.Name, p.at.Version, p.dryRun, files})
	case p.dryRun:
		for _, f := range files {
			out.printf("%-9s  %s  %s\n", f.Action, f.Path, formatBytes(f.Size))
		}
	case !p.quiet:
		out.printf("%s %s: %s published (%s)", p.at.Name, p.at.Version, countFiles(count["upload"]), formatBytes(size))
		if n := count["unchanged"]; n > 0 {
			out.printf(", %d there already", n)
		}
		if p.hidden {
			out.printf("; the package is hidden")
		}
		out.printf("\n")
	}
	if p.dryRun && count["refused"] > 0 {
		return errors.Join(out.err, refused("%s would be refused: other bytes are there", countFiles(count["refused"])))
	}
	return out.err
}

func countFiles(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

func printJSON(env Env, v any) error {
	enc := json.NewEncoder(env.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
