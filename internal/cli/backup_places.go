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
	return onPlace(env, "ls --to PLACE", "List the snapshots in a place", "List the snapshots in a place, the oldest first. If one is damaged, the exit code is 3.", 0,
		func(ctx context.Context, b *backup, place config.Config, _ []string) error {
			found, err := daemon.ListBackups(ctx, place, func(text string) { b.env.notice("warning: %s", text) })
			if err != nil {
				return err
			}
			var damaged int64
			for i := range found {
				if found[i].Damage != "" {
					damaged++
					continue
				}
				m := &found[i].Manifest
				m.Packs = orEmpty(m.Packs)
			}
			if b.json {
				err = printJSON(b.env, orEmpty(found))
			} else {
				err = printSnapshots(b.env, found)
			}
			if err == nil && damaged > 0 {
				return refused("%s damaged", countedAre(damaged, "snapshot"))
			}
			return err
		})
}

func printSnapshots(env Env, found []daemon.Snapshot) error {
	return table(env, func(out *printer) {
		for _, s := range found {
			if s.Damage != "" {
				out.printf("%s\tDAMAGED: %s; %s\n", s.ID, s.Damage, s.Cure)
				continue
			}
			m := s.Manifest
			out.printf("%s\t%s\t%s\t%s\t%d lost\n", s.ID, m.Began.Format(time.RFC3339), counted(m.Blobs.Count+m.Packed.Count, "file"),
				formatBytes(m.Blobs.Bytes+m.Packed.Bytes+m.Records.Bytes), m.Lost.Count)
		}
	})
}

func newBackupCheck(env Env) *cobra.Command {
	var subset string
	cmd := onPlace(env, "check --to PLACE", "Look whether all snapshots in a place are whole",
		"Look whether all snapshots in a place are whole: manifests and records are read, and of\n"+
			"every file that they name it is seen that the place has it, with its size. Bytes are read\n"+
			"and compared with their digests only as --read-data-subset says. Nothing is changed. That\n"+
			"there is no snapshot at all makes the exit code 3, too.", 0,
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
				report.Problems, report.Lacking = orEmpty(report.Problems), orEmpty(report.Lacking)
				err = printJSON(b.env, report)
			} else {
				err = printChecked(b.env, report)
			}
			if err == nil && report.Damaged > 0 {
				return refused("%s damaged or missing; next: %s", countedAre(report.Damaged, "thing"), report.Next)
			}
			if err == nil && report.Snapshots == 0 {
				return refused("there is no snapshot in %s: nothing can be restored from it; granary backup makes one", place.Blobs.String())
			}
			return err
		})
	cmd.Flags().StringVar(&subset, "read-data-subset", "", "also read this `part` of the bytes: all, 5% (another one each time), or 3/20")
	return cmd
}

func printChecked(env Env, r daemon.CheckReport) error {
	out := &printer{w: env.Stdout}
	out.printf("%s, %s, %s; read %d of these, %s\n", counted(int64(r.Snapshots), "snapshot"), counted(r.Blobs, "file"), counted(int64(r.Packs), "pack"), r.Read, formatBytes(r.ReadBytes))
	if r.Lost > 0 {
		out.printf("LOST %s by the server before snapshots were made, and not brought to the place since\n", counted(r.Lost, "file"))
	}
	for _, p := range r.Problems {
		out.printf("DAMAGED %s\n", p)
	}
	if more := r.Damaged - int64(len(r.Problems)); more > 0 {
		out.printf("and %d more, which also count as above\n", more)
	}
	for _, s := range r.Lacking {
		out.printf("LACKING %s of the snapshot %s, because of %d of the above\n", counted(s.Files, "file"), s.ID, s.Blobs)
	}
	if r.Next != "" && r.Damaged == 0 {
		out.printf("next: %s\n", r.Next)
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
			_, err = fmt.Fprintf(b.env.Stdout, "forgot %s, and removed %s, %s, and %s that no other snapshot needs\n",
				args[0], counted(done.Files, "file"), formatBytes(done.Bytes), counted(int64(done.Packs), "pack"))
			return err
		})
}
