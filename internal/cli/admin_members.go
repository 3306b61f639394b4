package cli

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
	"granary/internal/wire"
)

const placeHelp = "\n\nPLACE is the full path of a project or a group; ROLE is guest, planner, reporter,\ndeveloper, maintainer or owner."

func (a *admin) memberList() *cobra.Command {
	var inherited bool
	cmd := a.command("list PLACE", "List the members of a project or group", 1, func(ctx context.Context, args []string) error {
		members, err := a.below(ctx, args[0], "members")
		if err != nil {
			return err
		}
		if inherited {
			members += "/all"
		}
		found, err := client.List[wire.Member](ctx, a.client, members, nil)
		if err != nil {
			return err
		}
		return a.printMembers(found, found...)
	})
	cmd.Long += placeHelp
	cmd.Flags().BoolVar(&inherited, "inherited", false, "include members of the groups above")
	return cmd
}

func (a *admin) memberAdd() *cobra.Command {
	return a.grant("add", "Make a user a member of a project or group", func(members string, u wire.User, form url.Values) (string, string) {
		form.Set("user_id", strconv.FormatInt(u.ID, 10))
		return http.MethodPost, members
	})
}

func (a *admin) memberSet() *cobra.Command {
	return a.grant("set", "Change a member's role, and set or remove the end of the membership", func(members string, u wire.User, form url.Values) (string, string) {
		if !form.Has("expires_at") {
			form.Set("expires_at", "")
		}
		return http.MethodPut, members + "/" + strconv.FormatInt(u.ID, 10)
	})
}

// grant is a command that gives a user a role; how says by which call.
func (a *admin) grant(verb, short string, how func(members string, u wire.User, form url.Values) (method, path string)) *cobra.Command {
	var expires string
	cmd := a.command(verb+" PLACE USER ROLE", short, 3, func(ctx context.Context, args []string) error {
		level, known := roles()[strings.ToLower(args[2])]
		if !known {
			return usagef("the role is %q: want %s", args[2], strings.Join(slices.Sorted(maps.Keys(roles())), ", "))
		}
		if err := checkExpires(expires); err != nil {
			return err
		}
		members, err := a.below(ctx, args[0], "members")
		if err != nil {
			return err
		}
		u, err := a.user(ctx, args[1])
		if err != nil {
			return err
		}
		form := given(url.Values{"access_level": {strconv.Itoa(level)}, "expires_at": {expires}})
		method, path := how(members, u, form)
		var m wire.Member
		if err := a.call(ctx, method, path, form, &m); err != nil {
			return notMember(err, u, args[0])
		}
		return a.printMembers(m, m)
	})
	cmd.Long += placeHelp
	cmd.Flags().StringVar(&expires, "expires", "", "the `day` on which the membership ends, such as 2030-12-31")
	return cmd
}

func (a *admin) memberRemove() *cobra.Command {
	cmd := a.command("remove PLACE USER", "End a user's direct membership of a project or group", 2, func(ctx context.Context, args []string) error {
		members, err := a.below(ctx, args[0], "members")
		if err != nil {
			return err
		}
		u, err := a.user(ctx, args[1])
		if err != nil {
			return err
		}
		err = a.call(ctx, http.MethodDelete, members+"/"+strconv.FormatInt(u.ID, 10), nil, nil)
		return notMember(err, u, args[0])
	})
	cmd.Long += placeHelp
	return cmd
}

func notMember(err error, u wire.User, place string) error {
	if client.KindOf(err) == client.NotFound {
		return exitError{fmt.Errorf("%s is not a direct member of %s", u.Username, place), exitNotFound}
	}
	return err
}

// below is the API's path of a project's or group's things, such as its members. An id
// could be that of either.
func (a *admin) below(ctx context.Context, place, things string) (string, error) {
	if _, err := strconv.ParseInt(place, 10, 64); err == nil {
		return "", usagef("the path is %q: want the full path of a project or group", place)
	}
	p, err := a.project(ctx, place)
	if exitCode(err) != exitNotFound {
		return byID("projects", p.ID) + "/" + things, err
	}
	g, err := a.group(ctx, place)
	if exitCode(err) == exitNotFound {
		err = noSuch("project or group", place)
	}
	return byID("groups", g.ID) + "/" + things, err
}

// roles are GitLab's numbers by name.
func roles() map[string]int {
	return map[string]int{"guest": 10, "planner": 15, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}
}

func roleName(level int) string {
	for name, n := range roles() {
		if n == level {
			return name
		}
	}
	return strconv.Itoa(level)
}

func (a *admin) printMembers(result any, members ...wire.Member) error {
	return a.print(result, func(out *printer) {
		for _, m := range members {
			end := "for good"
			if m.ExpiresAt != nil {
				end = "until " + *m.ExpiresAt
			}
			out.printf("%s\t%s\t%s\t%s\n", m.Username, roleName(m.AccessLevel), end, m.Name)
		}
	})
}
