package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const pushHelp = `Publish files as a version of a package. A PATH is a file, a directory (all files
below it, under their relative paths; a server with strict naming takes none), a
pattern such as 'dist/*.zip' or 'dist/**/*.zip' (with ** files keep the path below
what is fixed of it), or - for standard input, with --name. NAME@VERSION is the same
as NAME VERSION.

Left out of directories, patterns and lists are .git, what pull keeps beside its files,
what --exclude names, and what the .granaryignore of a directory names: a pattern in
every line. One without a slash is held against names, one with a slash against paths
below the directory. Other hidden files are published, and counted.

Everything that can be known is looked at before the first byte is sent: that files
open, links stay inside, the server takes the names, no name is taken, no protection
rule that the token can read wants a higher role. What still ends early says how far it
came; a version that is published in part can be installed.

Push is safe to run again. What the package has already is compared by SHA-256:
the same bytes are left alone, or sent again if the server has lost them; other
bytes under a name that is taken are refused before anything is sent, unless
--force publishes them beside the old ones (the newest is what gets installed). Of two
who publish one new version at once the server lets one win, if it knows conditions
(GitLab does not) and they have a name in common: names are told apart, not versions, and
two pushes without a common name end up as one version of both. The digest of a file is declared to the server and compared with
what the server says it stored; above 64 MiB it is only compared, unless --declare has
it computed before the file is sent. Nothing is published of a file that changes
meanwhile. Broken connections and answers that ask to come again are tried again; a
refusal is not.`

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
			err := p.run(ctx, args)
			return ended(ctx, err, p.soFar+"run the same command again: what has arrived is not sent again")
		},
	}
	p.connection.addFlags(cmd)
	p.complete(cmd, aProject, aName, localFile)
	f := cmd.Flags()
	f.BoolVar(&p.fromTag, "version-from-tag", false, "take the version from CI_COMMIT_TAG, else from git's highest tag of this commit, without its v; leave VERSION out")
	f.BoolVar(&p.force, "force", false, "publish other bytes under names that are taken")
	f.BoolVar(&p.dryRun, "dry-run", false, "say what would be done or refused, and do nothing")
	f.BoolVar(&p.declare, "declare", false, "compute and declare the digest of large files too before they are sent")
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
	fromTag, force, dryRun, declare, flat, json bool
	name, filesFrom, rate                       string
	jobs                                        int

	client  *client.Client
	at      client.Coordinates // without a path
	sources []source
	shelf   shelf  // what the package has
	hidden  bool   // the package is there, and no list shows it
	spooled string // the file that standard input was kept in, "" for none
	soFar   string // what is published where the push ended early
}

// pushed is one file of the result.
type pushed struct {
	planned

	source source
	theirs bool // somebody else has published the same bytes meanwhile
}

func (p *push) run(ctx context.Context, args []string) error {
	defer p.unspool()
	if err := p.prepare(ctx, args); err != nil {
		return err
	}
	files, err := p.plan(ctx)
	if err != nil {
		return advise(err, p.at.Project)
	}
	if err := p.refuseChoice(files); err != nil {
		return err
	}
	if err := p.refuse(files); err != nil {
		return err
	}
	if err := p.check(ctx, files); err != nil {
		return err
	}
	if !p.dryRun {
		if err := p.send(ctx, files); err != nil {
			return p.endedEarly(ctx, files, err)
		}
		if err := p.shelf.confirm(ctx, len(files), func(i int) *planned { return &files[i].planned }); err != nil {
			return err
		}
	}
	if err := p.print(files); err != nil {
		return err
	}
	if n := countRefused(files); n > 0 {
		return refused("%s would be refused: other bytes are there", countFiles(n))
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
	if p.json {
		return printJSON(p.env, struct {
			Project string   `json:"project"`
			Name    string   `json:"name"`
			Version string   `json:"version"`
			DryRun  bool     `json:"dry_run,omitempty"`
			Files   []pushed `json:"files"`
		}{p.at.Project, p.at.Name, p.at.Version, p.dryRun, files})
	}
	out := &printer{w: p.env.Stdout}
	verb := "published"
	if p.dryRun {
		verb = "to publish"
		for _, f := range files {
			out.printf("%-9s  %s  %s\n", f.Action, f.Path, formatBytes(f.Size))
		}
	}
	if p.dryRun || !p.quiet {
		out.printf("%s %s: %s %s (%s)", p.at.Name, p.at.Version, countFiles(count["upload"]), verb, formatBytes(size))
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
	}
	return out.err
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

func countFiles(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}
