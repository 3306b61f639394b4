package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"granary/internal/config"
)

func newConfig(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Inspect the server's settings"}
	cmd.AddCommand(newConfigCheck(env))
	asGroup(cmd)
	return cmd
}

func newConfigCheck(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Print the settings that serve would use, secrets hidden",
		Long: "Print the settings that serve would use with the same flags, environment and\n" +
			"file, and the source of each. The output is itself a settings file. It hides\n" +
			"secrets, and the command creates nothing.\n\n" + config.Usage(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, env)
			if err != nil {
				return err
			}
			return cfg.Print(env.Stdout)
		},
	}
	addSettings(cmd)
	return cmd
}

// addSettings gives a command config's flags, which its help shows by purpose.
func addSettings(cmd *cobra.Command) {
	settings := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.AddFlags(settings)
	settings.VisitAll(func(f *pflag.Flag) {
		if f.Name != "config" { // the empty value of a setting is its own to judge
			allowEmpty(settings, f.Name)
		}
	})
	cmd.Flags().AddFlagSet(settings)
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := fmt.Fprintf(cmd.OutOrStderr(), "Usage:\n  %s\n\n%s", cmd.UseLine(), config.FlagUsages(cmd.Flags()))
		return err
	})
}

// loadConfig loads the settings of a command that has config's flags. Its error has
// one line per fault; with an error only settings without a fault may be used, and
// only to report it.
func loadConfig(cmd *cobra.Command, env Env) (config.Config, error) {
	cfg, faults := config.Load(cmd.Flags(), env.Environ, config.ReadFile)
	if len(faults) == 0 {
		return cfg, nil
	}
	lines := make([]error, len(faults))
	for i, f := range faults {
		lines[i] = errors.New(f.String())
	}
	return cfg, usageError{errors.Join(lines...)}
}
