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

// backup is what the commands on a place of backups have in common.
type backup struct {
	env  Env
	to   string
	json bool
}

const backupPlaceHelp = "PLACE is file:DIRECTORY or s3://BUCKET/PREFIX?..., as in the setting blobs; keys for S3\n" +
	"are those of the settings."

func newBackup(env Env) *cobra.Command {
	b := &backup{env: env}
	var o daemon.BackupOptions
	var rate string
	cmd := &cobra.Command{
		Use:   "backup --to PLACE",
		Short: "Back up all records and files, beside the running server",
		Long: "Back up all records and files to a place: a snapshot that granary restore makes a server\n" +
			"of. The server may be running. What was acknowledged before is in the snapshot. Files\n" +
			"that the place has from earlier backups, or from one that was interrupted, are not copied\n" +
			"again. Missing and damaged files do not stop a backup; they are named. The exit code is 3\n" +
			"then, and if only what comes after the snapshot failed, such as forgetting older ones.\n\n" +
			"The encryption key is not in a backup: keep it elsewhere.\n\n" + backupPlaceHelp + "\n\n" + config.Usage(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.LimitRate, err = parseRate("--limit-rate", rate); err != nil {
				return err
			}
			if min(o.Keep.Daily, o.Keep.Weekly, o.Keep.Monthly) < 0 {
				return usagef("--keep-daily, --keep-weekly and --keep-monthly take 0 or more")
			}
			cfg, place, err := b.settings(cmd)
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			o.To = place
			return b.run(ctx, cfg, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&rate, "limit-rate", "", "copy at most so many `bytes` of files a second, such as 500k or 2M")
	f.BoolVar(&o.DryRun, "dry-run", false, "say what would be copied, and change nothing")
	f.BoolVar(&o.KeySaved, "key-saved", false, "the encryption key is kept elsewhere; the place remembers this, and later backups do not warn")
	f.IntVar(&o.Keep.Daily, "keep-daily", 0, "afterwards forget snapshots but the newest of each of the last `n` days, and those of the other --keep flags")
	f.IntVar(&o.Keep.Weekly, "keep-weekly", 0, "keep the newest of each of the last `n` weeks")
	f.IntVar(&o.Keep.Monthly, "keep-monthly", 0, "keep the newest of each of the last `n` months")
	b.flags(cmd)
	cmd.AddCommand(newBackupList(env), newBackupCheck(env), newBackupForget(env))
	return cmd
}

// flags are those of every command on a place.
func (b *backup) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.to, "to", "", "the `place` of the backups")
	cmd.Flags().BoolVar(&b.json, "json", false, "print the result as JSON")
	addSettings(cmd)
}

// settings are those of the server, and the same with the place as their store.
func (b *backup) settings(cmd *cobra.Command) (cfg, place config.Config, err error) {
	if cfg, err = loadConfig(cmd, b.env); err != nil {
		return cfg, place, err
	}
	place, err = backupsAt(cfg, "--to", b.to)
	return cfg, place, err
}

// backupsAt is the settings with a place of backups as their store.
func backupsAt(cfg config.Config, flag, text string) (config.Config, error) {
	if text == "" {
		return cfg, usagef("%s is missing: want file:DIRECTORY or s3://BUCKET/PREFIX", flag)
	}
	place, err := cfg.WithBlobs(text)
	if err != nil {
		return cfg, usageError{fmt.Errorf("%s is %q: %w", flag, text, err)}
	}
	return place, nil
}

func (b *backup) run(ctx context.Context, cfg config.Config, o daemon.BackupOptions) (err error) {
	d, err := daemon.OpenAdmin(ctx, cfg, versionOf(b.env.Version))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	b.env.giveWay()
	shown := newProgress(b.env, b.json, "backup", 0, -1)
	o.Report = func(p daemon.BackupProgress) { shown.reached(int(p.Blobs), int(p.Of), p.Bytes) }
	done, err := d.Backup(ctx, o)
	shown.close()
	if err != nil {
		return ended(ctx, err, "what was copied stays, and the next backup goes on from there")
	}
	if b.json {
		done.BadPacks, done.Gone.Snapshots = orEmpty(done.BadPacks), orEmpty(done.Gone.Snapshots)
		done.Manifest.Packs = orEmpty(done.Manifest.Packs)
		err = printJSON(b.env, done)
	} else {
		err = b.print(o, done)
	}
	if !done.KeySaved {
		fmt.Fprintln(b.env.Stderr, "granary: the encryption key is not in the backup, and without it nobody can read CI/CD variables and webhooks: "+
			"keep encryption_key of the data directory, or GRANARY_ENCRYPTION_KEY, elsewhere, and say so once by --key-saved")
	}
	if err == nil && done.Unfinished != "" {
		return refused("%s", done.Unfinished)
	}
	if lost := done.Manifest.Lost.Count; err == nil && lost > 0 {
		return refused("%d files are missing or damaged in the server's store, and are not in the backup; all others are", lost)
	}
	return err
}

// print says what a backup came to.
func (b *backup) print(o daemon.BackupOptions, done daemon.BackedUp) error {
	out := &printer{w: b.env.Stdout}
	m := done.Manifest
	verb := "copied"
	if o.DryRun {
		verb = "would copy"
	} else {
		out.printf("snapshot %s of %s\n", m.ID, m.Began.Format(time.RFC3339))
	}
	out.printf("%s %d files, %s, and %d small ones, %s; %d were there already\n", verb, done.New.Count, formatBytes(done.New.Bytes),
		done.NewSmall.Count, formatBytes(done.NewSmall.Bytes), m.Blobs.Count+m.Packed.Count-done.New.Count-done.NewSmall.Count)
	out.printf("records: %d rows, %s\n", m.Records.Rows, formatBytes(m.Records.Bytes))
	if gone := done.Gone; len(gone.Snapshots) > 0 {
		out.printf("forgot %d older snapshots, and removed %d files, %s, and %d packs that no other needs\n", len(gone.Snapshots), gone.Files, formatBytes(gone.Bytes), gone.Packs)
	}
	for _, pack := range done.BadPacks {
		out.printf("DAMAGED pack %s in the place: what was in it was packed again\n", pack)
	}
	for _, lost := range m.Lost.First {
		out.printf("LOST %s (%s): %s\n", lost.Digest, formatBytes(lost.Size), lost.Why)
	}
	return out.err
}
