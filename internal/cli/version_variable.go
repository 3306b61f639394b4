package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const variableHelp = `The version is the value of a CI/CD variable of the project. Job tokens cannot read
variables, here and in GitLab: in a job, set GRANARY_TOKEN to a token that can (a
project access token with the role Maintainer).`

// versionVariable is what next, set and get have in common.
type versionVariable struct {
	connection
	project, key string
	client       *client.Client
}

func (v *versionVariable) addFlags(cmd *cobra.Command) {
	cmd.Long += "\n\n" + variableHelp
	v.connection.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&v.project, "project", ".", "the `project`, its path or id; the job's own in CI")
	v.completeProject(cmd)
	f.StringVar(&v.key, "variable", "", "the `key` of the variable")
}

// get reads the variable.
func (v *versionVariable) get(ctx context.Context) (client.Variable, error) {
	if v.key == "" {
		return client.Variable{}, usagef("which variable? want --variable KEY")
	}
	if v.client == nil {
		var err error
		if v.client, err = v.connection.client(); err != nil {
			return client.Variable{}, err
		}
		if v.project, err = v.connection.project(v.project); err != nil {
			return client.Variable{}, err
		}
	}
	found, err := v.client.GetVariable(ctx, v.project, v.key)
	if err != nil {
		return found, fmt.Errorf("variable %s: %w", v.key, err)
	}
	return found, nil
}

func newVersionGet(env Env) *cobra.Command {
	v := &versionVariable{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use: "get --variable KEY", Short: "Print the version in a CI/CD variable", Long: "Print the version in a CI/CD variable.", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			found, err := v.get(ctx)
			if err != nil {
				return advise(err, v.project)
			}
			_, err = fmt.Fprintln(env.Stdout, found.Value)
			return err
		},
	}
	v.addFlags(cmd)
	return cmd
}

func newVersionNext(env Env) *cobra.Command {
	v := &versionVariable{connection: connection{env: env}}
	var major, minor, patch bool
	var pre string
	cmd := &cobra.Command{
		Use:   "next --variable KEY",
		Short: "Print the version after the one in a CI/CD variable",
		Long: "Print the version after the one in a CI/CD variable, and change nothing. Without\n" +
			"--major, --minor or --patch it is the next patch, or the release that a pre-release\n" +
			"leads to; --pre rc gives 1.4.1-rc.1 after 1.4.0, and 1.4.1-rc.2 after that.",
		Example: "  VERSION=$(granary version next --variable PKG_VERSION --minor)\n" +
			"  ... build, publish and test $VERSION ...\n" +
			"  granary version set --variable PKG_VERSION $VERSION",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			bump, err := oneBump(major, minor, patch)
			if err != nil {
				return err
			}
			found, err := v.get(ctx)
			if err != nil {
				return advise(err, v.project)
			}
			old, err := parseVersion(found.Value)
			if err != nil {
				return refused("variable %s: %w", v.key, err)
			}
			next, err := nextVersion(old, bump, pre)
			if err != nil {
				return usageError{err}
			}
			_, err = fmt.Fprintln(env.Stdout, next)
			return err
		},
	}
	v.addFlags(cmd)
	f := cmd.Flags()
	f.BoolVar(&major, "major", false, "raise the first number")
	f.BoolVar(&minor, "minor", false, "raise the second number")
	f.BoolVar(&patch, "patch", false, "raise the third number")
	f.StringVar(&pre, "pre", "", "make it a pre-release of this `name`, such as rc")
	return cmd
}

func oneBump(major, minor, patch bool) (bump string, err error) {
	for name, chosen := range map[string]bool{bumpMajor: major, bumpMinor: minor, bumpPatch: patch} {
		if chosen && bump != "" {
			return "", usagef("--major, --minor and --patch: want one of them at most")
		}
		if chosen {
			bump = name
		}
	}
	return bump, nil
}

func newVersionSet(env Env) *cobra.Command {
	s := &versionSet{versionVariable: versionVariable{connection: connection{env: env}}}
	cmd := &cobra.Command{
		Use:   "set --variable KEY VERSION",
		Short: "Write a version back to a CI/CD variable, unless it changed meanwhile",
		Long: "Write a version back to a CI/CD variable, unless it changed meanwhile: VERSION must\n" +
			"be one that next would print for the current value; with --from, the current value must\n" +
			"be the one that --from names. On granary the write itself is conditional (If-Match), so of two\n" +
			"concurrent writes one is refused. GitLab has no conditional writes: there the value is\n" +
			"read again just before the write, and concurrent writes are not detected.",
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			s.over = cmd.Flags().Changed("from")
			return advise(s.run(ctx, args[0]), s.project)
		},
	}
	s.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&s.from, "from", "", "write only if this `version` is the current value, whether or not VERSION follows it")
	allowEmpty(f, "from") // the variable may be empty
	f.BoolVar(&s.create, "create", false, "create the variable, which must not exist")
	return cmd
}

type versionSet struct {
	versionVariable
	from   string
	over   bool // from was given
	create bool
}

func (s *versionSet) run(ctx context.Context, text string) error {
	next, err := parseVersion(text)
	if err != nil {
		return usageError{err}
	}
	const often = 5
	for range often {
		found, err := s.get(ctx)
		if client.KindOf(err) == client.NotFound {
			if s.create {
				return s.client.CreateVariable(ctx, s.project, s.key, next.String())
			}
			return fmt.Errorf("%w\nmake it once with --create", err)
		}
		if err != nil {
			return err
		}
		if err := s.mayFollow(found.Value, next.String()); err != nil {
			return err
		}
		tag := found.Tag
		found.Value = next.String()
		_, err = s.client.SetVariable(ctx, s.project, found)
		if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusPreconditionFailed {
			continue // another write was faster: check again whether the version may follow
		}
		if client.KindOf(err) == client.Broken {
			return s.afterAll(ctx, next.String(), err)
		}
		if err == nil && tag == "" && !s.quiet {
			s.env.notice("this server has no conditional writes: a concurrent write would not be noticed")
		}
		return err
	}
	return refused("variable %s keeps changing", s.key)
}

// mayFollow checks whether a version may replace the current one.
func (s *versionSet) mayFollow(there, next string) error {
	if s.create {
		return refused("variable %s exists already, with %q", s.key, there)
	}
	if s.over {
		if there != s.from {
			return refused("variable %s is %q, and no longer %q: it was changed meanwhile; nothing was written", s.key, there, s.from)
		}
		return nil
	}
	old, err := parseVersion(there)
	if err != nil {
		return refused("variable %s: %w; --from %q writes over it all the same", s.key, err, there)
	}
	v, err := parseVersion(next)
	if err != nil {
		return err
	}
	if !follows(old, v) {
		return refused("variable %s is %s, and %s does not follow it: it was changed meanwhile; nothing was written", s.key, there, next)
	}
	return nil
}

// afterAll looks whether a write whose answer was lost has happened.
func (s *versionSet) afterAll(ctx context.Context, want string, lost error) error {
	if found, err := s.get(ctx); err == nil && found.Value == want {
		return nil
	}
	return fmt.Errorf("%w\nthe answer was lost; granary version get shows the current value", lost)
}
