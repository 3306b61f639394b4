package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/config"
	"granary/internal/daemon"
)

// onPlace is a command on a place of backups, which needs no database.
func onPlace(env Env, use, short, long string, args int, run func(ctx context.Context, b *backup, place config.Config, args []string) error) *cobra.Command {
	b := &backup{env: env}
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long + " No database is needed.\n\n" + backupPlaceHelp + "\n\n" + config.Usage(),
		Args: arguments(args, args), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, place, err := b.settings(cmd)
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return run(ctx, b, place, args)
		},
	}
	b.flags(cmd)
	return cmd
}

func newBackupList(env Env) *cobra.Command {
	return onPlace(env, "ls --to PLACE", "List the snapshots in a place", "List the snapshots in a place, the oldest first.", 0,
		func(ctx context.Context, b *backup, place config.Config, _ []string) error {
			found, err := daemon.ListBackups(ctx, place, func(text string) { b.env.notice("warning: %s", text) })
			if err != nil {
				return err
			}
			if b.json {
				for i := range found {
					if m := &found[i].Manifest; found[i].Damage == "" {
						m.Packs = orEmpty(m.Packs)
					}
				}
				return printJSON(b.env, orEmpty(found))
			}
			return table(b.env, func(out *printer) {
				for _, s := range found {
					if s.Damage != "" {
						out.printf("%s\tDAMAGED: %s\n", s.ID, s.Damage)
						continue
					}
					m := s.Manifest
					out.printf("%s\t%s\t%d files\t%s\t%d lost\n", s.ID, m.Began.Format(time.RFC3339), m.Blobs.Count+m.Packed.Count,
						formatBytes(m.Blobs.Bytes+m.Packed.Bytes+m.Records.Bytes), m.Lost.Count)
				}
			})
		})
}

func newBackupCheck(env Env) *cobra.Command {
	var subset string
	cmd := onPlace(env, "check --to PLACE", "Look whether all snapshots in a place are whole",
		"Look whether all snapshots in a place are whole: manifests and records are read, and of\n"+
			"every file that they name it is seen that the place has it, with its size. Bytes are read\n"+
			"and compared with their digests only as --read-data-subset says. Nothing is changed. The\n"+
			"exit code is 0 if all is whole, 3 if there is damage or no snapshot at all, 1 if the check\n"+
			"could not look.", 0,
		func(ctx context.Context, b *backup, place config.Config, _ []string) (err error) {
			var read daemon.Subset
			if subset != "" {
				if read, err = daemon.ParseSubset(subset); err != nil {
					return usagef("--read-data-subset: %w", err)
				}
			}
			report, err := daemon.CheckBackups(ctx, place, read)
			if err != nil {
				return err
			}
			if b.json {
				report.Problems = orEmpty(report.Problems)
				err = printJSON(b.env, report)
			} else {
				err = printChecked(b.env, report)
			}
			if err == nil && report.Damaged > 0 {
				return refused("%d things are damaged or missing", report.Damaged)
			}
			if err == nil && report.Snapshots == 0 {
				return refused("there is no snapshot in %s: nothing can be restored from it", place.Blobs.String())
			}
			return err
		})
	cmd.Flags().StringVar(&subset, "read-data-subset", "", "also read this `part` of the bytes: all, 5% (another one each time), or 3/20")
	return cmd
}

func printChecked(env Env, r daemon.CheckReport) error {
	out := &printer{w: env.Stdout}
	out.printf("%d snapshots, %d files, %d packs; read %d of them, %s\n", r.Snapshots, r.Blobs, r.Packs, r.Read, formatBytes(r.ReadBytes))
	if r.Lost > 0 {
		out.printf("%d files were lost in the server's store when snapshots were made; backup ls says of which\n", r.Lost)
	}
	for _, p := range r.Problems {
		out.printf("DAMAGED %s\n", p)
	}
	if more := r.Damaged - int64(len(r.Problems)); more > 0 {
		out.printf("and %d more\n", more)
	}
	return out.err
}

func newBackupForget(env Env) *cobra.Command {
	return onPlace(env, "forget ID --to PLACE", "Remove a snapshot, and the bytes that no other one needs",
		"Remove a snapshot, and then the bytes that no other snapshot in the place needs.", 1,
		func(ctx context.Context, b *backup, place config.Config, args []string) error {
			done, err := daemon.ForgetBackup(ctx, place, args[0])
			if errors.Is(err, daemon.ErrNoSnapshot) {
				return exitError{err, exitNotFound}
			}
			if err != nil {
				return err
			}
			if b.json {
				done.Snapshots = orEmpty(done.Snapshots)
				return printJSON(b.env, done)
			}
			_, err = fmt.Fprintf(b.env.Stdout, "forgot %s, and removed %d files, %s, and %d packs that no other snapshot needs\n",
				args[0], done.Files, formatBytes(done.Bytes), done.Packs)
			return err
		})
}
