package daemon

import (
	"context"
	"fmt"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/config"
	"granary/internal/registry"
)

// Checked is what a Fsck has seen.
type Checked = registry.Checked

// Finding is one thing that a Fsck found.
type Finding = registry.Finding

// FindingKind is what is wrong in a Finding.
type FindingKind = registry.FindingKind

// The kinds of findings.
const (
	MissingBytes = registry.MissingBytes
	OtherSize    = registry.OtherSize
	WrongBytes   = registry.WrongBytes
	WrongRecord  = registry.WrongRecord
	WrongCount   = registry.WrongCount
	Stray        = registry.Stray
	Unread       = registry.Unread
	Database     = registry.Database
	Derived      = registry.Derived
	NoIdentity   = registry.NoIdentity
)

// Use is a file with the bytes of a blob.
type Use = registry.Use

// Subset chooses the blobs that a Fsck reads back.
type Subset = registry.Subset

// AllBlobs is the Subset of all blobs.
func AllBlobs() Subset { return registry.AllBlobs() }

// ParseSubset reads "5%" or "3/20".
func ParseSubset(text string) (Subset, error) { return registry.ParseSubset(text) }

// FsckOptions say what a Fsck reads, changes and tells.
type FsckOptions struct {
	Read       Subset
	RepairFrom *config.Config // whose store has right bytes; nil: nothing is repaired
	Adopt      bool           // give bytes without a record one without files

	Tell     func(Finding) error // called for each finding, never twice at once; its error ends the Fsck
	Progress func(Checked)       // called now and then, never twice at once
}

// Fsck checks that database and store are whole, and contradict neither themselves nor
// each other; a server may be running. An error says that not all could be looked at;
// what was seen until then is in Checked. It never deletes.
func (a *Admin) Fsck(ctx context.Context, o FsckOptions) (Checked, error) {
	store, err := openSource(ctx, a.cfg)
	if err != nil {
		return Checked{}, fmt.Errorf("cannot open the blobs in %s: %w", a.cfg.Blobs, err)
	}
	defer closeStore(store)
	first := map[FindingKind]int64{}
	tell := func(f Finding) error {
		first[f.Kind]++
		return o.Tell(f)
	}
	if err := a.checkIdentity(ctx, store, tell); err != nil {
		return Checked{Found: first}, err
	}
	faults, err := a.server.db.SelfCheck(ctx)
	for _, text := range faults {
		if err := tell(Finding{Kind: Database, Reason: text}); err != nil {
			return Checked{Found: first}, err
		}
	}
	if err != nil {
		return Checked{Found: first}, fmt.Errorf("cannot check the %s: %w", a.cfg.Database, err)
	}
	derived, err := a.server.db.CheckDerived(ctx)
	for _, f := range derived {
		if f.Table == "blobs" {
			continue // the check names the files of these
		}
		if err := tell(Finding{Kind: Derived, Reason: f.String()}); err != nil {
			return Checked{Found: first}, err
		}
	}
	if err != nil {
		return Checked{Found: first}, fmt.Errorf("cannot check the %s: %w", a.cfg.Database, err)
	}
	check := registry.Check{
		Records: a.server.db, Store: store, Read: o.Read, Age: registry.Grace, Now: time.Now, Adopt: o.Adopt, Tell: o.Tell, Progress: o.Progress,
	}
	if o.RepairFrom != nil {
		mend, err := a.openMend(ctx, store, *o.RepairFrom)
		if err != nil {
			return Checked{Found: first}, err
		}
		defer closeStore(mend.From)
		check.Mend = mend
	}
	done, err := check.Run(ctx)
	for kind, n := range first {
		done.Found[kind] += n
	}
	return done, err
}

// checkIdentity fails if the store is that of other records: looking there would tell
// nothing.
func (a *Admin) checkIdentity(ctx context.Context, store blob.Source, tell func(Finding) error) error {
	identity, placed, err := a.server.db.StoreIdentity(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the %s: %w", a.cfg.Database, err)
	}
	found, err := readIdentity(store.Note(ctx, identityNote))
	if err != nil {
		return fmt.Errorf("cannot read the identity of the store %s: %w", a.cfg.Blobs, err)
	}
	err = sameIdentity(a.cfg.Blobs, found, identity, placed)
	if err != nil && found == "" {
		return tell(Finding{Kind: NoIdentity, Reason: err.Error()})
	}
	return err
}

// openMend opens the store that right bytes come from, and the checked one for writing.
func (a *Admin) openMend(ctx context.Context, store blob.Source, from config.Config) (*registry.Mend, error) {
	if from.Blobs == a.cfg.Blobs {
		return nil, fmt.Errorf("%s is the store that is checked; --repair-from names another", from.Blobs)
	}
	into, ok := store.(blob.Store)
	if a.cfg.Blobs.Scheme == "file" {
		shared, err := disk.OpenShared(a.cfg.Blobs.Path) // a server's uploads stay
		if err != nil {
			return nil, fmt.Errorf("cannot write to the blobs in %s: %w", a.cfg.Blobs, err)
		}
		into, ok = shared, true
	}
	if !ok {
		return nil, fmt.Errorf("cannot write to the blobs in %s", a.cfg.Blobs)
	}
	right, err := openSource(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("cannot open the blobs in %s, to repair from: %w", from.Blobs, err)
	}
	return &registry.Mend{From: right, Into: into}, nil
}
