package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(env Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program, or manage a package's",
		Long: "Print the version of this program. The commands below keep the version of a package in\n" +
			"a CI/CD variable. --json also prints the commit, if it is known, and the modules that this\n" +
			"program is made of.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return printJSON(env, buildOf(env))
			}
			return printVersion(env)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
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

// build is what this program was made from.
type build struct {
	Version string         `json:"version"`
	Commit  string         `json:"commit,omitempty"` // whole, in hexadecimal; "" if nobody recorded it
	Go      string         `json:"go"`
	OS      string         `json:"os"`
	Arch    string         `json:"arch"`
	Modules []linkedModule `json:"modules"` // in the order of their paths
}

// linkedModule is a module of which the program has code. One that was replaced is named by
// what took its place.
type linkedModule struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

func buildOf(env Env) build {
	b := build{
		Version: versionOf(env.Version), Commit: env.Commit,
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Modules: []linkedModule{},
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Commit = cmp.Or(b.Commit, s.Value)
		}
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Modules = append(b.Modules, linkedModule{m.Path, m.Version})
	}
	return b
}
