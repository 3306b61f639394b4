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
	cmd := a.open("sweep", "Remove blobs that have had no record for an hour", 0,
		func(ctx context.Context, d *daemon.Admin, _ []string) error {
			if !now {
				return usagef("every hour the server removes blobs that have had no record for a day; --now makes it remove those that have had none for an hour")
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
	cmd.Long = "Remove blobs that have had no record for an hour; without this command the server waits\n" +
		"for a day. Use it on a full disk, after deleting packages. The server that sweeps for all\n" +
		"does the work, and this command waits for it. A backup of the database may still name\n" +
		"blobs that this command removes: copy the blobs before.\n\n" + adminHelp
	cmd.Flags().BoolVar(&now, "now", false, "do it now")
	return cmd
}
