package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"granary/internal/config"
	"granary/internal/daemon"
)

const fsckHelp = `Check that everything is there: that each file on record has its bytes, where a download
would look for them, and that the records do not contradict themselves. The server may be
running. Nothing is deleted, and nothing is changed without --repair-from, --quarantine,
--repair-records and --adopt.

Without --read-data, sizes are compared and no bytes are read. --read-data reads all of
them and the records in the store, and compares their SHA-256; --read-data-subset reads some: 5% is a random twentieth,
another one each time; 3/20 is the third of twenty parts, which are everything together.

What is found, one a line:
  MISSING   a file has no bytes
  SIZE      a file has more or fewer bytes than it had
  WRONG     a file has other bytes
  RECORD    the bytes are right, and their number on record is not
  USES      the number of files with some bytes is not right on record
  STRAY     bytes that no record has named for a day
  UNREAD    bytes that the store could not read: they may be right
  DATABASE  the database's file is damaged, or its tables contradict each other
  DERIVED   a number or list that is made from other records is not what they say
  IDENTITY  the store does not say whose it is
  RECORDS   the records in the store, of which granary rebuild makes a lost database again,
            are damaged or missing; the server writes new ones by itself

--repair-from PLACE takes the right bytes of what is missing, wrong or unread from another
store, file:DIRECTORY or s3://BUCKET/PREFIX; from a place of backups, whose packs have the
small files; or from a server that has files of the same names, https://HOST, with the
token of GRANARY_TOKEN or of granary login. They are compared with the digest before they
are stored, and the wrong ones are set aside. --quarantine sets aside wrong bytes that are
not repaired, as the server's own scrub does: they are no longer served, and kept in
damaged/ beside the blobs. --repair-records counts anew where USES says so, and makes anew
what DERIVED names, for which no server may run.

The exit code is 0 if everything found was repaired, and 1 if not everything could be looked at,
whatever was found.

`

// fsck is the command's flags.
type fsck struct {
	env        Env
	json       bool
	readData   bool
	subset     string
	repairFrom string
	quarantine bool
	records    bool
	adopt      bool
}

func newFsck(env Env) *cobra.Command {
	o := &fsck{env: env}
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Check that every file on record has its bytes",
		Long:  fsckHelp + config.Usage(),
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.readData, "read-data", false, "read all bytes, and compare their SHA-256")
	f.StringVar(&o.subset, "read-data-subset", "", "read this `part` of the bytes: 5%, or 3/20")
	f.StringVar(&o.repairFrom, "repair-from", "", "take missing and wrong bytes from this `place`, file:DIRECTORY, s3://BUCKET/PREFIX or https://HOST")
	f.BoolVar(&o.quarantine, "quarantine", false, "set wrong bytes aside that are not repaired: they are no longer served, and are kept")
	f.BoolVar(&o.records, "repair-records", false, "make numbers and lists anew that other records contradict")
	f.BoolVar(&o.adopt, "adopt", false, "record stray bytes, so that the sweep removes them after a day if no file comes to need them")
	f.BoolVar(&o.json, "json", false, "print one JSON document")
	addSettings(cmd)
	return cmd
}

func (o *fsck) run(cmd *cobra.Command) (err error) {
	cfg, err := loadConfig(cmd, o.env)
	if err != nil {
		return err
	}
	ctx, stop := untilInterrupted(cmd)
	defer stop()
	options, err := o.options(ctx, cfg)
	if err != nil {
		return err
	}
	d, err := daemon.OpenAdmin(ctx, cfg, versionOf(o.env.Version))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	o.env.giveWay()
	return o.check(ctx, d, options)
}

// options are those of the flags.
func (o *fsck) options(ctx context.Context, cfg config.Config) (options daemon.FsckOptions, err error) {
	switch {
	case o.readData && o.subset != "":
		return options, usagef("--read-data reads all bytes, and --read-data-subset a part of them: give one of the two")
	case o.readData:
		options.Read = daemon.AllBlobs()
	case o.subset != "":
		if options.Read, err = daemon.ParseSubset(o.subset); err != nil {
			return options, usageError{fmt.Errorf("--read-data-subset: %w", err)}
		}
	}
	options.Adopt, options.Quarantine, options.Records = o.adopt, o.quarantine, o.records
	switch {
	case o.repairFrom == "":
		return options, nil
	case isServer(o.repairFrom):
		options.Elsewhere, err = repairServer(ctx, o.env, o.repairFrom)
		return options, err
	}
	from, err := cfg.WithBlobs(o.repairFrom)
	if err != nil {
		return options, usageError{fmt.Errorf("--repair-from is %q: %w, or a server's address, https://HOST", o.repairFrom, err)}
	}
	options.RepairFrom = &from
	return options, nil
}

// report prints what a check finds.
type report interface {
	finding(f daemon.Finding) error
	// end prints the numbers; kept is nil if that could not be looked at.
	end(done daemon.Checked, kept *daemon.Kept, failed error) error
}

// check prints what is found, and fails if that is damage.
func (o *fsck) check(ctx context.Context, d *daemon.Admin, options daemon.FsckOptions) error {
	line := newFsckLine(o.env)
	var to report = &fsckText{printer{w: o.env.Stdout}}
	if o.json {
		to = &fsckJSON{w: o.env.Stdout}
	}
	options.Progress = line.draw
	options.Tell = func(f daemon.Finding) error {
		line.clear()
		return to.finding(f)
	}
	done, err := d.Fsck(ctx, options)
	line.clear()
	if n := done.Unread(); err == nil && n > 0 {
		err = fmt.Errorf("%d blobs could not be read: see the lines UNREAD", n)
	}
	if ctx.Err() != nil {
		err = interruption(ctx)
	}
	var kept *daemon.Kept
	if err == nil || done.Seen > 0 {
		found, failed := d.Kept(ctx)
		if kept, err = found, cmp.Or(err, failed); kept != nil && done.Found[daemon.LostRecords] > 0 {
			kept.Damaged = true
		}
	}
	if printed := to.end(done, kept, err); printed != nil {
		return errors.Join(err, printed)
	}
	if err == nil && done.Damaged() {
		return exitError{errors.New(""), exitDamaged} // it has been printed
	}
	return err // not all was looked at: that is more than the damage that was seen
}
