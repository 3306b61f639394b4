package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newHelp prints the help of the command that its arguments name. Cobra's own reports
// success for a word that is not a command.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Show help for a command",
		Long:  "Show help for a command: granary help push is granary push --help.",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if len(rest) > 0 {
				return noCommand(cmd, rest[0])
			}
			if err != nil {
				return usageError{err}
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, typed string) (words []string, _ cobra.ShellCompDirective) {
			cmd, _, err := root.Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			for _, sub := range cmd.Commands() {
				if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), typed) {
					words = append(words, sub.Name()+"\t"+sub.Short)
				}
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
		Args: cobra.ArbitraryArgs,
	}
}

// tellVersion gives the program itself the flag --version.
func tellVersion(root *cobra.Command, env Env) {
	var version bool
	root.Flags().BoolVarP(&version, "version", "V", false, "print the version of this program")
	asked := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if version && len(args) == 0 {
			return printVersion(env)
		}
		return asked(cmd, args)
	}
}

// whereVersion is what to say of the program's own flag behind a command, which has
// none of that name: there a version would be a package's.
func whereVersion(err error) string {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || unknown.GetSpecifiedName() != "version" && unknown.GetSpecifiedName() != "V" {
		return ""
	}
	return "; granary --version prints this program's version, and a package's is NAME@VERSION"
}

// plainFlag says what a flag wants, in place of the words of the function that reads its value.
func plainFlag(err error) error {
	e, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	want, known := map[string]string{"int": "a whole number", "bool": "true or false", "duration": "a number with a unit, such as 30s, 2m or 1h30m"}[e.GetFlag().Value.Type()]
	if !known {
		return err
	}
	return fmt.Errorf("--%s is %q: want %s", e.GetFlag().Name, e.GetValue(), want)
}
