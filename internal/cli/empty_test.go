package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"granary/internal/config"
)

// A flag that is given and empty is wrong usage in every command, before anything is
// asked or done: the variable that it comes from is not set.
func TestEmptyFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	environ := []string{"GRANARY_SERVER=http://127.0.0.1:1", "GRANARY_TOKEN=t", "HOME=" + t.TempDir()}
	meant := []string{"granary version set --from"}
	settings := pflag.NewFlagSet("", pflag.ContinueOnError) // each judges its own empty value
	config.AddFlags(settings)
	tried := 0
	var commands func(*cobra.Command)
	commands = func(cmd *cobra.Command) {
		path := strings.Fields(cmd.CommandPath())[1:]
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			_, may := f.Annotations[mayBeEmpty]
			name := cmd.CommandPath() + " --" + f.Name
			switch {
			case may && settings.Lookup(f.Name) == nil && !slices.Contains(meant, name):
				t.Errorf("%s may be empty", name)
			case may || !slices.Contains([]string{"string", "stringArray", "stringSlice"}, f.Value.Type()):
				return
			}
			tried++
			refused := false
			for n := range 5 { // how many arguments it takes is its own
				args := append(slices.Clone(path), "--"+f.Name+"=")
				code, stdout, stderr := run(t, environ, append(args, []string{"x", "y", "z", "w"}[:n]...)...)
				if code != exitUsage || stdout != "" {
					t.Errorf("%s= with %d arguments: exit code %d: %s%s", name, n, code, stdout, stderr)
				}
				refused = refused || strings.Contains(stderr, "granary: --"+f.Name+" is empty: is its variable set?")
			}
			if !refused {
				t.Errorf("%s= is not refused", name)
			}
		})
		for _, sub := range cmd.Commands() {
			commands(sub)
		}
	}
	commands(newRoot(Env{}))
	if tried < 100 {
		t.Errorf("%d flags were tried", tried)
	}
}

// The environment is as it was: a variable that is set and empty is not set.
func TestEmptyEnvironment(t *testing.T) {
	_, _, stderr := run(t, []string{"GRANARY_SERVER=", "GRANARY_PROFILE=", "GRANARY_TOKEN="}, "ls")
	if !strings.Contains(stderr, "no server is named") {
		t.Error(stderr)
	}
}
