package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"granary/internal/client"
	"granary/internal/config"
	"granary/internal/daemon"
)

const adminHelp = `It opens the database that the server's settings name and acts as the administrator
root. It needs no token, only permission to read and write that database: run it as the
user that the server runs as. The server may be running; it notices changes within a
second. The command creates and migrates no database.

The settings are those of granary serve: its flags (only those that matter here are
shown), GRANARY_* variables and file.`

// admin is what the commands of administration have in common. They are the
// client's calls to the API, answered without a server.
type admin struct {
	env    Env
	json   bool
	client *client.Client
}

func newAdmin(env Env) *cobra.Command {
	a := &admin{env: env}
	cmd := &cobra.Command{
		Use:   "admin",
		Short: "Administer users, groups, projects, members, tokens and flags on the server's machine",
		Long: "Administer users, groups, projects, members, tokens and flags on the server's machine,\n" +
			"without a browser.\n\n" + adminHelp,
	}
	f := cmd.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print the API's answer as JSON")
	config.AddFlags(f)
	f.VisitAll(func(flag *pflag.Flag) {
		flag.Hidden = !slices.Contains([]string{"json", "config", "data-dir", "database"}, flag.Name)
	})
	cmd.AddCommand(
		group("user", "Users", a.userList(), a.userCreate(), a.userSet(), a.userBlock(true), a.userBlock(false), a.userDelete()),
		group("group", "Groups", a.groupList(), a.groupCreate(), a.groupSet(), a.groupTransfer(), a.groupDelete()),
		group("project", "Projects", a.projectList(), a.projectCreate(), a.projectSet(), a.projectTransfer(),
			a.projectArchive(true), a.projectArchive(false), a.projectDelete()),
		group("member", "Members of groups and projects", a.memberList(), a.memberAdd(), a.memberSet(), a.memberRemove()),
		group("token", "Personal access tokens", a.tokenList(), a.tokenCreate(), a.tokenRevoke()),
		group("deploy-token", "Deploy tokens of projects and groups", a.deployTokenList(), a.deployTokenCreate(), a.deployTokenRevoke()),
		group("feature", "Feature flags", a.featureList(), a.featureSet()),
		a.sweep(), a.resetRoot(), a.signInLink())
	asGroup(cmd)
	return cmd
}

// group is a command that only holds others.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short}
	cmd.AddCommand(commands...)
	asGroup(cmd)
	return cmd
}

// command is a command of administration that takes so many arguments. run is
// called with a client that is root.
func (a *admin) command(use, short string, args int, run func(ctx context.Context, args []string) error) *cobra.Command {
	return a.open(use, short, args, func(ctx context.Context, d *daemon.Admin, args []string) error {
		err := d.Login(ctx)
		if err != nil {
			return err
		}
		// The address is never dialled; an answer that says no is not asked for again.
		a.client, err = client.New(client.Config{Server: "http://localhost", Transport: d, Attempts: 1})
		if err != nil {
			return err
		}
		return answered(run(ctx, args), d.Cause())
	})
}

// open is a command that has the database open.
func (a *admin) open(use, short string, args int, run func(ctx context.Context, d *daemon.Admin, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\n" + adminHelp, Args: arguments(args, args),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			cfg, err := loadConfig(cmd, a.env)
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			d, err := daemon.OpenAdmin(ctx, cfg, versionOf(a.env.Version))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.Close()) }()
			return run(ctx, d, args)
		},
	}
}

// answered words a refusal for the command line, with the cause that a server would
// only log.
func answered(err, cause error) error {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	words := e.Message
	if words == "" {
		words = http.StatusText(e.Status)
	}
	if cause != nil {
		return fmt.Errorf("%s: %w", words, cause)
	}
	return exitError{errors.New(words), exitCode(err)}
}

// print shows what a command found or made: as JSON, or in a table.
func (a *admin) print(result any, rows func(*printer)) error {
	if a.json {
		return printJSON(a.env, result)
	}
	return table(a.env, rows)
}

// call changes something. into may be nil.
func (a *admin) call(ctx context.Context, method, path string, form url.Values, into any) error {
	return a.client.Call(ctx, method, path, form, into)
}

// given leaves out empty values, so that the API's defaults apply.
func given(form url.Values) url.Values {
	for name, values := range form {
		if len(values) == 1 && values[0] == "" {
			delete(form, name)
		}
	}
	return form
}

// named is the path of a thing in the API by its id or its full path.
func named(kind, ref string) string { return "/" + kind + "/" + url.PathEscape(ref) }

func byID(kind string, id int64) string { return "/" + kind + "/" + strconv.FormatInt(id, 10) }

func noSuch(what, ref string) error {
	return exitError{fmt.Errorf("there is no %s %s", what, ref), exitNotFound}
}
