package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"granary/internal/client"
)

func newLogin(env Env) *cobra.Command {
	l := &login{env: env}
	cmd := &cobra.Command{
		Use:   "login SERVER",
		Short: "Store a token for a server",
		Long: "Ask for a token without showing it (or read a line of standard input), try it on the\n" +
			"server, and store it in the user's configuration directory, readable only by that user.\n" +
			"From then on commands use this server if no other is named. Later logins to other\n" +
			"servers keep this one's token.\n\n" +
			"With --profile, server and token are stored under a name, in addition to all others;\n" +
			"one server may have several profiles. --profile or GRANARY_PROFILE selects one.",
		Example: "  granary login packages.example.com\n  granary login packages.example.com <token-file\n" +
			"  granary login --profile work packages.example.com",
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return l.run(ctx, args[0])
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&l.quiet, "quiet", "q", false, "print errors only")
	f.StringVar(&l.profile, "profile", "", "store it under this `name` (else GRANARY_PROFILE)")
	f.StringVar(&l.caCert, "ca-cert", "", "trust the authorities in this PEM `file`, too (else GRANARY_CA_CERT)")
	return cmd
}

type login struct {
	env             Env
	profile, caCert string
	quiet           bool
}

func (l *login) run(ctx context.Context, server string) error {
	api, err := client.ParseServer(server)
	if err != nil {
		return usageError{err}
	}
	profile := profileName(l.env, l.profile)
	if profile != "" && !isProfileName(profile) {
		return usagef("the profile is %q: want letters, digits, and . - _ within", profile)
	}
	authorities, err := readAuthorities(ctx, l.env, l.caCert)
	if err != nil {
		return err
	}
	if _, err := readLogins(l.env); err != nil { // an error here comes before the prompt
		return err
	}
	token, err := askToken(ctx, l.env, api.Host)
	if err != nil {
		return err
	}
	c, err := l.env.newClient(client.Config{Server: server, Credential: client.TokenOf(token), Authorities: authorities})
	if err != nil {
		return err
	}
	who, err := identify(ctx, c)
	if err != nil {
		return fmt.Errorf("%w\nthe token was not stored", err)
	}
	path, err := updateLogins(l.env, func(stored *logins) error {
		stored.keep(profile, c.API(), token)
		return nil
	})
	if err != nil || l.quiet {
		return err
	}
	if who.Username == "" {
		who.Username = "the bearer of a " + who.Credential
	}
	if profile != "" {
		path += " as " + profile
	}
	_, err = fmt.Fprintf(l.env.Stdout, "logged in to %s as %s; the token is in %s\n", c.Server(), onOneLine(who.Username), path)
	return err
}

// askToken asks on a terminal, without echo, and reads a line elsewhere.
func askToken(ctx context.Context, env Env, host string) (string, error) {
	var text string
	var err error
	if fd, ok := terminal(env.Stdin); ok {
		fmt.Fprintf(env.Stderr, "Token for %s: ", host)
		text, err = readSilently(ctx, fd)
		fmt.Fprintln(env.Stderr)
	} else {
		text, err = orInterrupted(ctx, func() (string, error) {
			return bufio.NewReader(io.LimitReader(env.Stdin, 16<<10)).ReadString('\n')
		})
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if text = strings.TrimSpace(text); err == nil && (text == "" || strings.ContainsAny(text, " \t\x00")) {
		err = usagef("that is not a token")
	}
	return text, err
}

// readSilently reads a line from a terminal without echo. Ctrl-C ends it, and
// leaves the terminal as it was.
func readSilently(ctx context.Context, fd int) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	text, err := orInterrupted(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	if ctx.Err() != nil {
		return "", errors.Join(interruption(ctx), term.Restore(fd, before))
	}
	return string(text), err
}

func newLogout(env Env) *cobra.Command {
	var profile string
	cmd := &cobra.Command{
		Use:   "logout [SERVER]",
		Short: "Forget the token of a server",
		Long: "Forget the stored token of a server, of a profile, or of the last login's server. The\n" +
			"token stays valid on the server: revoke it there if others may know it.",
		Args: arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			_, err := updateLogins(env, func(stored *logins) error {
				switch {
				case len(args) > 0 && profile != "":
					return usagef("want a SERVER or --profile, and these are both")
				case len(args) > 0:
					return stored.forget(args[0])
				case profileName(env, profile) != "":
					return stored.forgetProfile(profileName(env, profile))
				}
				return stored.forgetLast()
			})
			return err
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "", "forget the profile of this `name` (else GRANARY_PROFILE)")
	return cmd
}
