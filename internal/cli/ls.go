package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

func newLs(env Env) *cobra.Command {
	o := &connection{env: env}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls [PROJECT [NAME]]",
		Short: "List projects, packages, or the versions of a package",
		Long: "List the projects you are a member of, the packages of a project, or the versions\n" +
			"of one package: semantic versions in their order, the highest last.",
		Example: "  granary ls\n  granary ls acme/tools\n  granary ls acme/tools firmware",
		Args:    arguments(0, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			c, err := o.client()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return advise(listProjects(ctx, env, c, asJSON), "the list of projects")
			}
			project, err := o.project(args[0])
			if err != nil {
				return err
			}
			name := ""
			if len(args) > 1 {
				name = args[1]
			}
			return advise(listPackages(ctx, env, c, project, name, asJSON), project)
		},
	}
	o.addFlags(cmd)
	o.complete(cmd, aProject, aName)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	return cmd
}

func listProjects(ctx context.Context, env Env, c *client.Client, asJSON bool) error {
	found, err := c.Projects(ctx, "")
	if err != nil {
		return err
	}
	type row struct {
		ID         int64  `json:"id"`
		Path       string `json:"path"`
		Visibility string `json:"visibility"`
	}
	rows := []row{}
	for _, p := range found {
		rows = append(rows, row{p.ID, p.PathWithNamespace, p.Visibility})
	}
	if asJSON {
		return printJSON(env, rows)
	}
	return table(env, func(out *printer) {
		for _, r := range rows {
			out.printf("%s\t%s\n", r.Path, r.Visibility)
		}
	})
}

// listedPackage is a package as ls and show print it.
type listedPackage struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	WebURL    string    `json:"web_url,omitempty"`
}

func listed(p client.Package) listedPackage { return listedPackage(p) }

func listPackages(ctx context.Context, env Env, c *client.Client, project, name string, asJSON bool) error {
	found, err := c.Packages(ctx, project, name, "")
	if err != nil {
		return err
	}
	if name != "" && len(found) == 0 {
		return exitError{fmt.Errorf("%s has no package %s", project, name), exitNotFound}
	}
	rows := []listedPackage{}
	for _, p := range client.SortVersions(found) {
		rows = append(rows, listed(p))
	}
	if asJSON {
		return printJSON(env, rows)
	}
	return table(env, func(out *printer) {
		for _, r := range rows {
			out.printf("%s\t%s\t%s\n", r.Name, r.Version, formatTime(r.CreatedAt))
		}
	})
}

// formatTime is a moment as tables show it, in UTC.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// table prints rows whose columns end with tabs.
func table(env Env, rows func(*printer)) error {
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	out := &printer{w: w}
	rows(out)
	if out.err != nil {
		return out.err
	}
	return w.Flush()
}
