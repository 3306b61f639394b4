// Package cli is the command line: one file per command, and one place where
// errors become words and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes, documented in every help text.
const (
	exitOK      = 0
	exitFailure = 1 // the command was understood and failed
	exitUsage   = 2 // the command line or a setting is wrong; nothing was done
)

const exitHelp = "Exit codes: 0 done, 1 failed, 2 wrong usage or settings (nothing was done)."

// Env is everything a command may know of the world around it.
type Env struct {
	Args    []string // without the program's name
	Environ []string // "NAME=value", as os.Environ
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Version string // set by the linker; "" to ask the build's own record
}

// Main runs the command that env.Args names and returns the exit code. It
// prints every error to env.Stderr, one line each, beginning "granary: ".
func Main(ctx context.Context, env Env) int {
	root := newRoot(env)
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(env.Stderr, "granary: "+line)
	}
	if usage := (usageError{}); errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

// usageError is a mistake of the caller, found before anything was done.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func newRoot(env Env) *cobra.Command {
	root := &cobra.Command{
		Use:           "granary",
		Short:         "A generic package registry that speaks GitLab's API",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(newServe(env), newConfig(env), newMigrateStorage(env), newVersion(env))
	asGroup(root)
	root.SetHelpTemplate(root.HelpTemplate() + "\n" + exitHelp + "\n")
	return root
}

// asGroup makes cmd print its help when called alone, and refuse a word that
// is none of its commands; cobra would print the help and report success.
func asGroup(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2 // letters that may differ
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		err := fmt.Errorf("there is no command %q; see %s --help", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			err = fmt.Errorf("there is no command %q; did you mean %s %s?", args[0], cmd.CommandPath(), near[0])
		}
		return usageError{err}
	}
}

// noArgs refuses anything beyond flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, but got %q", cmd.CommandPath(), args[0])}
	}
	return nil
}
