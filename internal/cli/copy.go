package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const copyHelp = `Copy versions of a package from one project to another, on the same server or on
another one; either may be GitLab. All versions are copied, or those that NAME@VERSION
names: one version, latest, or all in a range.

Nothing is kept on this machine: bytes go directly from server to server, and the last
bytes of a file are sent only if the whole file has the source's SHA-256.
Copy is safe to run again: it skips files that the target has with the same bytes.
It copies nothing if the target has a file with other bytes under the same name
(unless --force publishes a second one), or if it knows that the target would refuse a
file.

Copy does not copy dates (the copy has new ones), older files of the same name, and
hidden versions, because no list shows their files. Files keep their directories if the
target's naming is relaxed; with strict naming the target refuses them.

SERVER/PROJECT is such as packages.example.com/acme/tools; a server below a path is
written with /api/v4: example.com/gitlab/api/v4/acme/tools. A project without a server
is on the server that other commands use. Each server gets its own token: that of
granary login, of .netrc or of the environment, or --token for the source and
--to-token for the target.`

func newCopy(env Env) *cobra.Command {
	k := &copying{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "copy SERVER/PROJECT NAME[@VERSION] --to SERVER/PROJECT",
		Short: "Copy versions of a package to another project or server",
		Long:  copyHelp,
		Example: "  granary copy gitlab.com/acme/tools firmware --to packages.example.com/acme/tools\n" +
			"  granary copy gitlab.com/acme/tools 'firmware@>=1.4' --to acme/tools --dry-run",
		Args: packageArguments(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return ended(ctx, k.run(ctx, args), "run the same command again: it skips what is copied already")
		},
	}
	k.addFlags(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions // which server to ask is in the words themselves
	f := cmd.Flags()
	f.StringVar(&k.to, "to", "", "copy to this `project`: SERVER/PROJECT")
	f.StringVar(&k.toToken, "to-token", "", "send this `token` to the target")
	f.BoolVar(&k.force, "force", false, "publish other bytes under names that are taken")
	f.BoolVar(&k.dryRun, "dry-run", false, "say what would be copied, and do nothing")
	f.BoolVar(&k.pre, "pre", false, "include pre-releases in a range")
	f.IntVarP(&k.jobs, "jobs", "j", 8, "copy this `number` of files at once")
	f.BoolVar(&k.json, "json", false, "print the result as JSON")
	return cmd
}

type copying struct {
	connection
	to, toToken              string
	force, dryRun, pre, json bool
	jobs                     int

	source, target place
	name           string
	slots          chan struct{} // as many as files may be on their way
}

// copiedVersion is one version of the result.
type copiedVersion struct {
	Version string   `json:"version"`
	Files   []copied `json:"files"`

	id      int64 // of the package at the source
	target  shelf
	created bool // the target has the version
}

// copied is one file of the result.
type copied struct {
	planned

	file    client.File // as the source lists it
	drafted bool        // it is in a draft of the target
}

func (k *copying) run(ctx context.Context, args []string) (err error) {
	if k.jobs < 1 || k.jobs > 64 {
		return usagef("--jobs is %d: want 1 to 64", k.jobs)
	}
	if k.to == "" {
		return usagef("--to is missing: want granary copy SERVER/PROJECT NAME[@VERSION] --to SERVER/PROJECT")
	}
	name, version, rest := versioned(args[1:])
	if len(rest) > 0 {
		return twoVersions(name, version, rest[0])
	}
	k.name = name
	if k.source, k.target, err = k.twoPlaces(args[0], k.to, k.toToken); err != nil {
		return err
	}
	if k.source.String() == k.target.String() {
		return usagef("source and target are both %s", k.source)
	}
	versions, err := k.plan(ctx, version)
	if err != nil {
		return err
	}
	if err := k.refuse(versions); err != nil {
		return err
	}
	if err := k.checks(versions).run(ctx); err != nil {
		return k.worded(err)
	}
	if !k.dryRun {
		if err := k.send(ctx, versions); err != nil {
			return err
		}
	}
	if err := k.print(versions); err != nil {
		return err
	}
	if n := len(refusedOf(versions)); n > 0 {
		return refused("%s would be refused: other bytes are there", counted(int64(n), "file"))
	}
	return nil
}

// refusedOf names the files that are there with other bytes.
func refusedOf(versions []copiedVersion) (names []string) {
	for _, v := range versions {
		for _, f := range v.Files {
			if f.Action == "refused" {
				names = append(names, v.Version+"/"+f.Path)
			}
		}
	}
	return names
}

// refuse ends a copy that would meet other bytes.
func (k *copying) refuse(versions []copiedVersion) error {
	names := refusedOf(versions)
	if len(names) == 0 || k.dryRun {
		return nil
	}
	return refused("%s has other bytes of %s under %s; nothing was copied\n--force publishes anyway", k.target, k.name, firstOf(names))
}

func (k *copying) print(versions []copiedVersion) error {
	out := &printer{w: k.env.Stdout}
	copies, same, size := 0, 0, int64(0)
	for _, v := range versions {
		for _, f := range v.Files {
			switch f.Action {
			case "copy":
				copies++
				size += f.Size
			case "unchanged":
				same++
			}
			if k.dryRun && !k.json {
				out.printf("%-9s  %s %s  %s  %s\n", f.Action, k.name, v.Version, f.Path, formatBytes(f.Size))
			}
		}
	}
	switch {
	case k.json:
		out.err = k.printJSON(versions)
	case !k.dryRun && !k.quiet:
		out.printf("%s: %s of %s copied to %s (%s)", k.name, counted(int64(copies), "file"), countVersions(len(versions)), k.target, formatBytes(size))
		if same > 0 {
			out.printf(", %d there already", same)
		}
		out.printf("\n")
	}
	if copies > 0 && !k.dryRun && !k.quiet {
		k.env.notice("dates are not copied: the new files have today's")
	}
	return out.err
}

func (k *copying) printJSON(versions []copiedVersion) error {
	return printJSON(k.env, struct {
		From     string          `json:"from"`
		To       string          `json:"to"`
		Name     string          `json:"name"`
		DryRun   bool            `json:"dry_run,omitempty"`
		Versions []copiedVersion `json:"versions"`
	}{k.source.String(), k.target.String(), k.name, k.dryRun, versions})
}

func countVersions(n int) string {
	if n == 1 {
		return "1 version"
	}
	return fmt.Sprintf("%d versions", n)
}
