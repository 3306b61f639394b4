package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const pushHelp = `Publish files as a version of a package. A PATH is a file, a directory (all files
below it, under their relative paths; a server with strict naming refuses paths), a
pattern such as 'dist/*.zip' or 'dist/**/*.zip' (with ** files keep the path below
its fixed part), or - for standard input, with --name. NAME@VERSION is the same
as NAME VERSION.

From directories, patterns and lists push leaves out .git, pull's own files, files that
--exclude names, and files that the .granaryignore of a directory names, with one pattern
a line. A pattern without a slash is compared with names, one with a slash with paths
below the directory. Other hidden files are published, and counted.

Push checks everything it can before it sends the first byte: files open, links stay
inside, the server accepts the names, no name is taken, no protection rule that the token
can read needs a higher role.

On granary a new version is published all at once. The files go into a draft, which nobody
can install; the last request makes the version final if the draft has exactly the files of
this push. Then its files never change. If a push ends early, nothing is published; run it
again, and it skips what is in the draft. Of two pushes with other bytes at most one
succeeds; the other ends with exit code 3. --force discards the draft that is there and
begins anew. With --draft the version stays a draft, so that several jobs can add files to
it, or replace theirs, until granary finalise publishes it.

Files of an open version, which was published without a draft, are published one by one,
as is every version on GitLab; an incomplete version can be installed.

Push is safe to run again. It compares the package's files by SHA-256: the same bytes
are left alone, or sent again if the server has lost them. If a name is taken by other
bytes, push sends nothing, unless --force publishes the new file in addition to the old
one (the newest is installed); a final version takes neither. If two pushes publish one
new version to GitLab at once, both may succeed, and the version has the files of both.
Push declares the digest of a file to the server and compares it with the stored
one; above 64 MiB it only compares, unless --declare computes the digest before the file
is sent. A file that changes meanwhile is not published. Push retries broken connections
and answers that ask for a retry; it does not retry a refusal.`

// declareBelow is the size in bytes up to which a file is read once more before
// it is sent, so that the server can refuse bytes that were damaged on the way.
// Reading a large one twice would cost a fifth of the time on a fast line.
const declareBelow = 64 << 20

func newPush(env Env) *cobra.Command {
	p := &push{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "push PROJECT NAME VERSION PATH...",
		Short: "Publish files as a version of a package",
		Long:  pushHelp,
		Example: "  granary push acme/tools firmware 1.4.0 build/firmware.bin\n" +
			"  granary push . firmware --version-from-tag dist/   # in a CI job\n" +
			"  tar cz src | granary push acme/tools firmware@1.4.0 - --name src.tar.gz",
		Args: packageArguments(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			if cmd.Flags().Changed("jobs") && (p.jobs < 1 || p.jobs > 64) {
				return usagef("--jobs is %d: want 1 to 64", p.jobs)
			}
			if p.draft && p.force {
				return usagef("--draft adds to a draft, and --force discards it: want one of both")
			}
			err := p.run(ctx, args)
			return ended(ctx, err, p.soFar+"run the same command again: it skips what has arrived")
		},
	}
	p.connection.addFlags(cmd)
	p.complete(cmd, aProject, aName, localFile)
	f := cmd.Flags()
	f.BoolVar(&p.fromTag, "version-from-tag", false, "use the version in CI_COMMIT_TAG, else in git's highest tag of this commit, without its v, instead of VERSION")
	f.BoolVar(&p.force, "force", false, "publish other bytes under names that are taken; discard the draft that is there")
	f.BoolVar(&p.draft, "draft", false, "leave the version a draft, to which other pushes may add files, until granary finalise")
	f.BoolVar(&p.dryRun, "dry-run", false, "say what would be done or refused, and do nothing")
	f.BoolVar(&p.declare, "declare", false, "also compute the digest of large files before they are sent, and declare it")
	f.BoolVar(&p.flat, "flat", false, "leave directories out of the names of files")
	f.StringVar(&p.name, "name", "", "publish standard input as this `file`")
	f.StringVar(&p.filesFrom, "files-from", "", "publish the files that this `list` names, one a line, under their paths; - is standard input")
	p.finding.addFlags(f)
	f.StringVar(&p.rate, "limit-rate", "", "send at most so many `bytes` a second, such as 500k or 2M")
	f.IntVarP(&p.jobs, "jobs", "j", 0, "send this `number` of files at once (default: 8, and 32 small ones)")
	f.BoolVar(&p.json, "json", false, "print the result as JSON")
	return cmd
}

