package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"granary/internal/config"
	"granary/internal/daemon"
)

func newMigrateDatabase(env Env) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "migrate-database --from sqlite:PATH",
		Short: "Move the records from SQLite to PostgreSQL",
		Long: "Move every record of a SQLite database to the PostgreSQL database that the settings\n" +
			"name, in one transaction, and compare the number of rows and a checksum over all\n" +
			"values of each table before it ends. Stop the server first. The PostgreSQL database\n" +
			"must be without records; the SQLite database stays as it is.\n\n" +
			"GRANARY_ENCRYPTION_KEY has to be the text of encryption_key in the data directory,\n" +
			"unless the server had one from its settings. What larger files hold is moved by\n" +
			"migrate-storage; small ones are records.\n\n" + config.Usage(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, env)
			if err != nil {
				return err
			}
			if cfg.Database.Scheme != "postgres" {
				return usageError{errors.New("where to? GRANARY_DATABASE=postgres://USER@HOST/DATABASE")}
			}
			source, err := config.ParseSQLite(from)
			if err != nil {
				return usageError{fmt.Errorf("--from is %q: %w", from, err)}
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return daemon.MigrateDatabase(ctx, cfg, source, env.Stdout)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the SQLite `database`, sqlite:PATH")
	config.AddFlags(cmd.Flags())
	return cmd
}
