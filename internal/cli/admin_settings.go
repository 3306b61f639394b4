package cli

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"granary/internal/wire"
)

// top is the word for a new parent of a group that gets none.
const top = "/"

// placeSetting is a setting of a project or group: a flag, and what the API calls it
// and its values. The empty value is null: what is above says.
type placeSetting struct {
	flag, usage, attribute string
	values                 map[string]string
}

func visibilitySetting() placeSetting {
	return placeSetting{"visibility", "its `visibility`: private, internal or public", "visibility",
		map[string]string{"private": "private", "internal": "internal", "public": "public"}}
}

// namesSetting is not --naming, which is the server's here.
func namesSetting() placeSetting {
	return placeSetting{"names", "the `rule` for names: strict, relaxed, or server for the server's setting", "generic_package_naming",
		map[string]string{"strict": "strict", "relaxed": "relaxed", "server": ""}}
}

func duplicatesSetting() placeSetting {
	return placeSetting{"duplicates", "`whether` a file may be published twice: on, off, or inherit from the group above", "generic_duplicates_allowed",
		map[string]string{"on": "true", "off": "false", "inherit": ""}}
}

// draftsSetting is not --drafts, which is the server's here.
func draftsSetting() placeSetting {
	return placeSetting{"draft-mode", "`when` publishing makes a draft: on_request, always, release, job, or server for the server's setting", "generic_package_drafts",
		map[string]string{"on_request": "on_request", "always": "always", "release": "release", "job": "job", "server": ""}}
}

func finalisersSetting() placeSetting {
	return placeSetting{"finalisers", "`who` may make a version final: publishers, maintainers, or people, who are maintainers with a personal token", "generic_package_finalisers",
		map[string]string{"publishers": "publishers", "maintainers": "maintainers", "people": "people"}}
}

// placeSettings adds flags for the settings. The function it returns reads those that
// were given, of which there must be one.
func placeSettings(f *pflag.FlagSet, settings ...placeSetting) func() (url.Values, error) {
	for _, s := range settings {
		f.String(s.flag, "", s.usage)
	}
	return func() (url.Values, error) {
		form, names := url.Values{}, []string{}
		for _, s := range settings {
			names = append(names, "--"+s.flag)
			flag := f.Lookup(s.flag)
			if !flag.Changed {
				continue
			}
			value, known := s.values[flag.Value.String()]
			if !known {
				return nil, usagef("--%s is %q: want %s", s.flag, flag.Value, strings.Join(slices.Sorted(maps.Keys(s.values)), ", "))
			}
			form.Set(s.attribute, value)
		}
		if len(form) == 0 {
			return nil, usagef("there is nothing to set: want one of %s", strings.Join(names, ", "))
		}
		return form, nil
	}
}

func (a *admin) projectSet() *cobra.Command {
	var read func() (url.Values, error)
	cmd := a.command("set PROJECT", "Change the settings of a project", 1, func(ctx context.Context, args []string) error {
		form, err := read()
		if err != nil {
			return err
		}
		return a.changeProject(ctx, args[0], "", form)
	})
	read = placeSettings(cmd.Flags(), visibilitySetting(), namesSetting(), duplicatesSetting(), draftsSetting(), finalisersSetting())
	return cmd
}

func (a *admin) projectTransfer() *cobra.Command {
	return a.command("transfer PROJECT NAMESPACE", "Transfer a project to another group, or to a user's own namespace; the old path redirects", 2,
		func(ctx context.Context, args []string) error {
			namespace, err := a.namespace(ctx, args[1])
			if err != nil {
				return err
			}
			return a.changeProject(ctx, args[0], "/transfer", url.Values{"namespace": {strconv.FormatInt(namespace, 10)}})
		})
}

// changeProject puts a form to a project, and shows what it is then.
func (a *admin) changeProject(ctx context.Context, ref, at string, form url.Values) error {
	p, err := a.project(ctx, ref)
	if err != nil {
		return err
	}
	if err := a.call(ctx, http.MethodPut, byID("projects", p.ID)+at, form, &p); err != nil {
		return err
	}
	return a.printProjects(p, p)
}

func (a *admin) groupSet() *cobra.Command {
	var read func() (url.Values, error)
	cmd := a.command("set GROUP", "Change the settings of a group", 1, func(ctx context.Context, args []string) error {
		form, err := read()
		if err != nil {
			return err
		}
		return a.changeGroup(ctx, args[0], http.MethodPut, "", form)
	})
	read = placeSettings(cmd.Flags(), visibilitySetting(), duplicatesSetting())
	return cmd
}

func (a *admin) groupTransfer() *cobra.Command {
	return a.command("transfer GROUP PARENT", "Transfer a group with everything in it to another group, or with "+top+" to the top", 2,
		func(ctx context.Context, args []string) error {
			form := url.Values{}
			if args[1] != top {
				parent, err := a.group(ctx, args[1])
				if err != nil {
					return err
				}
				form.Set("group_id", strconv.FormatInt(parent.ID, 10))
			}
			return a.changeGroup(ctx, args[0], http.MethodPost, "/transfer", form)
		})
}

// changeGroup sends a form to a group, and shows what it is then.
func (a *admin) changeGroup(ctx context.Context, ref, method, at string, form url.Values) error {
	g, err := a.group(ctx, ref)
	if err != nil {
		return err
	}
	var changed wire.Group
	if err := a.call(ctx, method, byID("groups", g.ID)+at, form, &changed); err != nil {
		return err
	}
	return a.printGroups(changed, changed)
}

func (a *admin) groupDelete() *cobra.Command {
	return a.command("delete GROUP", "Delete a group with all its subgroups, projects and packages, at once and for good", 1,
		func(ctx context.Context, args []string) error {
			g, err := a.group(ctx, args[0])
			if err != nil {
				return err
			}
			return a.call(ctx, http.MethodDelete, byID("groups", g.ID), nil, nil)
		})
}
