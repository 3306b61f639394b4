package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/config"
	"granary/internal/daemon"
)

func newMigrateStorage(env Env) *cobra.Command {
	var to string
	var verify bool
	cmd := &cobra.Command{
		Use:   "migrate-storage --to PLACE",
		Short: "Copy the bytes of packages to another store",
		Long: "Copy the bytes of packages from where the server's settings say they are to\n" +
			"another place, file:DIRECTORY or s3://BUCKET/PREFIX?... The server may be running.\n" +
			"Every blob is checked by its SHA-256 on its way. What is there already is passed\n" +
			"over, so that the command can be broken off and run again.\n\n" +
			"To move: run it; stop the server; run it once more for what came meanwhile; start\n" +
			"the server with --blobs set to the new place. Bodies up to inline-max are in the\n" +
			"database and stay there.\n\n" + config.Usage(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, env)
			if err != nil {
				return err
			}
			if to == "" {
				return usageError{errors.New("where to? --to file:DIRECTORY or --to s3://BUCKET/PREFIX")}
			}
			target, err := cfg.WithBlobs(to)
			if err != nil {
				return usageError{fmt.Errorf("--to is %q: %w", to, err)}
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			done, err := daemon.MigrateStorage(ctx, cfg, target, verify, tellCopied(env.Stderr))
			out := &printer{w: env.Stdout}
			if err == nil || done.Blobs+done.Present > 0 {
				out.printf("copied %s\n", countCopied(done))
			}
			return errors.Join(err, out.err)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the `place` to copy to")
	cmd.Flags().BoolVar(&verify, "verify", false, "read what is there already too, and replace what is damaged")
	addSettings(cmd)
	return cmd
}

// tellCopied tells now and then how far it is, without how much there is in all:
// the list of a store can be long, and is read once, while the copying goes on.
func tellCopied(w io.Writer) func(daemon.Copied) {
	began := time.Now()
	told := began
	return func(c daemon.Copied) {
		if time.Since(told) < tellEvery {
			return
		}
		told = time.Now()
		rate := float64(c.Bytes) / time.Since(began).Seconds()
		fmt.Fprintf(w, "%s; %s/s\n", countCopied(c), formatBytes(int64(rate)))
	}
}

func countCopied(c daemon.Copied) string {
	return fmt.Sprintf("%d blobs, %s; %d were there already", c.Blobs, formatBytes(c.Bytes), c.Present)
}
