package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/client"
	"granary/internal/daemon"
	"granary/internal/wire"
)

func (a *admin) userList() *cobra.Command {
	return a.command("list", "List the users", 0, func(ctx context.Context, _ []string) error {
		found, err := client.List[wire.User](ctx, a.client, "/users", url.Values{"order_by": {"id"}, "sort": {"asc"}})
		if err != nil {
			return err
		}
		return a.printUsers(found, found...)
	})
}

func (a *admin) userCreate() *cobra.Command {
	var name, email string
	var administrator bool
	cmd := a.command("create USERNAME --email ADDRESS", "Make a user", 1, func(ctx context.Context, args []string) error {
		if email == "" {
			return usagef("the user's address is missing; want --email ADDRESS")
		}
		form := url.Values{
			"username": {args[0]}, "name": {name}, "email": {email}, "admin": {strconv.FormatBool(administrator)},
			"force_random_password": {"true"}, // the API requires it, though there are no passwords
		}
		if name == "" {
			form.Set("name", args[0])
		}
		var made wire.User
		if err := a.call(ctx, http.MethodPost, "/users", form, &made); err != nil {
			return err
		}
		return a.printUsers(made, made)
	})
	cmd.Flags().StringVar(&name, "name", "", "the user's full `name` (default: the user name)")
	cmd.Flags().StringVar(&email, "email", "", "the user's `address`")
	cmd.Flags().BoolVar(&administrator, "admin", false, "make the user an administrator")
	return cmd
}

func (a *admin) userBlock(blocked bool) *cobra.Command {
	verb, short := "unblock", "Unblock a user"
	if blocked {
		verb, short = "block", "Block a user: the server refuses all the user's tokens"
	}
	return a.command(verb+" USER", short, 1, func(ctx context.Context, args []string) error {
		u, err := a.user(ctx, args[0])
		if err != nil {
			return err
		}
		if err := a.call(ctx, http.MethodPost, byID("users", u.ID)+"/"+verb, nil, nil); err != nil {
			return err
		}
		if u, err = a.user(ctx, strconv.FormatInt(u.ID, 10)); err != nil {
			return err
		}
		return a.printUsers(u, u)
	})
}

// user finds a user by id or user name.
func (a *admin) user(ctx context.Context, ref string) (wire.User, error) {
	if _, err := strconv.ParseInt(ref, 10, 64); err == nil {
		var u wire.User
		err := a.call(ctx, http.MethodGet, named("users", ref), nil, &u)
		if client.KindOf(err) == client.NotFound {
			err = noSuch("user", ref)
		}
		return u, err
	}
	found, err := client.List[wire.User](ctx, a.client, "/users", url.Values{"username": {ref}})
	if err == nil && (len(found) != 1 || ref == "") {
		err = noSuch("user", ref)
	}
	if err != nil {
		return wire.User{}, err
	}
	return found[0], nil
}

func (a *admin) printUsers(result any, users ...wire.User) error {
	return a.print(result, func(out *printer) {
		for _, u := range users {
			what := "user"
			if u.IsAdmin != nil && *u.IsAdmin {
				what = "administrator"
			}
			out.printf("%d\t%s\t%s\t%s\t%s\t%s\n", u.ID, u.Username, what, u.State, u.Email, u.Name)
		}
	})
}

func (a *admin) tokenList() *cobra.Command {
	var of string
	cmd := a.command("list", "List personal access tokens, expired and revoked ones too", 0, func(ctx context.Context, _ []string) error {
		query := url.Values{}
		if of != "" {
			u, err := a.user(ctx, of)
			if err != nil {
				return err
			}
			query.Set("user_id", strconv.FormatInt(u.ID, 10))
		}
		found, err := client.List[wire.PersonalAccessToken](ctx, a.client, "/personal_access_tokens", query)
		if err != nil {
			return err
		}
		return a.print(found, func(out *printer) {
			for _, t := range found {
				out.printf("%d\tuser %d\t%s\t%s\t%s\t%s\n", t.ID, t.UserID, tokenState(t), tokenEnd(t), strings.Join(t.Scopes, ","), t.Name)
			}
		})
	})
	cmd.Flags().StringVar(&of, "user", "", "only those of this `user`, by name or id")
	return cmd
}

func tokenState(t wire.PersonalAccessToken) string {
	switch {
	case t.Revoked:
		return "revoked"
	case t.Active:
		return "active"
	}
	return "expired"
}

func tokenEnd(t wire.PersonalAccessToken) string {
	if t.ExpiresAt == nil {
		return "never"
	}
	return *t.ExpiresAt
}

func (a *admin) tokenCreate() *cobra.Command {
	var of, name, expires string
	var scopes []string
	cmd := a.command("create --user USER --name NAME", "Create a personal access token for a user, and print it; it is shown only once", 0,
		func(ctx context.Context, _ []string) error {
			if of == "" || name == "" {
				return usagef("the user or the token's name is missing; want --user USER --name NAME")
			}
			if err := checkExpires(expires); err != nil {
				return err
			}
			u, err := a.user(ctx, of)
			if err != nil {
				return err
			}
			form := given(url.Values{"name": {name}, "scopes[]": scopes, "expires_at": {expires}})
			var made wire.PersonalAccessToken
			if err := a.call(ctx, http.MethodPost, byID("users", u.ID)+"/personal_access_tokens", form, &made); err != nil {
				return err
			}
			return a.print(made, func(out *printer) { out.printf("%s\n", made.Token) })
		})
	cmd.Flags().StringVar(&of, "user", "", "the `user`, by name or id")
	cmd.Flags().StringVar(&name, "name", "", "a `name` that says what the token is for")
	cmd.Flags().StringSliceVar(&scopes, "scopes", []string{"api"}, "the token's `scopes`, such as api, read_api")
	cmd.Flags().StringVar(&expires, "expires", "", "the first `day` on which it is no longer valid, such as 2030-12-31 (default: it does not expire)")
	return cmd
}

// checkExpires looks at the day of --expires, "" for none, before anything is asked. A
// day that has begun would make a token that is expired already.
func checkExpires(day string) error {
	end, err := time.Parse(wire.DateLayout, day)
	switch {
	case day == "":
		return nil
	case err != nil:
		return usagef("--expires is %q: want a day such as 2030-12-31", day)
	case !end.After(time.Now()):
		return usagef("--expires is %q: want a day after today", day)
	}
	return nil
}

func (a *admin) tokenRevoke() *cobra.Command {
	return a.command("revoke ID", "Revoke a personal access token; granary admin token list shows the ids", 1, func(ctx context.Context, args []string) error {
		if _, err := strconv.ParseInt(args[0], 10, 64); err != nil {
			return usagef("the token is %q: want its id, a number", args[0])
		}
		return a.call(ctx, http.MethodDelete, named("personal_access_tokens", args[0]), nil, nil)
	})
}

func (a *admin) resetRoot() *cobra.Command {
	cmd := a.open("reset-root", "Give the administrator root a new token, and print it; it is shown only once", 0,
		func(ctx context.Context, d *daemon.Admin, _ []string) error {
			secret, file, err := d.ResetRoot(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.env.Stderr, "granary: the older personal access tokens of root are revoked; the new one is in %s\n", file)
			return a.print(map[string]string{"token": secret}, func(out *printer) { out.printf("%s\n", secret) })
		})
	cmd.Long = "Give the administrator root a new token, print it once, and write it to\n" +
		"initial_root_token in the data directory. Afterwards the account exists, is an\n" +
		"administrator and not blocked, and its older personal access tokens are revoked.\n\n" + adminHelp
	return cmd
}
