package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/metadb"
	"granary/internal/records"
	"granary/internal/registry"
)

// RebuildOptions say how to rebuild, and what to tell.
type RebuildOptions struct {
	From   *config.Config // whose store has the records; nil: the store of the settings
	DryRun bool           // rebuild into a temporary database
	Verify bool           // read all bytes of the store, and compare their SHA-256

	Tell     func(Finding) error // called for each finding, never twice at once; its error ends the rebuild
	Notice   func(string)        // is told what takes a while, and of a restore that was cut short; nil: nobody is
	Progress func(Checked)       // called now and then, while the store is looked at

	at     crashPoints   // of the database
	askFor time.Duration // whether a server uses a bucket; 0: answerIn
}

// Rebuilt is what a Rebuild came to.
type Rebuilt struct {
	Records   string    // name of the note with the base
	Deltas    int       // that follow it
	Until     time.Time // of the last event in them; what came later is lost
	Beyond    time.Time // of the last event in deltas that could not be used; zero if there are none
	Filled    bool      // the database is filled
	Rows      int64
	Bodies    int64    // small files, out of packs
	Damaged   []string // notes that are damaged or missing
	Jobs      int64    // whose tokens were ended
	Variables int64    // that were left out: the key is another, or gone
	Hooks     int64    // likewise
	Key       string   // the encryption key that was there, by its name; "" if none was
	Lost      int64    // files whose bytes are missing or damaged
	Store     Checked
}

// Whole reports whether every file on record has its bytes, every note was whole, and nothing
// was left out for want of the key.
func (r Rebuilt) Whole() bool {
	return r.Lost == 0 && len(r.Damaged) == 0 && r.Variables == 0 && r.Hooks == 0
}

// Rebuild fills the empty database of the settings, on which no server may run, from the
// records in its store, which no server may use, in one transaction. Then it looks for the bytes of each file. An
// error says whether the database is filled.
func Rebuild(ctx context.Context, cfg config.Config, o RebuildOptions) (done Rebuilt, err error) {
	defer startLittleMemory(ctx)()
	if err := supported(); err != nil {
		return done, err
	}
	store, err := openSource(ctx, cfg)
	if err != nil {
		return done, fmt.Errorf("cannot open the blobs in %s: %w", cfg.Blobs, err)
	}
	defer closeStore(store)
	r := &rebuild{cfg: cfg, o: o, store: store, from: store}
	if o.From != nil {
		if r.from, err = openSource(ctx, *o.From); err != nil {
			return done, fmt.Errorf("cannot open the records in %s: %w", o.From.Blobs, err)
		}
		defer closeStore(r.from)
	}
	if err := r.find(ctx); err != nil {
		return r.done, err
	}
	defer func() { err = errors.Join(err, r.target.release()) }()
	by := databaseFlag(cfg)
	if !o.DryRun {
		if err := r.target.keepServersAway(cfg); err != nil {
			return r.done, err
		}
		if err := refuseServed(ctx, cfg, store, o.askFor, o.Notice); err != nil {
			return r.done, err
		}
	} else {
		by = "TMPDIR"
		dir, err := os.MkdirTemp("", "granary-rebuild-*")
		if err != nil {
			return r.done, fmt.Errorf("cannot make a temporary directory: %w; TMPDIR names another place", err)
		}
		defer os.RemoveAll(dir)
		// The dry run's database is closed before its directory goes.
		defer func() { err = errors.Join(err, r.target.release()); r.target = server{} }()
		r.cfg.Database = config.Location{Scheme: "sqlite", Path: filepath.Join(dir, "granary.db")}
	}
	if err := r.target.openEmpty(ctx, r.cfg, by, r.o.at); err != nil {
		return r.done, err
	}
	if err := r.replay(ctx); err != nil {
		return r.done, fmt.Errorf("nothing was rebuilt in %s: %w", r.cfg.Database, err)
	}
	if err := r.look(ctx); err != nil {
		return r.done, fmt.Errorf("the records are rebuilt in %s, but not all bytes were looked for; granary fsck does that: %w", r.cfg.Database, err)
	}
	return r.done, nil
}

// rebuild is one Rebuild.
type rebuild struct {
	cfg    config.Config
	o      RebuildOptions
	store  blob.Source // with the bytes
	from   blob.Source // with the records
	found  records.Found
	target server
	done   Rebuilt
}

// find finds the records. A restore that was cut short leaves those that the store had, and none
// of its own: with them a rebuild is what keeps more, and without them it has nothing to do.
func (r *rebuild) find(ctx context.Context) error {
	begun, err := readRestoring(r.store.Note(ctx, restoringNote))
	if err != nil {
		return err
	}
	identity, err := readIdentity(r.store.Note(ctx, identityNote))
	if err != nil {
		return err
	}
	if identity == "" && begun == nil {
		return r.refuseNameless(ctx)
	}
	if identity == "" {
		return fmt.Errorf("a restore to %s was cut short, or still runs, and the store had no records before it: %s", r.cfg.Blobs, begun.again())
	}
	err = r.findRecords(ctx, identity)
	if begun == nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("a restore to %s was cut short, or still runs: %s; a rebuild is not possible: %w", r.cfg.Blobs, begun.again(), err)
	}
	if r.o.Notice != nil {
		r.o.Notice(fmt.Sprintf("a restore to %s was cut short, or still runs: this rebuilds what the store had before it, and not the snapshot %s; for that, %s",
			r.cfg.Blobs, begun.Snapshot, begun.again()))
	}
	return nil
}

