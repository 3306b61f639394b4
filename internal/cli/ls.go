package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

func newLs(env Env) *cobra.Command {
	l := &ls{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "ls [PROJECT [NAME[@VERSION]]]",
		Short: "List projects, packages, or the versions of a package",
		Long: "List the projects you are a member of, the packages of a project, or the versions\n" +
			"of one package (those in a range, with NAME@VERSION or NAME VERSION): semantic\n" +
			"versions in their order, the highest last. Behind a version of granary's ls shows its\n" +
			"channels, and whether it is final, yanked or deprecated. With --draft it lists drafts that\n" +
			"you may publish; other lists do not show them. On a terminal the columns have headings.\n" +
			"--long shows the number and size of each version's files, with one more request for\n" +
			"each version, because lists of packages have no sizes.",
		Example: "  granary ls\n  granary ls acme/tools\n  granary ls --long acme/tools firmware@^1.4",
		Args:    packageArguments(0, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return l.run(ctx, args)
		},
	}
	l.addFlags(cmd)
	l.complete(cmd, aProject, aPackage)
	f := cmd.Flags()
	f.BoolVarP(&l.long, "long", "l", false, "show the number of files of each version, and their size")
	f.BoolVar(&l.draft, "draft", false, "list drafts")
	f.BoolVar(&l.pre, "pre", false, "include pre-releases in a range")
	f.BoolVar(&l.json, "json", false, "print the list as JSON")
	return cmd
}

type ls struct {
	connection
	long, draft, pre, json bool
}

func (l *ls) run(ctx context.Context, args []string) error {
	c, err := l.client()
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return advise(l.projects(ctx, c), "the list of projects")
	}
	project, err := l.project(args[0])
	if err != nil {
		return err
	}
	name, version := "", ""
	if len(args) > 1 {
		var rest []string
		if name, version, rest = versioned(args[1:]); len(rest) > 0 {
			return twoVersions(name, version, rest[0])
		}
	}
	return advise(l.packages(ctx, c, project, name, version), project)
}

func (l *ls) projects(ctx context.Context, c *client.Client) error {
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
	if l.json {
		return printJSON(l.env, rows)
	}
	if len(rows) == 0 {
		l.nothing("you are a member of no project on %s", c.Server())
		return nil
	}
	return table(l.env, func(out *printer) {
		l.heads(out, "PROJECT", "VISIBILITY")
		for _, r := range rows {
			out.printf("%s\t%s\n", r.Path, r.Visibility)
		}
	})
}

// nothing says on standard error that a list is empty: a program reads an empty list.
func (l *ls) nothing(format string, args ...any) {
	if !l.quiet {
		l.env.notice(format, args...)
	}
}

// heads are for people: programs have always read lists without.
func (o *connection) heads(out *printer, columns ...string) {
	if _, ok := terminal(o.env.Stdout); !ok {
		return
	}
	last := len(columns) - 1
	for _, c := range columns[:last] {
		out.printf("%s\t", c)
	}
	out.printf("%s\n", columns[last])
}

// listedPackage is a package as ls and show print it.
type listedPackage struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	WebURL    string    `json:"web_url,omitempty"`

	Final       bool     `json:"final,omitempty"`
	Yanked      bool     `json:"yanked,omitempty"`
	YankReason  string   `json:"yank_reason,omitempty"`
	Deprecation string   `json:"deprecated,omitempty"`
	Channels    []string `json:"channels,omitempty"`
}

func listed(p client.Package) listedPackage { return listedPackage(p) }

// longPackage is a package as ls --long prints it as JSON.
type longPackage struct {
	listedPackage
	Files int   `json:"files"`
	Size  int64 `json:"size"` // bytes
}

// find lists all packages, or those of a name with their marks. Only the list of all
// packages has the addresses of pages, which JSON shows.
func (l *ls) find(ctx context.Context, c *client.Client, project, name string) ([]client.Package, error) {
	if l.draft {
		return c.Drafts(ctx, project, name)
	}
	if name == "" {
		return c.Packages(ctx, project, "", "")
	}
	found, err := c.Versions(ctx, project, name)
	if err != nil || !l.json || len(found) == 0 || found[0].WebURL != "" {
		return found, err
	}
	pages := map[int64]string{}
	paged, err := c.Packages(ctx, project, name, "")
	for _, p := range paged {
		pages[p.ID] = p.WebURL
	}
	for i := range found {
		found[i].WebURL = pages[found[i].ID]
	}
	return found, err
}

// marks says what a list shows behind a version: its channels, and why not to use it.
func (p listedPackage) marks() string {
	var marks []string
	for _, channel := range p.Channels {
		marks = append(marks, "@"+channel)
	}
	if p.Yanked {
		marks = append(marks, strings.TrimSuffix("yanked: "+p.YankReason, ": "))
	}
	if p.Status == "deprecated" {
		marks = append(marks, strings.TrimSuffix("deprecated: "+p.Deprecation, ": "))
	}
	return strings.Join(marks, ", ")
}

// row ends the line of a version; that it is final, and marks, are a last column.
func (p listedPackage) row(out *printer) {
	out.printf("%s", formatTime(p.CreatedAt))
	marks := p.marks()
	if p.Final {
		marks = strings.TrimSuffix("final, "+marks, ", ")
	}
	if marks != "" {
		out.printf("\t%s", marks)
	}
	out.printf("\n")
}

func (l *ls) packages(ctx context.Context, c *client.Client, project, name, version string) error {
	found, err := l.find(ctx, c, project, name)
	if err != nil {
		return err
	}
	if l.draft && len(found) == 0 && !l.json {
		l.nothing("%s has no drafts that this token may publish", project)
		return nil
	}
	if name != "" && len(found) == 0 && !l.draft {
		return exitError{fmt.Errorf("%s has no package %s", project, name), exitNotFound}
	}
	if found, err = client.Choose(found, version, l.pre); err != nil {
		return fmt.Errorf("%s, package %s: %w", project, name, err)
	}
	if len(found) == 0 && !l.json {
		l.nothing("%s has no packages", project)
		return nil
	}
	if l.long {
		return l.printLong(ctx, c, project, found)
	}
	rows := []listedPackage{}
	for _, p := range found {
		rows = append(rows, listed(p))
	}
	if l.json {
		return printJSON(l.env, rows)
	}
	return table(l.env, func(out *printer) {
		l.heads(out, "NAME", "VERSION", "PUBLISHED")
		for _, r := range rows {
			out.printf("%s\t%s\t", r.Name, r.Version)
			r.row(out)
		}
	})
}

func (l *ls) printLong(ctx context.Context, c *client.Client, project string, found []client.Package) error {
	sizes, err := packageSizes(ctx, c, project, found)
	if err != nil {
		return err
	}
	rows := []longPackage{}
	for i, p := range found {
		rows = append(rows, longPackage{listed(p), sizes[i].files, sizes[i].size})
	}
	if l.json {
		return printJSON(l.env, rows)
	}
	return table(l.env, func(out *printer) {
		l.heads(out, "NAME", "VERSION", "FILES", "SIZE", "PUBLISHED")
		for _, r := range rows {
			out.printf("%s\t%s\t%d\t%s\t", r.Name, r.Version, r.Files, formatBytes(r.Size))
			r.row(out)
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
