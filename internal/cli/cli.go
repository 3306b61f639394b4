// Package cli is the command line: one file per command, and one function that turns
// errors into messages and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
	"granary/internal/daemon"
)

// Exit codes, documented in every help text.
const (
	exitOK       = 0
	exitFailure  = 1 // the command was understood and failed
	exitUsage    = 2 // the command line or a setting is wrong; nothing was done
	exitRefused  = 3 // the server, or a rule of the command, says no: asking again will not help
	exitDamaged  = 3 // of the commands of damageExitHelp
	exitNotFound = 4 // it does not exist, or is not visible to this caller
	exitDiffers  = 5 // what was compared is not the same
)

const exitHelp = "Exit codes: 0 done, 1 failed, 2 wrong usage or settings (nothing was done),\n" +
	"3 refused by the server or by a rule, 4 not found, 5 what was compared differs,\n" +
	"130 interrupted by Ctrl-C (128 and the number of any signal)."

// damageExitHelp is exitHelp of the commands that look for damage: backup and those below it,
// restore, rebuild and fsck. docs/operations.md says the same.
const damageExitHelp = "Exit codes: 0 done, and all is whole; 1 failed, or not everything could be looked at; 2 wrong\n" +
	"usage or settings (nothing was done); 3 done, but something is damaged, missing or left out,\n" +
	"as the lines say; 4 there is no such snapshot; 130 interrupted by Ctrl-C (128 and the number\n" +
	"of any signal)."

// looksForDamage gives a command, and those below it, the exit codes of damageExitHelp.
func looksForDamage(cmd *cobra.Command) *cobra.Command {
	cmd.Annotations = map[string]string{exitHelpKey: damageExitHelp}
	return cmd
}

const exitHelpKey = "exit codes" // of annotations

// exitHelpOf is what the help of a command says of its exit codes.
func exitHelpOf(cmd *cobra.Command) string {
	for ; cmd != nil; cmd = cmd.Parent() {
		if text := cmd.Annotations[exitHelpKey]; text != "" {
			return text
		}
	}
	return exitHelp
}

// Env is everything a command may know of the world around it.
type Env struct {
	Args    []string // without the program's name
	Environ []string // "NAME=value", as os.Environ
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Version string // set by the linker; "" to ask the build's own record
	Commit  string // the same

	// GiveWay lets other programs have the CPU first, for the rest of the process: long
	// commands beside a server call it. nil: nothing is done.
	GiveWay func()
}

func (e Env) giveWay() {
	if e.GiveWay != nil {
		e.GiveWay()
	}
}

// Main runs the command that env.Args names and returns the exit code. It
// prints every error to env.Stderr, one line each, beginning "granary: ", or
// with --json as one object.
func Main(ctx context.Context, env Env) int {
	env.Stdout, env.Stderr = screen{env.Stdout}, screen{env.Stderr}
	root := newRoot(env)
	root.SetArgs(env.Args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	return env.fail(cmd, err)
}

func exitCode(err error) int {
	if e, ok := errors.AsType[exitError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[daemon.SettingError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*client.RangeError](err); ok {
		return exitUsage
	}
	if i, ok := errors.AsType[interrupted](err); ok {
		return 128 + int(i.signal)
	}
	switch client.KindOf(err) {
	case client.Denied, client.Refused:
		return exitRefused
	case client.NotFound:
		return exitNotFound
	}
	return exitFailure
}

// exitError is an error with its exit code.
type exitError struct {
	error
	code int
}

func (e exitError) Unwrap() error { return e.error }

// refused is a rule of a command that says no.
func refused(format string, args ...any) error {
	return exitError{fmt.Errorf(format, args...), exitRefused}
}

// getenv is a variable of the environment, "" if it is not set.
func (e Env) getenv(name string) string {
	for _, v := range slices.Backward(e.Environ) { // the last counts, as for a shell
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
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

		PersistentPreRunE: refuseEmpty, // no command has its own
	}
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help%s", plainFlag(err), cmd.CommandPath(), whereVersion(err))}
	})
	root.AddCommand(newPush(env), newPull(env), newLs(env), newShow(env), newDu(env), newRm(env), newCopy(env), newVerify(env),
		newChannel(env), newYank(env), newUnyank(env), newDeprecate(env), newFinalise(env), newDiscard(env), newOpen(env), newLogin(env), newLogout(env), newWhoami(env), newCI(env),
		newServe(env), newAdmin(env), newConfig(env), looksForDamage(newFsck(env)), looksForDamage(newBackup(env)), looksForDamage(newRestore(env)), looksForDamage(newRebuild(env)), newMigrateStorage(env), newMigrateDatabase(env), newVersion(env), newMan(env))
	asGroup(root)
	tellVersion(root, env)
	root.SetHelpCommand(newHelp(root))
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" { // cobra's own takes any word for a shell
			asGroup(cmd)
		}
	}
	template := root.HelpTemplate()
	for _, cmd := range append(root.Commands(), root) { // those below take their parent's
		cmd.SetHelpTemplate(template + "\n" + exitHelpOf(cmd) + "\n")
	}
	return root
}

// asGroup makes cmd print its help when called alone, and refuse a word that is not
// one of its commands; cobra would print the help and report success.
func asGroup(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2 // letters that may differ
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return noCommand(cmd, args[0])
	}
}

// noCommand is the error for a word that is not a command below cmd.
func noCommand(cmd *cobra.Command, word string) error {
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		return usagef("there is no command %q; did you mean %s %s?", word, cmd.CommandPath(), near[0])
	}
	return usagef("there is no command %q; see %s --help", word, cmd.CommandPath())
}

// usagef is a mistake of the caller.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// arguments wants so many of them, and says in the command's own words what is
// missing.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == least-1:
			return usagef("an argument is missing; want %s", cmd.UseLine())
		case len(args) < least:
			return usagef("%d arguments are missing; want %s", least-len(args), cmd.UseLine())
		case most >= 0 && len(args) > most:
			return usagef("%q is an argument too many; want %s", args[most], cmd.UseLine())
		}
		return nil
	}
}

// noArgs refuses anything beyond flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, but got %q", cmd.CommandPath(), args[0])}
	}
	return nil
}
