package cli

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
	"granary/internal/wire"
)

func (a *admin) groupList() *cobra.Command {
	return a.command("list", "List the groups", 0, func(ctx context.Context, _ []string) error {
		found, err := client.List[wire.Group](ctx, a.client, "/groups", nil)
		if err != nil {
			return err
		}
		return a.printGroups(found, found...)
	})
}

func (a *admin) groupCreate() *cobra.Command {
	var name, visibility string
	cmd := a.command("create PATH", "Create a group at the top level, or in another group as parent/path", 1, func(ctx context.Context, args []string) error {
		form := given(url.Values{"path": {path.Base(args[0])}, "name": {name}, "visibility": {visibility}})
		if name == "" {
			form.Set("name", path.Base(args[0]))
		}
		if above, _, nested := cutPath(args[0]); nested {
			parent, err := a.group(ctx, above)
			if err != nil {
				return err
			}
			form.Set("parent_id", strconv.FormatInt(parent.ID, 10))
		}
		var made wire.Group
		if err := a.call(ctx, http.MethodPost, "/groups", form, &made); err != nil {
			return err
		}
		return a.printGroups(made, made)
	})
	placeFlags(cmd, &name, &visibility)
	return cmd
}

func placeFlags(cmd *cobra.Command, name, visibility *string) {
	cmd.Flags().StringVar(name, "name", "", "its `name` (default: the last part of the path)")
	cmd.Flags().StringVar(visibility, "visibility", "", "its `visibility`: private (the default), internal or public")
}

// cutPath splits a full path before its last word.
func cutPath(full string) (above, last string, nested bool) {
	i := strings.LastIndex(full, "/")
	if i < 0 {
		return "", full, false
	}
	return full[:i], full[i+1:], true
}

func (a *admin) group(ctx context.Context, ref string) (wire.Group, error) {
	var g wire.Group
	err := a.call(ctx, http.MethodGet, named("groups", ref)+"?with_projects=false", nil, &g)
	if client.KindOf(err) == client.NotFound {
		err = noSuch("group", ref)
	}
	return g, err
}

func (a *admin) printGroups(result any, groups ...wire.Group) error {
	return a.print(result, func(out *printer) {
		for _, g := range groups {
			out.printf("%d\t%s\t%s\t%s\n", g.ID, g.FullPath, g.Visibility, g.Name)
		}
	})
}

func (a *admin) projectList() *cobra.Command {
	return a.command("list", "List the projects", 0, func(ctx context.Context, _ []string) error {
		found, err := client.List[wire.Project](ctx, a.client, "/projects", url.Values{"order_by": {"id"}, "sort": {"asc"}})
		if err != nil {
			return err
		}
		return a.printProjects(found, found...)
	})
}

func (a *admin) projectCreate() *cobra.Command {
	var name, visibility string
	cmd := a.command("create PATH", "Create a project in a group as group/path, or in a user's own namespace as user/path", 1,
		func(ctx context.Context, args []string) error {
			above, last, nested := cutPath(args[0])
			if !nested {
				return usagef("the project is %q: want group/path or user/path", args[0])
			}
			namespace, err := a.namespace(ctx, above)
			if err != nil {
				return err
			}
			form := given(url.Values{
				"path": {last}, "name": {name}, "visibility": {visibility}, "namespace_id": {strconv.FormatInt(namespace, 10)},
			})
			var made wire.Project
			if err := a.call(ctx, http.MethodPost, "/projects", form, &made); err != nil {
				return err
			}
			return a.printProjects(made, made)
		})
	placeFlags(cmd, &name, &visibility)
	return cmd
}

// namespace is the id of a group, or of a user's own namespace.
func (a *admin) namespace(ctx context.Context, ref string) (int64, error) {
	g, err := a.group(ctx, ref)
	if exitCode(err) != exitNotFound {
		return g.ID, err
	}
	u, err := a.user(ctx, ref)
	if exitCode(err) == exitNotFound {
		err = noSuch("group or user", ref)
	}
	return u.NamespaceID, err
}

func (a *admin) projectArchive(archived bool) *cobra.Command {
	verb, short := "unarchive", "Make an archived project writable again"
	if archived {
		verb, short = "archive", "Make a project read-only"
	}
	return a.command(verb+" PROJECT", short, 1, func(ctx context.Context, args []string) error {
		p, err := a.project(ctx, args[0])
		if err != nil {
			return err
		}
		if err := a.call(ctx, http.MethodPost, byID("projects", p.ID)+"/"+verb, nil, &p); err != nil {
			return err
		}
		return a.printProjects(p, p)
	})
}

func (a *admin) projectDelete() *cobra.Command {
	return a.command("delete PROJECT", "Delete a project with all its packages, at once and for good", 1, func(ctx context.Context, args []string) error {
		p, err := a.project(ctx, args[0])
		if err != nil {
			return err
		}
		return a.call(ctx, http.MethodDelete, byID("projects", p.ID), nil, nil)
	})
}

// project finds a project by id or full path, an older one too.
func (a *admin) project(ctx context.Context, ref string) (wire.Project, error) {
	p, err := a.client.Project(ctx, ref)
	if client.KindOf(err) == client.NotFound {
		err = noSuch("project", ref)
	}
	return p, err
}

func (a *admin) printProjects(result any, projects ...wire.Project) error {
	return a.print(result, func(out *printer) {
		for _, p := range projects {
			state := "active"
			if p.Archived {
				state = "archived"
			}
			out.printf("%d\t%s\t%s\t%s\t%s\n", p.ID, p.PathWithNamespace, p.Visibility, state, p.Name)
		}
	})
}
