package cli

import (
	"context"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"granary/internal/wire"
)

func (a *admin) userSet() *cobra.Command {
	settings := []struct{ flag, attribute, usage string }{
		{"name", "name", "the full `name`"},
		{"username", "username", "another `user name`; the user's own namespace and its projects move to it, and old paths redirect"},
		{"email", "email", "the `address`"},
		{"admin", "admin", "`whether` the user is an administrator: true or false"},
		{"external", "external", "`whether` the user is external: true or false"},
		{"projects-limit", "projects_limit", "the largest `number` of projects in the user's own namespace"},
	}
	var flags *pflag.FlagSet
	cmd := a.command("set USER", "Change a user", 1, func(ctx context.Context, args []string) error {
		form := url.Values{}
		for _, s := range settings {
			if flag := flags.Lookup(s.flag); flag.Changed {
				form.Set(s.attribute, flag.Value.String())
			}
		}
		if len(form) == 0 {
			return usagef("there is nothing to set: want one of the flags, such as --email")
		}
		u, err := a.user(ctx, args[0])
		if err != nil {
			return err
		}
		var changed wire.User
		if err := a.call(ctx, http.MethodPut, byID("users", u.ID), form, &changed); err != nil {
			return err
		}
		return a.printUsers(changed, changed)
	})
	flags = cmd.Flags()
	for _, s := range settings {
		flags.String(s.flag, "", s.usage)
	}
	return cmd
}

func (a *admin) userDelete() *cobra.Command {
	var withProjects bool
	cmd := a.command("delete USER", "Delete a user; packages that the user published in groups stay", 1, func(ctx context.Context, args []string) error {
		u, err := a.user(ctx, args[0])
		if err != nil {
			return err
		}
		path := byID("users", u.ID)
		if withProjects {
			path += "?hard_delete=true"
		}
		return a.call(ctx, http.MethodDelete, path, nil, nil)
	})
	cmd.Flags().BoolVar(&withProjects, "with-projects", false, "delete the projects in the user's own namespace, too, with all their packages, at once and for good")
	return cmd
}
