package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

func newRm(env Env) *cobra.Command {
	r := &rm{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "rm PROJECT NAME@VERSION [FILE...]",
		Short: "Delete a version of a package, or some of its files",
		Long: "Delete one version of a package, or the files of it that are named (or match a\n" +
			"pattern such as 'debug/*'). The version is the literal one: latest and ranges choose\n" +
			"nothing here. A file goes with all that was published under its name.",
		Args: arguments(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return r.run(ctx, args)
		},
	}
	r.addFlags(cmd)
	r.complete(cmd, aProject, aPackage, aFile)
	cmd.Flags().BoolVar(&r.dryRun, "dry-run", false, "say what would be deleted, and do nothing")
	cmd.Flags().BoolVar(&r.json, "json", false, "print what is deleted as JSON")
	return cmd
}

type rm struct {
	connection
	dryRun, json bool
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

func (r *rm) run(ctx context.Context, args []string) error {
	name, version, _ := strings.Cut(args[1], "@")
	if version == "" {
		return usagef("which version of %s? want NAME@VERSION", name)
	}
	c, err := r.client()
	if err != nil {
		return err
	}
	project, err := r.project(args[0])
	if err != nil {
		return err
	}
	found, err := c.Packages(ctx, project, name, version)
	if err != nil {
		return advise(err, project)
	}
	if len(found) == 0 {
		return exitError{fmt.Errorf("%s has no package %s %s", project, name, version), exitNotFound}
	}
	p := found[len(found)-1]
	gone := removal{Project: project, Name: p.Name, Version: p.Version, DryRun: r.dryRun, Files: []string{}}
	if len(args) == 2 {
		err = r.version(ctx, c, p, &gone)
	} else {
		err = r.files(ctx, c, p, args[2:], &gone)
	}
	if r.json && (gone.Whole || len(gone.Files) > 0) { // what went before an error is gone, too
		err = errors.Join(err, printJSON(r.env, gone))
	}
	return err
}

func (r *rm) version(ctx context.Context, c *client.Client, p client.Package, gone *removal) error {
	if !r.dryRun {
		if err := c.DeletePackage(ctx, gone.Project, p.ID); err != nil {
			return fmt.Errorf("%s %s: %w", p.Name, p.Version, advise(err, gone.Project))
		}
	}
	gone.Whole = true
	return r.tell(p.Name + " " + p.Version)
}

func (r *rm) files(ctx context.Context, c *client.Client, p client.Package, wanted []string, gone *removal) error {
	files, err := c.Files(ctx, gone.Project, p.ID)
	if err != nil {
		return advise(err, gone.Project)
	}
	chosen, err := chooseFiles(files, wanted, p)
	if err != nil {
		return err
	}
	for _, f := range chosen {
		what := p.Name + " " + p.Version + " " + f.Path
		if !r.dryRun {
			if err := c.DeleteFile(ctx, gone.Project, p.ID, f); err != nil {
				return fmt.Errorf("%s: %w", what, advise(err, gone.Project))
			}
		}
		gone.Files = append(gone.Files, f.Path)
		if err := r.tell(what); err != nil {
			return err
		}
	}
	return nil
}

// tell says at once what is gone, to people.
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
	_, err := fmt.Fprintln(r.env.Stdout, what)
	return err
}

// chooseFiles takes the files that are named or match, or all where nothing is
// wanted in particular. What matches nothing is an error.
func chooseFiles(files []client.File, wanted []string, of client.Package) (chosen []client.File, err error) {
	used := make([]bool, len(wanted))
	for _, f := range files {
		take := len(wanted) == 0
		for i, w := range wanted {
			matches, err := path.Match(w, f.Path)
			if err != nil {
				return nil, usagef("%s: %w", w, err)
			}
			if matches || w == f.Path {
				take, used[i] = true, true
			}
		}
		if take {
			chosen = append(chosen, f)
		}
	}
	for i, ok := range used {
		if !ok {
			return nil, exitError{fmt.Errorf("%s %s has no file %s; granary show lists those it has", of.Name, of.Version, wanted[i]), exitNotFound}
		}
	}
	if len(chosen) == 0 {
		return nil, exitError{fmt.Errorf("%s %s has no files", of.Name, of.Version), exitNotFound}
	}
	return chosen, nil
}
