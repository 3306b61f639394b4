package cli

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/client"
	"granary/internal/wire"
)

func (a *admin) deployTokenList() *cobra.Command {
	cmd := a.command("list PLACE", "List the deploy tokens of a project or group, expired and revoked ones too", 1, func(ctx context.Context, args []string) error {
		tokens, err := a.below(ctx, args[0], "deploy_tokens")
		if err != nil {
			return err
		}
		found, err := client.List[wire.DeployToken](ctx, a.client, tokens, nil)
		if err != nil {
			return err
		}
		return a.print(found, func(out *printer) {
			for _, t := range found {
				out.printf("%d\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Username, deployTokenState(t), deployTokenEnd(t), strings.Join(t.Scopes, ","), t.Name)
			}
		})
	})
	cmd.Long += deployTokenHelp
	return cmd
}

const deployTokenHelp = "\n\nPLACE is the full path of a project or a group."

func deployTokenState(t wire.DeployToken) string {
	switch {
	case t.Revoked:
		return "revoked"
	case t.Expired:
		return "expired"
	}
	return "active"
}

func deployTokenEnd(t wire.DeployToken) string {
	if t.ExpiresAt == nil {
		return "never"
	}
	return time.Time(*t.ExpiresAt).Format(wire.DateLayout)
}

func (a *admin) deployTokenCreate() *cobra.Command {
	var name, username, expires string
	var scopes []string
	cmd := a.command("create PLACE --name NAME", "Create a deploy token for a project or group, and print it; it is shown only once", 1,
		func(ctx context.Context, args []string) error {
			if name == "" {
				return usagef("the token's name is missing; want --name NAME")
			}
			if err := checkExpires(expires); err != nil {
				return err
			}
			tokens, err := a.below(ctx, args[0], "deploy_tokens")
			if err != nil {
				return err
			}
			form := given(url.Values{"name": {name}, "username": {username}, "scopes[]": scopes, "expires_at": {expires}})
			var made wire.DeployToken
			if err := a.call(ctx, http.MethodPost, tokens, form, &made); err != nil {
				return err
			}
			return a.print(made, func(out *printer) { out.printf("%s\n", made.Token) })
		})
	cmd.Long += deployTokenHelp
	cmd.Flags().StringVar(&name, "name", "", "a `name` that says what the token is for")
	cmd.Flags().StringVar(&username, "username", "", "the `user name` for Basic authentication (default: the server chooses one)")
	cmd.Flags().StringSliceVar(&scopes, "scopes", []string{"read_package_registry"}, "the token's `scopes`: read_package_registry, write_package_registry")
	cmd.Flags().StringVar(&expires, "expires", "", "the first `day` on which it is no longer valid, such as 2030-12-31 (default: it does not expire)")
	return cmd
}

func (a *admin) deployTokenRevoke() *cobra.Command {
	cmd := a.command("revoke PLACE ID", "Revoke a deploy token; granary admin deploy-token list shows the ids", 2, func(ctx context.Context, args []string) error {
		id, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return usagef("the token is %q: want its id, a number", args[1])
		}
		tokens, err := a.below(ctx, args[0], "deploy_tokens")
		if err != nil {
			return err
		}
		return a.call(ctx, http.MethodDelete, tokens+"/"+strconv.FormatInt(id, 10), nil, nil)
	})
	cmd.Long += deployTokenHelp
	return cmd
}
