package cli

import (
	"context"

	"github.com/spf13/cobra"

	"granary/internal/daemon"
	"granary/internal/wire"
)

func (a *admin) signInLink() *cobra.Command {
	var user string
	cmd := a.open("sign-in-link", "Print a link that signs a user in on the web pages", 0,
		func(ctx context.Context, d *daemon.Admin, _ []string) error {
			if err := d.Login(ctx); err != nil {
				return err
			}
			link, expires, err := d.SignInLink(ctx, user)
			if err != nil {
				return err
			}
			return a.print(wire.SignInLink{URL: link, ExpiresAt: wire.Time(expires)}, func(out *printer) { out.printf("%s\n", link) })
		})
	cmd.Long = "Print a link that signs a user in on the web pages. It works once, for an hour: give it\n" +
		"to nobody else. The session lasts 30 days at most.\n\n" + adminHelp
	cmd.Flags().StringVar(&user, "user", "root", "the `user`, by name or id")
	return cmd
}
