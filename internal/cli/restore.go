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

func newRestore(env Env) *cobra.Command {
	var o daemon.RestoreOptions
	var from string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "restore --from PLACE",
		Short: "Make a server of a backup",
		Long: "Fill the empty database and the empty store of the settings from a backup. The store may\n" +
			"also be the one of the same records, if only the database is lost: then only what is\n" +
			"missing is copied; if that store has records of later than the backup, which a dry run\n" +
			"tells, granary rebuild loses less. The database comes last and at once, so an interrupted\n" +
			"restore is run again. No server may run. What the backup lacks is named, and the exit code is 3; so it is if\n" +
			"the newest snapshot is damaged, and an older one was taken for it.\n\n" +
			"The encryption key is not in a backup: put it back before the server starts.\n\n" + backupPlaceHelp + "\n\n" + config.Usage(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd, env)
			if err != nil {
				return err
			}
			if o.From, err = backupsAt(cfg, "--from", from); err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return restore(ctx, env, cfg, o, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "the `place` of the backups")
	f.StringVar(&o.Snapshot, "snapshot", "latest", "the `id` of the snapshot, or latest")
	f.BoolVar(&o.DatabaseOnly, "database-only", false, "leave the files in the place, which the setting blobs has to name then")
	f.BoolVar(&o.DryRun, "dry-run", false, "say what would be restored, and change nothing")
	f.BoolVar(&o.Verify, "verify", false, "also read files that the store has already, and replace damaged ones")
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	addSettings(cmd)
	return cmd
}

func restore(ctx context.Context, env Env, cfg config.Config, o daemon.RestoreOptions, asJSON bool) error {
	shown := newProgress(env, asJSON, "restore", 0, -1)
	o.Report = func(c daemon.Copied) { shown.reached(int(c.Blobs+c.Present), 0, c.Bytes) }
	o.Warn = func(text string) { env.notice("warning: %s", text) }
	o.Notice = func(text string) { env.notice("%s", text) }
	done, err := daemon.Restore(ctx, cfg, o)
	shown.close()
	if errors.Is(err, daemon.ErrNoSnapshot) {
		return exitError{err, exitNotFound}
	}
	if err != nil {
		return ended(ctx, err, "run it again to continue")
	}
	if asJSON {
		done.Skipped, done.Lost, done.BadPacks = orEmpty(done.Skipped), orEmpty(done.Lost), orEmpty(done.BadPacks)
		done.Manifest.Packs = orEmpty(done.Manifest.Packs)
		err = printJSON(env, done)
	} else {
		err = printRestored(env, o, done)
	}
	if err == nil && done.Unfinished != "" {
		return refused("%s", done.Unfinished)
	}
	if err == nil && done.Missing > 0 {
		others := "are restored"
		if o.DryRun {
			others = "would be"
		}
		return refused("%s not in the backup, or not whole; all others %s", countedAre(done.Missing, "file"), others)
	}
	if err == nil && len(done.Skipped) > 0 {
		return refused("the newest snapshot is damaged; the one of %s, %s, was taken instead", done.Manifest.Began.Format(time.RFC3339), done.Manifest.ID)
	}
	return err
}

func printRestored(env Env, o daemon.RestoreOptions, done daemon.Restored) error {
	out := &printer{w: env.Stdout}
	m := done.Manifest
	for _, skipped := range done.Skipped {
		out.printf("SKIPPED %s\n", skipped)
	}
	verb := "restored"
	if o.DryRun {
		verb = "would restore"
	}
	out.printf("%s the snapshot %s of %s: %s of records, %s\n", verb, m.ID, m.Began.Format(time.RFC3339), counted(m.Records.Rows, "row"), counted(done.Bodies, "small file"))
	switch {
	case o.DatabaseOnly:
		out.printf("the other files stay in %s: set blobs to it\n", o.From.Blobs.String())
	default:
		out.printf("%s, %s; %d already there\n", counted(done.Files, "other file"), formatBytes(done.Bytes), done.Present)
	}
	if o.DryRun {
		out.printf("the other files were looked for, and not read: granary backup check --read-data-subset all reads them\n")
	}
	for _, bad := range done.BadPacks {
		out.printf("DAMAGED pack %s\n", bad)
	}
	for _, lost := range done.Lost {
		out.printf("LOST %s\n", lost)
	}
	if more := done.Missing - int64(len(done.Lost)); more > 0 {
		out.printf("and %d more\n", more)
	}
	if done.Missing > 0 {
		out.printf("granary fsck --repair-from mends files that a copy of the store, another place of backups or another server still has,\n" +
			"and names the packages of the others.\n")
	}
	if done.Replaced != nil && !o.DryRun {
		out.printf("records in the store, up to %s, are replaced by those of the restored database\n", done.Replaced.Format(time.RFC3339))
	}
	if !o.DryRun {
		if done.Key != "" {
			out.printf("Before clients come: %s.\n", done.Key)
		}
		out.printf("Job tokens have ended. Other tokens that were revoked after %s are valid again, and removed\n"+
			"members, users and files are back: remove them again (granary admin needs no server).\n", m.Began.Format(time.RFC3339))
	}
	if out.err != nil {
		return fmt.Errorf("cannot print the result: %w", out.err)
	}
	return nil
}
