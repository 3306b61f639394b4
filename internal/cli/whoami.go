package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

func newWhoami(env Env) *cobra.Command {
	o := &connection{env: env}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Show which server commands use, and as which user",
		Long:  "Show which server commands use, as which user, and the kind and end of the token.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			c, err := o.client()
			if err != nil {
				return err
			}
			who, err := identify(ctx, c)
			if err != nil {
				return advise(err, c.Server())
			}
			who.Profile = o.usedProfile
			if asJSON {
				return printJSON(env, who)
			}
			return who.print(env)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

// identity is the user and the token of a caller, as the server knows them.
type identity struct {
	Server     string   `json:"server"`
	Profile    string   `json:"profile,omitempty"`
	Version    string   `json:"version,omitempty"`
	Username   string   `json:"username,omitempty"`
	Name       string   `json:"name,omitempty"`
	Admin      bool     `json:"admin,omitempty"`
	Credential string   `json:"credential"` // "access token", "job token", ...
	Token      string   `json:"token_name,omitempty"`
	Scopes     []string `json:"scopes,omitempty"`
	ExpiresAt  string   `json:"expires_at,omitempty"`
	Job        int64    `json:"job_id,omitempty"`
}

// identify asks the server what it knows of the caller. A deploy token it knows
// only when it is used.
func identify(ctx context.Context, c *client.Client) (identity, error) {
	who := identity{Server: c.Server(), Credential: c.Credential().Kind()}
	switch who.Credential {
	case "":
		return who, exitError{nobodyError{c.Server()}, exitRefused}
	case "deploy token":
		return who, nil
	case "job token":
		job, err := c.OwnJob(ctx)
		who.Username, who.Name, who.Job = job.User.Username, job.User.Name, job.ID
		return who, err
	}
	user, err := c.User(ctx)
	if err != nil {
		return who, err
	}
	who.Username, who.Name, who.Admin = user.Username, user.Name, user.IsAdmin != nil && *user.IsAdmin
	if token, err := c.Token(ctx); err == nil { // older servers do not show it
		who.Token, who.Scopes = token.Name, token.Scopes
		if token.ExpiresAt != nil {
			who.ExpiresAt = *token.ExpiresAt
		}
	}
	if m, err := c.Metadata(ctx); err == nil {
		who.Version = "GitLab " + m.Version.Version
		if m.Granary != "" {
			who.Version = "granary " + m.Granary
		}
	}
	return who, nil
}

func (who identity) print(env Env) error {
	return table(env, func(out *printer) {
		row := func(name, value string) {
			if value != "" {
				out.printf("%s\t%s\n", name, value)
			}
		}
		row("server", who.Server)
		row("profile", who.Profile)
		row("version", who.Version)
		user := who.Username
		if who.Admin {
			user += " (administrator)"
		}
		row("user", user)
		row("shown", who.Credential)
		if who.Job != 0 {
			row("job", fmt.Sprint(who.Job))
		}
		row("token", who.Token)
		row("scopes", strings.Join(who.Scopes, ", "))
		row("expires", who.ExpiresAt)
	})
}
