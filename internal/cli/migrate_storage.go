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
		Use:   "migrate-storage --to STORE",
		Short: "Copy the bytes of packages to another store",
		Long: "Copy the bytes of packages from the store in the server's settings to another one,\n" +
			"file:DIRECTORY or s3://BUCKET/PREFIX?... The server may be running. Each blob is\n" +
			"checked by its SHA-256. Blobs that the target already has are skipped, so the\n" +
			"command can be interrupted and run again. At last the notes beside the blobs\n" +
			"are copied, such as the store's identity.\n\n" +
			"To move: run it; stop the server; run it again for the blobs that came meanwhile;\n" +
			"start the server with --blobs set to the new store. Bodies up to inline-max are in\n" +
			"the database and stay there.\n\n" + config.Usage(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, env)
			if err != nil {
				return err
			}
			if to == "" {
				return usageError{errors.New("--to is missing: want file:DIRECTORY or s3://BUCKET/PREFIX")}
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
	cmd.Flags().StringVar(&to, "to", "", "copy to this `store`")
	cmd.Flags().BoolVar(&verify, "verify", false, "read the blobs that the target already has, too, and replace damaged ones")
	addSettings(cmd)
	return cmd
}

// tellCopied prints the progress now and then, without the total: the list of a store
// can be long, and is read only once, during the copying.
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
