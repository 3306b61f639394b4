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

const rebuildHelp = `Make the database of the settings again, from the records that the server keeps in its store
of files. The database has to be empty or missing; no server may run. It is filled in one
transaction: whole, or not at all. Then each file's bytes are looked for; files that have none
are listed.

The records are those of the time that is printed: what came later is lost. All job tokens end.
Tokens that were revoked later are valid again, and removed members and users are back. Without
the right encryption key CI/CD variables and webhooks are left out: put encryption_key into the
data directory first, or set GRANARY_ENCRYPTION_KEY.

`

// rebuild is the command's flags.
type rebuild struct {
	env    Env
	json   bool
	from   string
	dryRun bool
	verify bool
}

func newRebuild(env Env) *cobra.Command {
	o := &rebuild{env: env}
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make a lost database again, from the records in the store",
		Long:  rebuildHelp + config.Usage(),
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "take the records from this copy of the `store`, file:DIRECTORY or s3://BUCKET/PREFIX")
	f.BoolVar(&o.dryRun, "dry-run", false, "rebuild into a temporary database, and change nothing")
	f.BoolVar(&o.verify, "verify", false, "read the bytes of all files, and compare their SHA-256")
	f.BoolVar(&o.json, "json", false, "print one JSON document")
	addSettings(cmd)
	return cmd
}

func (o *rebuild) run(cmd *cobra.Command) error {
	cfg, err := loadConfig(cmd, o.env)
	if err != nil {
		return err
	}
	options := daemon.RebuildOptions{DryRun: o.dryRun, Verify: o.verify}
	if o.from != "" {
		from, err := cfg.WithBlobs(o.from)
		if err != nil {
			return usageError{fmt.Errorf("--from is %q: %w", o.from, err)}
		}
		options.From = &from
	}
	ctx, stop := untilInterrupted(cmd)
	defer stop()
	return o.rebuild(ctx, cfg, options)
}

func (o *rebuild) rebuild(ctx context.Context, cfg config.Config, options daemon.RebuildOptions) error {
	line := newFsckLine(o.env)
	out := &fsckText{printer{w: o.env.Stdout}}
	findings := []jsonFinding{}
	options.Progress = line.draw
	options.Notice = func(text string) { o.env.notice("%s", text) }
	options.Tell = func(f daemon.Finding) error {
		line.clear()
		if f.Kind == daemon.Stray {
			return nil // counted
		}
		if o.json {
			if len(findings) < mostFindings {
				findings = append(findings, newJSONFinding(f))
			}
			return nil
		}
		return out.finding(f)
	}
	done, err := daemon.Rebuild(ctx, cfg, options)
	line.clear()
	if err != nil && done.Filled && ctx.Err() != nil {
		return fmt.Errorf("%w; the records are rebuilt, but not all bytes were looked for; granary fsck does that", interruption(ctx))
	}
	if err != nil {
		return err
	}
	if o.json {
		err = printJSON(o.env, newJSONRebuilt(o.dryRun, done, findings))
	} else {
		err = o.print(out, done)
	}
	if err == nil && !done.Whole() {
		return exitError{errors.New(""), exitDamaged} // it has been printed
	}
	return err
}

// print says what a rebuild came to.
func (o *rebuild) print(out *fsckText, done daemon.Rebuilt) error {
	verb := "rebuilt"
	if o.dryRun {
		verb = "dry run"
	}
	for _, text := range done.Damaged {
		out.printf("DAMAGED   %s\n", text)
	}
	s := done.Store
	out.printf("%-9s %s files of %s versions, %s small ones among them, as of %s (a base of %s rows, and %d deltas)\n", verb,
		grouped(s.Files), grouped(s.Versions), grouped(done.Bodies), done.Until.Format(time.RFC3339), grouped(done.Rows), done.Deltas)
	out.printf("bytes     %s there, %s missing, %s of another size or wrong", grouped(s.There), grouped(s.Found[daemon.MissingBytes]),
		grouped(s.Found[daemon.OtherSize]+s.Found[daemon.WrongBytes]))
	if n := s.Found[daemon.Stray]; n > 0 {
		out.printf("; %s without a record (%s): published later, or removed before", grouped(n), formatBytes(s.StrayBytes))
	}
	out.printf("\nlost      what was done after %s, or in the minute before it. Tokens, members and users that were\n", done.Until.Format(time.RFC3339))
	out.printf("          removed since are valid again: remove them again. %s running jobs were ended, with their tokens.\n", grouped(done.Jobs))
	if !done.Beyond.IsZero() {
		out.printf("LOST      records up to %s are there, and cannot be used: some before them are missing or damaged; a backup may have more: granary backup ls tells, and granary restore takes it, into an empty database\n", done.Beyond.Format(time.RFC3339))
	}
	if done.Variables+done.Hooks > 0 {
		key := "there is no encryption key"
		if done.Key != "" {
			key = "the encryption key " + done.Key + " is not theirs"
		}
		out.printf("LEFT OUT  %s CI/CD variables and %s webhooks: %s.\n", grouped(done.Variables), grouped(done.Hooks), key)
		for _, line := range leftOutCure(o.dryRun) {
			out.printf("          %s\n", line)
		}
	}
	if done.Lost > 0 {
		out.printf("LOST      %s files have no right bytes; granary fsck --repair-from may find them elsewhere\n", grouped(done.Lost))
	}
	return out.err
}

// leftOutCure says, in lines, how variables and webhooks that were left out come back.
func leftOutCure(dryRun bool) []string {
	const key = "put the right key back, as encryption_key in the data directory or as GRANARY_ENCRYPTION_KEY"
	if dryRun {
		return []string{"Before the rebuild, " + key + "."}
	}
	return []string{
		"They are lost for good once a server on this database writes its next base. To have them, start none:",
		key + ",",
		"empty the database again (remove its file; on PostgreSQL make a new one), and run this again.",
	}
}
