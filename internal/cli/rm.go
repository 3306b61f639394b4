package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"granary/internal/client"
	"granary/internal/wire"
)

func newRm(env Env) *cobra.Command {
	r := &rm{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "rm PROJECT NAME@VERSION [FILE...]",
		Short: "Delete versions of a package, or files of one",
		Long: "Delete one version of a package (NAME@VERSION or NAME VERSION), or the files of it that\n" +
			"are named (or match a pattern such as 'debug/*'), or all versions in a range, such as\n" +
			"'tool@<1.0' (pre-releases only if --pre or the range includes them). A version with\n" +
			"exactly this name always wins, and latest is an ordinary name here. Deleting a file\n" +
			"deletes everything that was published under its name.\n\n" +
			"On a terminal rm shows what it would delete, and asks. Elsewhere it deletes one version\n" +
			"at once, and a range only with --yes.",
		Example: "  granary rm acme/tools firmware@1.4.0\n  granary rm acme/tools 'firmware@<1.0' --dry-run",
		Args:    packageArguments(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return ended(ctx, r.run(ctx, args), "granary ls lists what is left")
		},
	}
	r.addFlags(cmd)
	r.complete(cmd, aProject, aPackage, aFile)
	f := cmd.Flags()
	f.BoolVar(&r.dryRun, "dry-run", false, "say what would be deleted or refused, and do nothing")
	f.BoolVarP(&r.yes, "yes", "y", false, "delete without asking")
	f.BoolVar(&r.pre, "pre", false, "include pre-releases in a range")
	f.BoolVar(&r.json, "json", false, "print what is deleted as JSON; for a range, a list")
	return cmd
}

type rm struct {
	connection
	dryRun, yes, pre, json bool

	client  *client.Client
	project string
}

// removal is what rm prints as JSON: what is gone, or with dry-run would be.
type removal struct {
	Project string   `json:"project"`
	Name    string   `json:"name"`
	Version string   `json:"version"`
	DryRun  bool     `json:"dry_run,omitempty"`
	Whole   bool     `json:"whole"` // the version with all its files
	Files   []string `json:"files"` // those that were chosen; none with Whole
}

func (r *rm) run(ctx context.Context, args []string) (err error) {
	name, version, wanted := versioned(args[1:])
	if version == "" {
		return usagef("which version of %s? want NAME@VERSION", name)
	}
	if r.client, err = r.connection.client(); err != nil {
		return err
	}
	if r.project, err = r.connection.project(args[0]); err != nil {
		return err
	}
	doomed, many, err := r.find(ctx, name, version)
	if err != nil {
		return advise(err, r.project)
	}
	var chosen []client.File
	if len(wanted) > 0 {
		if many {
			return usagef("%s is a range, and files are deleted of one version", version)
		}
		if chosen, err = r.choose(ctx, doomed[0], wanted); err != nil {
			return advise(err, r.project)
		}
	}
	if r.dryRun {
		if err := r.check(ctx, name); err != nil {
			return err
		}
		if err := r.checkFinal(ctx, name, doomed[0].Version, chosen); err != nil {
			return err
		}
	}
	if err := r.agree(ctx, doomed, chosen, many); err != nil {
		return err
	}
	gone := []removal{}
	for _, p := range doomed {
		one := removal{Project: r.project, Name: p.Name, Version: p.Version, DryRun: r.dryRun, Files: []string{}}
		if len(wanted) == 0 {
			err = r.version(ctx, p, &one)
		} else {
			err = r.files(ctx, p, chosen, &one)
		}
		if one.Whole || len(one.Files) > 0 {
			gone = append(gone, one)
		}
		if err != nil {
			break
		}
	}
	return errors.Join(err, r.print(gone, many)) // what went before an error is gone, too
}

// check says what the server would of a deletion.
func (r *rm) check(ctx context.Context, name string) error {
	caller, deed := caller{r.client, r.project}, "deleting in "+r.project
	if err := caller.checkRole(ctx, deed, "maintainer"); err != nil {
		return err
	}
	project, err := r.client.Project(ctx, r.project)
	if err != nil {
		return ctx.Err()
	}
	least := func(rule wire.ProtectionRule) *string { return rule.MinimumAccessLevelForDelete }
	return caller.checkRules(ctx, project, "deleting "+name+" in "+r.project, name, least)
}

// checkFinal refuses to delete files of a final version, as the server does.
func (r *rm) checkFinal(ctx context.Context, name, version string, files []client.File) error {
	if len(files) == 0 || !r.client.HasDrafts() {
		return nil
	}
	found, err := r.client.Published(ctx, r.project, name, version)
	if err == nil && found.Final {
		return refused("deleting files would be refused: %s %s is final; delete the version", name, version)
	}
	return err
}

// find finds the one version of this name, or the many of a range.
func (r *rm) find(ctx context.Context, name, version string) (doomed []client.Package, many bool, err error) {
	exact, err := r.client.Packages(ctx, r.project, name, version)
	if err != nil {
		return nil, false, err
	}
	if len(exact) > 0 {
		return exact[len(exact)-1:], false, nil
	}
	if version == client.Latest || !client.IsRange(version) {
		return nil, false, exitError{fmt.Errorf("%s has no package %s %s", r.project, name, version), exitNotFound}
	}
	all, err := r.client.Packages(ctx, r.project, name, "")
	if err != nil {
		return nil, false, err
	}
	if len(all) == 0 {
		return nil, false, exitError{fmt.Errorf("%s has no package %s", r.project, name), exitNotFound}
	}
	if doomed, err = client.Choose(all, version, r.pre); err != nil {
		err = fmt.Errorf("%s, package %s: %w", r.project, name, err)
	}
	return doomed, true, err
}

// choose finds the files that are wanted.
func (r *rm) choose(ctx context.Context, p client.Package, wanted []string) ([]client.File, error) {
	files, err := r.client.Files(ctx, r.project, p.ID)
	if err != nil {
		return nil, err
	}
	return chooseFiles(files, wanted, p)
}

func (r *rm) version(ctx context.Context, p client.Package, gone *removal) error {
	if !r.dryRun {
		if err := r.client.DeletePackage(ctx, r.project, p.ID); err != nil {
			return fmt.Errorf("%s %s: %w", p.Name, p.Version, advise(err, r.project))
		}
	}
	gone.Whole = true
	return r.tell(p.Name + " " + p.Version)
}

func (r *rm) files(ctx context.Context, p client.Package, chosen []client.File, gone *removal) error {
	for _, f := range chosen {
		what := p.Name + " " + p.Version + " " + f.Path
		if !r.dryRun {
			if err := r.client.DeleteFile(ctx, r.project, p.ID, f); err != nil {
				return fmt.Errorf("%s: %w", what, advise(err, r.project))
			}
		}
		gone.Files = append(gone.Files, f.Path)
		if err := r.tell(what); err != nil {
			return err
		}
	}
	return nil
}

// tell prints at once what is deleted, for people.
func (r *rm) tell(what string) error {
	switch {
	case r.json:
		return nil
	case r.dryRun:
		what += " would be deleted"
	case r.quiet:
		return nil
	default:
		what += " is deleted"
	}
	_, err := fmt.Fprintln(r.env.Stdout, onOneLine(what)) // what is named came from the server
	return err
}

// print is for programs: one removal, or for a range a list.
func (r *rm) print(gone []removal, many bool) error {
	switch {
	case !r.json || len(gone) == 0:
		return nil
	case many:
		return printJSON(r.env, gone)
	}
	return printJSON(r.env, gone[0])
}
