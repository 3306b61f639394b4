package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
	"granary/internal/wire"
)

func newDu(env Env) *cobra.Command {
	d := &du{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "du [PLACE]",
		Short: "Show what fills a project, a group or the server",
		Long: "Show what a project or group keeps, and what is below it, the largest first: bytes of all\n" +
			"files, whoever else has the same ones, with those that were removed and wait to be purged.\n" +
			"Without a PLACE it shows the whole server, to administrators. It takes the role Reporter\n" +
			"in the PLACE. Of each place the 100 largest parts are shown, and the rest as one line.",
		Example: "  granary du acme\n  granary du --depth 3 acme\n  granary du --json acme/tools",
		Args:    arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return d.run(ctx, args)
		},
	}
	d.addFlags(cmd)
	d.complete(cmd, aProject)
	f := cmd.Flags()
	f.IntVar(&d.depth, "depth", 2, "how many levels below the PLACE are shown")
	f.BoolVar(&d.json, "json", false, "print the tree as JSON")
	return cmd
}

type du struct {
	connection
	depth int
	json  bool
}

// kept is a place or package with its parts, as du prints it.
type kept struct {
	Kind  string `json:"kind"` // "server", "group", "user", "project", "package", or "others" for parts that are not told
	Path  string `json:"path,omitempty"`
	Bytes int64  `json:"bytes"`
	// Files and Trashed are not known of packages.
	Files    *int64 `json:"files,omitempty"`
	Versions int64  `json:"versions"`
	Trashed  *int64 `json:"trashed_bytes,omitempty"`
	Parts    []kept `json:"parts,omitempty"`
}

func (d *du) run(ctx context.Context, args []string) error {
	if d.depth < 0 {
		return usagef("--depth is %d: want 0 or more", d.depth)
	}
	c, err := d.client()
	if err != nil {
		return err
	}
	place := ""
	if len(args) > 0 {
		if place, err = d.project(args[0]); err != nil {
			return err
		}
	}
	all, err := d.find(ctx, c, place)
	if err != nil {
		return advise(err, place)
	}
	if d.json {
		return printJSON(d.env, all)
	}
	return table(d.env, func(out *printer) {
		d.heads(out, "SIZE", "TRASH", "VERSIONS", "PLACE")
		all.print(out, 0)
	})
}

// find looks a place up: a project if it may be one, else a group. A path with a slash may be
// either.
func (d *du) find(ctx context.Context, c *client.Client, place string) (kept, error) {
	if place == "" {
		s, err := c.InstanceStorage(ctx)
		if err != nil {
			return kept{}, err
		}
		return d.tree(ctx, c, keptBy("server", c.Server(), s), s, d.depth)
	}
	if strings.Contains(place, "/") || !strings.ContainsFunc(place, func(r rune) bool { return r < '0' || r > '9' }) {
		s, err := c.ProjectStorage(ctx, place)
		if err == nil {
			return d.tree(ctx, c, keptBy("project", place, s), s, d.depth)
		}
		if client.KindOf(err) != client.NotFound {
			return kept{}, err
		}
	}
	s, err := c.GroupStorage(ctx, place)
	if client.KindOf(err) == client.NotFound {
		err = fmt.Errorf("there is no project or group %s that this token can see: %w", place, err)
	}
	if err != nil {
		return kept{}, err
	}
	return d.tree(ctx, c, keptBy("group", place, s), s, d.depth)
}

func keptBy(kind, path string, s client.Storage) kept {
	return kept{Kind: kind, Path: path, Bytes: s.Bytes, Files: &s.Files, Versions: s.Versions, Trashed: &s.Trashed.Bytes}
}

// tree adds the parts of a place, with so many levels. What the parts do not have are others.
func (d *du) tree(ctx context.Context, c *client.Client, of kept, s client.Storage, depth int) (kept, error) {
	if depth == 0 {
		return of, nil
	}
	others := kept{Kind: "others", Bytes: of.Bytes, Versions: of.Versions}
	for _, p := range s.Parts {
		part, err := d.part(ctx, c, p, depth-1)
		if err != nil {
			return of, err
		}
		of.Parts = append(of.Parts, part)
		others.Bytes, others.Versions = others.Bytes-p.Bytes, others.Versions-p.Versions
	}
	if others.Bytes > 0 {
		others.Versions = max(others.Versions, 0)
		of.Parts = append(of.Parts, others)
	}
	return of, nil
}

// part is a part with its own parts. Nobody but its owner sees into a user's own namespace, and
// a place may be deleted meanwhile: then it is shown without them.
func (d *du) part(ctx context.Context, c *client.Client, p wire.StoragePart, depth int) (kept, error) {
	part := kept{Kind: p.Kind, Path: p.Path, Bytes: p.Bytes, Files: p.Files, Versions: p.Versions}
	if p.Trashed != nil {
		part.Trashed = &p.Trashed.Bytes
	}
	look := c.GroupStorage
	switch {
	case p.Kind == "project":
		look = c.ProjectStorage
	case p.Kind != "group":
		return part, nil
	}
	if depth == 0 {
		return part, nil
	}
	s, err := look(ctx, fmt.Sprint(p.ID))
	if client.KindOf(err) == client.NotFound {
		return part, nil
	}
	if err != nil {
		return part, err
	}
	return d.tree(ctx, c, part, s, depth)
}

// print is a line of the place, and those of its parts, deeper.
func (k kept) print(out *printer, depth int) {
	trash, path := "-", k.Path
	if k.Trashed != nil && *k.Trashed > 0 {
		trash = formatBytes(*k.Trashed)
	}
	if k.Kind == "others" {
		path = "(others, and what is not listed)"
	}
	out.printf("%s\t%s\t%d\t%s\n", formatBytes(k.Bytes), trash, k.Versions, strings.Repeat("  ", depth)+path)
	for _, part := range k.Parts {
		part.print(out, depth+1)
	}
}