func (r *rebuild) findRecords(ctx context.Context, identity string) (err error) {
	place := r.cfg.Blobs
	if r.o.From != nil {
		place = r.o.From.Blobs
	}
	if r.found, err = records.Find(ctx, blob.Readable(r.from), identity); err != nil {
		return fmt.Errorf("cannot rebuild from %s: %w", place, err)
	}
	r.done.Records, r.done.Deltas, r.done.Damaged = r.found.Files[0].Name, len(r.found.Files)-1, r.found.Damaged
	r.done.Until = time.UnixMicro(r.found.To).UTC()
	if r.found.Beyond != 0 {
		r.done.Beyond = time.UnixMicro(r.found.Beyond).UTC()
	}
	return nil
}

// refuseNameless refuses a store without an identity, and says that of its records if it has
// some.
func (r *rebuild) refuseNameless(ctx context.Context) error {
	head, err := records.ReadHead(ctx, blob.Readable(r.store))
	if err != nil || head.Identity == "" {
		return fmt.Errorf("%s is not the store of a server: nothing in it is named identity; correct the setting blobs, or mount the store", r.cfg.Blobs)
	}
	return fmt.Errorf("nothing in %s is named identity, but it has records, those of %q: if this is the right store, write that text to a file or object identity in it, and run this again; "+
		"if not, correct the setting blobs", r.cfg.Blobs, head.Identity)
}

// replay fills the database.
func (r *rebuild) replay(ctx context.Context) error {
	key, from, err := keyThere(r.cfg)
	if err != nil {
		return err
	}
	if key != nil {
		r.done.Key = keyName(r.cfg, from)
	}
	newest, err := records.Newest(ctx, r.store)
	if err != nil {
		return err
	}
	event := rebuiltEvent(newest, r.done.Records, r.done.Until)
	database := &metadb.Rebuilding{DB: r.target.db, Key: key, Event: event}
	into := &records.JournalTarget{Target: database, Packs: r.found.Packs}
	s, err := records.Replay(ctx, into, r.found.Files)
	if err != nil {
		return err
	}
	r.done.Filled = true
	r.done.Rows, r.done.Bodies = s.Rows(), into.Bodies // rows of the base
	r.done.Jobs, r.done.Variables, r.done.Hooks = database.Jobs, database.Variables, database.Hooks
	for _, bad := range into.Bad {
		r.done.Damaged = append(r.done.Damaged, bad.Error())
	}
	return nil
}

// rebuiltEvent is the first event of a database that was made again: it is later than the
// newest one in the journal of its store, also if a clock is wrong, so that the journal sees
// what comes after it. until is the time up to which from has everything.
func rebuiltEvent(newest int64, from string, until time.Time) audit.Event {
	at := time.Now()
	if after := time.UnixMicro(newest + 1); at.Before(after) {
		at = after
	}
	return commandLineEvent(audit.DatabaseRebuilt, at).To("Database", 0, from).With("records_until", "", until.UTC().Format(time.RFC3339))
}

// look looks for the bytes of each file. A file that has lost its bytes keeps its status: with
// another, downloads would get an older file of its name, and no store could mend it.
func (r *rebuild) look(ctx context.Context) (err error) {
	// Opened anew, as by a fsck, the database takes a third of the memory.
	err = r.target.db.Close()
	r.target.db = nil
	if err != nil {
		return err
	}
	if r.target.db, err = attach(ctx, r.cfg); err != nil {
		return err
	}
	check := registry.Check{
		Records: r.target.db, Store: r.store, Now: time.Now, Progress: r.o.Progress,
		Tell: func(f Finding) error {
			if f.Kind == MissingBytes || f.Kind == OtherSize || f.Kind == WrongBytes {
				r.done.Lost += f.AllUses
			}
			return r.o.Tell(f)
		},
	}
	if r.o.Verify {
		check.Read = registry.AllBlobs()
	}
	r.done.Store, err = check.Run(ctx)
	if n := r.done.Store.Found[Unread]; err == nil && n > 0 {
		err = fmt.Errorf("%d blobs could not be read", n)
	}
	return err
}

// refuseLost is sameIdentity that knows a database that was lost: it is empty, and its store
// is not. Such a store is never given another identity.
func (s *server) refuseLost(ctx context.Context, place config.Location, found, identity string, placed bool, from blob.Source) error {
	err := sameIdentity(place, found, identity, placed)
	if err == nil && found != "" || placed {
		return err
	}
	empty, failed := s.db.IsEmpty(ctx)
	if failed != nil || !empty {
		return errors.Join(err, failed)
	}
	newest, failed := records.Newest(ctx, from)
	if failed != nil {
		return errors.Join(err, failed)
	}
	if newest != 0 && found == "" {
		return fmt.Errorf("the database is empty, and nothing in %s is named identity, but it has records of a database that was filled: granary rebuild says what to do; if this is another server, correct the setting blobs", place)
	}
	if newest != 0 {
		return fmt.Errorf("the database is empty, and %s is the store of one that was filled, with its records; %s; if this is another server, correct the setting blobs", place, WayBack(true))
	}
	if found == "" {
		return err // a server that begins
	}
	for _, failed := range from.List(ctx, "") {
		if failed != nil {
			return errors.Join(err, failed)
		}
		return fmt.Errorf("the database is empty, and %s is the store of one that was filled, with its files; %s; if this is another server, correct the setting blobs", place, WayBack(false))
	}
	return err // it has neither
}
