package cli

import (
	"context"

	"github.com/spf13/cobra"

	"granary/internal/daemon"
)

// sweepResult is what --json prints.
type sweepResult struct {
	Blobs int   `json:"blobs"`
	Bytes int64 `json:"bytes"`
}

func (a *admin) sweep() *cobra.Command {
	var now bool
	cmd := a.open("sweep", "Remove bytes that nothing has referred to for an hour", 0,
		func(ctx context.Context, d *daemon.Admin, _ []string) error {
			if !now {
				return usagef("every hour the server removes what nothing has referred to for a day; --now asks it to take what an hour has passed for")
			}
			if err := d.Login(ctx); err != nil {
				return err
			}
			swept, err := d.Sweep(ctx)
			if err != nil {
				return err
			}
			return a.print(sweepResult{swept.Blobs, swept.Bytes}, func(out *printer) {
				out.printf("removed %d blobs, %d bytes\n", swept.Blobs, swept.Bytes)
			})
		})
	cmd.Long = "Remove bytes that nothing has referred to for an hour, where the server would wait for a day:\n" +
		"for a full disk, after deleting packages. The server that sweeps for all does it, and this\n" +
		"command waits for it. Copies of the database from before (backups) may name blobs that\n" +
		"are gone then, where the blobs were not copied yet.\n\n" + adminHelp
	cmd.Flags().BoolVar(&now, "now", false, "do it now")
	return cmd
}
