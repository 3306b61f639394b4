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
		Use:   "migrate-database --from DATABASE",
		Short: "Copy the records from SQLite to PostgreSQL, or back",
		Long: "Copy every record of the SQLite database in --from to the PostgreSQL database in the\n" +
			"settings, or from PostgreSQL to SQLite, in one transaction. Before the commit it\n" +
			"compares the number of rows and a checksum over all values of each table. Stop the\n" +
			"server, or all nodes, first. The database in the settings must have no records; the\n" +
			"other one stays unchanged.\n\n" +
			"GRANARY_ENCRYPTION_KEY has to be the text of encryption_key in the data directory,\n" +
			"unless the server had one from its settings. Large files are copied by\n" +
			"migrate-storage; small ones are in the database. A password for --from comes from\n" +
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
				return usageError{fmt.Errorf("--from and the settings both name a %s database; set GRANARY_DATABASE to the other kind, postgres://USER@HOST/DATABASE or sqlite:PATH", source.Scheme)}
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return daemon.MigrateDatabase(ctx, cfg, source, env.Stdout)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "copy from this `database`, sqlite:PATH or postgres://USER@HOST/DATABASE")
	addSettings(cmd)
	return cmd
}
