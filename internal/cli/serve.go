package cli

import (
	"io"

	"github.com/spf13/cobra"

	"granary/internal/config"
	"granary/internal/daemon"
)

func newServe(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: "Run the server until SIGTERM or SIGINT; then running transfers finish, bounded by\n" +
			"--shutdown-timeout. A second signal ends it at once.\n\n" + config.Usage(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, env)
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			var person io.Writer // secrets are for a terminal, not for whatever keeps the output
			if _, ok := terminal(env.Stdout); ok {
				person = env.Stdout
			}
			return daemon.Run(ctx, cfg, versionOf(env.Version), person, env.Stderr)
		},
	}
	config.AddFlags(cmd.Flags())
	return cmd
}