type push struct {
	connection
	finding
	fromTag, force, draft, dryRun, declare, flat, json bool
	name, filesFrom, rate                              string
	jobs                                               int

	client  *client.Client
	at      client.Coordinates // without a path; in a draft if the files go into one
	sources []source
	shelf   shelf        // what the package has, or its draft
	hidden  bool         // the package is there, and no list shows it
	final   bool         // its files never change
	named   bool         // the server has accepted the name and the version
	anew    bool         // there is a draft that is to be discarded
	result  client.Final // what the draft became
	spooled string       // the file that standard input was kept in, "" for none
	soFar   string       // what is published if the push ended early
}

// pushed is one file of the result.
type pushed struct {
	planned

	source  source
	theirs  bool // another push has published the same bytes meanwhile
	drafted bool // it is in the draft
}

func (p *push) run(ctx context.Context, args []string) error {
	defer p.unspool()
	if err := p.prepare(ctx, args); err != nil {
		return err
	}
	files, err := p.ready(ctx, p.look)
	if err == nil && !p.dryRun {
		files, err = p.publish(ctx, files)
	}
	if err != nil {
		return err
	}
	if err := p.print(files); err != nil {
		return err
	}
	if n := countRefused(files); n > 0 {
		why := "other bytes are there"
		if p.final {
			why = p.at.Name + " " + p.at.Version + " is final"
		}
		return refused("%s would be refused: %s", counted(int64(n), "file"), why)
	}
	return nil
}

// ready plans what is to be done, and refuses what can be known to be refused.
func (p *push) ready(ctx context.Context, look func(context.Context) error) ([]pushed, error) {
	if err := look(ctx); err != nil {
		return nil, advise(err, p.at.Project)
	}
	files, err := p.plan(ctx)
	if err != nil {
		return nil, advise(err, p.at.Project)
	}
	if err := p.refuseChoice(files); err != nil {
		return nil, err
	}
	if err := p.refuse(files); err != nil {
		return nil, err
	}
	return files, p.check(ctx, files)
}

func (p *push) print(files []pushed) error {
	count, size := map[string]int{}, int64(0)
	for _, f := range files {
		count[f.Action]++
		if f.Action == "upload" {
			size += f.Size
		}
	}
	if p.json {
		return printJSON(p.env, struct {
			Project string   `json:"project"`
			Name    string   `json:"name"`
			Version string   `json:"version"`
			DryRun  bool     `json:"dry_run,omitempty"`
			Status  string   `json:"status,omitempty"` // of the version: "draft" or "final"; "" if it is neither
			SHA256  string   `json:"manifest_sha256,omitempty"`
			Files   []pushed `json:"files"`
		}{p.at.Project, p.at.Name, p.at.Version, p.dryRun, p.status(), p.result.Manifest, files})
	}
	out := &printer{w: p.env.Stdout}
	verb := "published"
	if p.draft {
		verb = "put into the draft"
	}
	if p.dryRun {
		verb = "to publish"
		for _, f := range files {
			out.printf("%-9s  %s  %s\n", f.Action, f.Path, formatBytes(f.Size))
		}
	}
	if p.dryRun || !p.quiet {
		out.printf("%s %s: %s %s (%s)", p.at.Name, p.at.Version, counted(int64(count["upload"]), "file"), verb, formatBytes(size))
		if n := count["unchanged"]; n > 0 {
			out.printf(", %d there already", n)
		}
		if n := hiddenFiles(files); n > 0 {
			out.printf(", %d of all hidden", n)
		}
		if p.hidden {
			out.printf("; the package is hidden")
		}
		out.printf("\n")
		p.printStatus(out)
	}
	return out.err
}

// status is that of the version in the end.
func (p *push) status() string {
	switch {
	case p.final || p.result.Final:
		return "final"
	case p.at.Draft:
		return "draft"
	}
	return ""
}

func (p *push) printStatus(out *printer) {
	switch {
	case p.result.Final:
		out.printf("%s %s is final, sha256:%s\n", p.at.Name, p.at.Version, p.result.Manifest)
	case p.at.Draft && p.draft:
		out.printf("%s %s is a draft; granary finalise %s %s@%s publishes it\n", p.at.Name, p.at.Version, p.at.Project, p.at.Name, p.at.Version)
	}
}

func countRefused(files []pushed) (n int) {
	for _, f := range files {
		if f.Action == "refused" {
			n++
		}
	}
	return n
}

// hiddenFiles counts the files that ls does not show, or that are below such a
// directory.
func hiddenFiles(files []pushed) (n int) {
	for _, f := range files {
		if strings.HasPrefix(f.Path, ".") || strings.Contains(f.Path, "/.") {
			n++
		}
	}
	return n
}
