package cli

import (
	"errors"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"granary/internal/config"
	"granary/internal/daemon"
)

func newServe(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: "Run the server until SIGTERM or SIGINT; then running requests may finish within\n" +
			"--shutdown-timeout. A second signal ends it at once.\n\n" + config.Usage(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, env)
			log := daemon.NewLogger(cfg, raw(env.Stderr))
			if err == nil {
				slog.SetDefault(log) // the standard library logs some things only here
				ctx, stop := untilInterrupted(cmd)
				defer stop()
				var person io.Writer // secrets are for a terminal, not for whatever keeps the output
				if _, ok := terminal(env.Stdout); ok {
					person = env.Stdout
				}
				err = daemon.Run(ctx, cfg, versionOf(env.Version), person, raw(env.Stderr))
			}
			if err == nil || cfg.LogFormat != "json" {
				return err
			}
			log.Error("the server did not start, or failed", "error", err)
			return exitError{errors.New(""), exitCode(err)} // it is logged
		},
	}
	addSettings(cmd)
	return cmd
}
