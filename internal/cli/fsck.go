package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"granary/internal/config"
	"granary/internal/daemon"
)

// exitDamaged is granary fsck's exit code for damage.
const exitDamaged = 3

const fsckHelp = `Check that everything is there: that each file on record has its bytes, where a download
would look for them, and that the records do not contradict themselves. The server may be
running. Nothing is deleted, and without --repair-from and --adopt nothing is changed.

Without --read-data, sizes are compared and no bytes are read. --read-data reads all of
them and compares their SHA-256; --read-data-subset reads some: 5% is a random twentieth,
another one each time; 3/20 is the third of twenty parts, which are everything together.

What is found, one a line:
  MISSING   a file has no bytes
  SIZE      a file has more or fewer bytes than it had
  WRONG     a file has other bytes
  RECORD    the bytes are right, and their number on record is not
  COUNT     the number of files with some bytes is not right on record
  STRAY     bytes that no record has named for a day
  UNREAD    bytes that the store could not read: they may be right
  DATABASE  the database's file is damaged, or its tables contradict each other
  DERIVED   a number or list that is made from other records is not what they say
  IDENTITY  the store does not say whose it is

Exit codes: 0 whole, or everything found was repaired; 3 damage found; 1 not everything
could be looked at.

`

// fsck is the command's flags.
type fsck struct {
	env        Env
	json       bool
	readData   bool
	subset     string
	repairFrom string
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
	f.StringVar(&o.repairFrom, "repair-from", "", "take missing and wrong bytes from this `store`, file:DIRECTORY or s3://BUCKET/PREFIX")
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
	options, err := o.options(cfg)
	if err != nil {
		return err
	}
	ctx, stop := untilInterrupted(cmd)
	defer stop()
	d, err := daemon.OpenAdmin(ctx, cfg, versionOf(o.env.Version))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	o.env.giveWay()
	return o.check(ctx, d, options)
}

// options are those of the flags.
func (o *fsck) options(cfg config.Config) (options daemon.FsckOptions, err error) {
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
	options.Adopt = o.adopt
	if o.repairFrom == "" {
		return options, nil
	}
	from, err := cfg.WithBlobs(o.repairFrom)
	if err != nil {
		return options, usageError{fmt.Errorf("--repair-from is %q: %w", o.repairFrom, err)}
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
	if err == nil && done.Found[daemon.Unread] > 0 {
		err = fmt.Errorf("%d blobs could not be read: see the lines UNREAD", done.Found[daemon.Unread])
	}
	if ctx.Err() != nil {
		err = interruption(ctx)
	}
	var kept *daemon.Kept
	if err == nil {
		kept, err = d.Kept(ctx)
	}
	if printed := to.end(done, kept, err); printed != nil {
		return errors.Join(err, printed)
	}
	if done.Damaged() {
		if err == nil {
			err = errors.New("") // it has been printed
		}
		return exitError{err, exitDamaged}
	}
	return err
}
