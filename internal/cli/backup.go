package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
			"again. Missing and damaged files do not stop a backup; they are named, and the exit code is\n" +
			"3. So it is if only what comes after the snapshot failed, such as forgetting older ones.\n\n" +
			"The encryption key is not in a backup: keep it elsewhere.\n\n" + backupPlaceHelp + "\n\n" + config.Usage(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.LimitRate, err = parseRate("--limit-rate", rate); err != nil {
				return err
			}
			if o.DryRun && o.Verify {
				return usagef("--dry-run reads nothing that --verify could: granary backup check --read-data-subset all does")
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
	f.BoolVar(&o.Verify, "verify", false, "also read what the place has already, and copy again what is damaged there")
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
	if done.Foreign != "" {
		b.env.notice("warning: the newest snapshot that the place had, %s, was not made by this database: if another server with the same records backs up there, such as one that was restored, give it a place of its own; if this database was put back to an older time, all is well", done.Foreign)
	}
	if err == nil && done.Unfinished != "" {
		return refused("%s", done.Unfinished)
	}
	if err == nil {
		err = b.losses(o, done)
	}
	return err
}

// losses is the error of files that the server has lost; nil for none.
func (b *backup) losses(o daemon.BackupOptions, done daemon.BackedUp) error {
	var said []string
	if lost := done.Manifest.Lost.Count; lost > 0 {
		said = append(said, countedAre(lost, "file")+" missing or damaged in the server's store, or wrong on record, and not in the backup; all others are")
	}
	if only := done.OnlyInPlace.Count; only > 0 {
		said = append(said, fmt.Sprintf("%s missing or damaged in the server's store, and in the place: granary fsck --repair-from '%s' brings back to the server what that has", countedAre(only, "file"), o.To.Blobs.String()))
	}
	if len(said) == 0 {
		return nil
	}
	return refused("%s", strings.Join(said, "\n"))
}

// print says what a backup came to.
func (b *backup) print(o daemon.BackupOptions, done daemon.BackedUp) error {
	out := &printer{w: b.env.Stdout}
	m := done.Manifest
	gone := done.Gone
	verb := "copied"
	if o.DryRun {
		verb = "would copy"
	} else {
		out.printf("snapshot %s of %s\n", m.ID, m.Began.Format(time.RFC3339))
	}
	out.printf("%s %s, %s, and %d small, %s; %d already there\n", verb, counted(done.New.Count, "file"), formatBytes(done.New.Bytes),
		done.NewSmall.Count, formatBytes(done.NewSmall.Bytes), m.Blobs.Count+m.Packed.Count-done.New.Count-done.NewSmall.Count)
	out.printf("records: %s, %s\n", counted(m.Records.Rows, "row"), formatBytes(m.Records.Bytes))
	if o.DryRun {
		for _, id := range gone.Snapshots {
			out.printf("would forget the snapshot %s\n", id)
		}
	} else if len(gone.Snapshots) > 0 {
		out.printf("forgot %s, and removed %s, %s, and %s that no other needs\n", counted(int64(len(gone.Snapshots)), "older snapshot"),
			counted(gone.Files, "file"), formatBytes(gone.Bytes), counted(int64(gone.Packs), "pack"))
	}
	if done.KeptWhole != "" {
		out.printf("keeping the snapshot %s, which the flags do not ask for: it is the newest without lost files\n", done.KeptWhole)
	}
	if done.Mended > 0 {
		out.printf("MENDED %s of the place, damaged before\n", counted(done.Mended, "file"))
	}
	for _, pack := range done.MendedPacks {
		out.printf("MENDED pack %s of the place\n", pack)
	}
	for _, id := range done.Manifests {
		out.printf("MENDED manifest of the snapshot %s\n", id)
	}
	for _, s := range done.Damaged {
		out.printf("DAMAGED snapshot %s in the place: %s; %s. Until then nothing is forgotten\n", s.ID, s.Damage, s.Cure)
	}
	for _, pack := range done.BadPacks {
		out.printf("DAMAGED pack %s in the place: what was in it was packed again\n", pack)
	}
	for _, lost := range m.Lost.First {
		out.printf("LEFT OUT %s (%s): %s\n", lost.Digest, formatBytes(lost.Size), lost.Why)
	}
	for _, lost := range done.OnlyInPlace.First {
		out.printf("ONLY IN THE PLACE %s (%s): in the server's store: %s\n", lost.Digest, formatBytes(lost.Size), lost.Why)
	}
	return out.err
}
