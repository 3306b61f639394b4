package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"granary/internal/config"
	"granary/internal/daemon"
)

func newMigrateDatabase(env Env) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "migrate-database --from PLACE",
		Short: "Move the records from SQLite to PostgreSQL, or back",
		Long: "Move every record of a SQLite database to the PostgreSQL database that the settings\n" +
			"name, or of a PostgreSQL database to the SQLite database that they name, in one\n" +
			"transaction, and compare the number of rows and a checksum over all values of each\n" +
			"table before it ends. Stop the server, or all nodes, first. The database that the\n" +
			"settings name must be without records; the other stays as it is.\n\n" +
			"GRANARY_ENCRYPTION_KEY has to be the text of encryption_key in the data directory,\n" +
			"unless the server had one from its settings. What larger files hold is moved by\n" +
			"migrate-storage; small ones are records. A password for --from comes from\n" +
			"PGPASSWORD or a passfile.\n\n" + config.Usage(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, env)
			if err != nil {
				return err
			}
			source, err := config.ParseDatabase(from)
			if err != nil {
				return usageError{fmt.Errorf("--from: %w", err)}
			}
			if source.Scheme == cfg.Database.Scheme {
				return usageError{fmt.Errorf("where to? --from names a %s database, and so do the settings: GRANARY_DATABASE=postgres://USER@HOST/DATABASE or sqlite:PATH names the other kind", source.Scheme)}
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return daemon.MigrateDatabase(ctx, cfg, source, env.Stdout)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the `database` to move from, sqlite:PATH or postgres://USER@HOST/DATABASE")
	addSettings(cmd)
	return cmd
}
