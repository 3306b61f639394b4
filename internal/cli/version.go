package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program, or manage a package's",
		Long: "Print the version of this program. The commands below keep the version of a package in\n" +
			"a CI/CD variable.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return printVersion(env) },
	}
	cmd.AddCommand(newVersionNext(env), newVersionSet(env), newVersionGet(env))
	return cmd
}

func printVersion(env Env) error {
	_, err := fmt.Fprintf(env.Stdout, "granary %s (%s %s/%s)\n",
		versionOf(env.Version), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versionOf is what the linker set, or else what the build recorded: the
// module's version, or the commit it was built from.
func versionOf(linked string) string {
	if linked != "" {
		return linked
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && info.Main.Version == "(devel)" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return cmp.Or(info.Main.Version, "unknown")
}
