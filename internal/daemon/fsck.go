package daemon

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/config"
	"granary/internal/metadb"
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
	WrongUses    = registry.WrongUses
	Stray        = registry.Stray
	Unread       = registry.Unread
	Database     = registry.Database
	Derived      = registry.Derived
	NoIdentity   = registry.NoIdentity
	LostRecords  = registry.LostRecords
)

// Use is a file with the bytes of a blob.
type Use = registry.Use

// Subset chooses the blobs that a Fsck reads back.
type Subset = registry.Subset

// AllBlobs is the Subset of all blobs.
func AllBlobs() Subset { return registry.AllBlobs() }

// ParseSubset reads "all", "5%" or "3/20".
func ParseSubset(text string) (Subset, error) { return registry.ParseSubset(text) }

// FsckOptions say what a Fsck reads, changes and tells.
type FsckOptions struct {
	Read       Subset
	RepairFrom *config.Config // whose store, or place of backups, has right bytes; nil: none
	Elsewhere  Elsewhere      // or what has them instead; nil: nothing
	Quarantine bool           // mark damaged bytes that are not repaired, and set them aside
	Records    bool           // count and derive again what other records do not say
	Adopt      bool           // give bytes without a record one without files

	Tell     func(Finding) error // called for each finding, never twice at once; its error ends the Fsck
	Progress func(Checked)       // called now and then, never twice at once
}

// Fsck checks that database and store are whole, and contradict neither themselves nor
// each other; a server may be running. An error says that not all could be looked at;
// what was seen until then is in Checked. It never deletes.
func (a *Admin) Fsck(ctx context.Context, o FsckOptions) (seen Checked, err error) {
	defer startLittleMemory(ctx)()
	defer func() { err = explainDamage(ctx, a.cfg, err) }()
	store, err := openSource(ctx, a.cfg)
	if err != nil {
		return Checked{}, fmt.Errorf("cannot open the blobs in %s: %w", a.cfg.Blobs, err)
	}
	defer closeStore(store)
	first, mended := map[FindingKind]int64{}, map[FindingKind]int64{}
	tell := func(f Finding) error {
		first[f.Kind]++
		if f.Mended {
			mended[f.Kind]++
		}
		return o.Tell(f)
	}
	if err := a.checkIdentity(ctx, store, tell); err != nil {
		return Checked{Found: first}, err
	}
	mend, done, err := a.mend(ctx, store, o)
	if err != nil {
		return Checked{Found: first}, err
	}
	defer done()
	faults, err := a.server.db.SelfCheck(ctx)
	for _, text := range faults {
		if err := tell(Finding{Kind: Database, Reason: text}); err != nil {
			return Checked{Found: first}, err
		}
	}
	if err != nil {
		return Checked{Found: first}, fmt.Errorf("cannot check the %s: %w", a.cfg.Database, err)
	}
	if err := a.checkDerived(ctx, o.Records, tell); err != nil {
		return Checked{Found: first, Mended: mended}, fmt.Errorf("cannot check the %s: %w", a.cfg.Database, err)
	}
	if err := a.checkRecords(ctx, store, o.Read.All(), tell); err != nil {
		return Checked{Found: first, Mended: mended}, err
	}
	check := registry.Check{
		Records: a.server.db, Store: store, Read: o.Read, Age: registry.Grace, Now: time.Now, Mend: mend, Adopt: o.Adopt, Tell: o.Tell, Progress: o.Progress,
	}
	seen, err = check.Run(ctx)
	for kind, n := range first {
		seen.Found[kind] += n
		seen.Mended[kind] += mended[kind]
	}
	return seen, err
}

// checkDerived compares what is derived from other records, and with mend makes it anew if
// something is wrong. The uses of blobs are compared by the check of blobs, which names their files.
func (a *Admin) checkDerived(ctx context.Context, mend bool, tell func(Finding) error) error {
	found, err := a.server.db.CheckDerived(ctx)
	var refusal string
	var left []metadb.DerivedFault
	if mend && err == nil && len(found) > 0 {
		if failed := a.server.db.MendDerived(ctx, found); failed != nil {
			left, refusal = found, failed.Error()
		} else {
			left, err = a.server.db.CheckDerived(ctx)
			refusal = "it was made anew, and is still not right"
		}
	}
	for _, f := range found {
		told := Finding{Kind: Derived, Reason: f.String()}
		if mend && err == nil {
			if told.Mended = !slices.Contains(left, f); !told.Mended {
				told.Refusal = refusal
			}
		}
		if err := tell(told); err != nil {
			return err
		}
	}
	return err
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
	if err := a.server.refuseCutShort(ctx, a.cfg.Blobs, store); err != nil {
		return err
	}
	if err := sameIdentity(a.cfg.Blobs, found, identity, placed); err != nil && found == "" {
		return tell(Finding{Kind: NoIdentity, Reason: err.Error()})
	}
	return a.server.refuseLost(ctx, a.cfg.Blobs, found, identity, placed, store)
}

// mend is what the options ask to change. done is to be called when the Fsck is.
func (a *Admin) mend(ctx context.Context, store blob.Source, o FsckOptions) (_ *registry.Mend, done func(), err error) {
	m := &registry.Mend{From: o.Elsewhere, Quarantine: o.Quarantine, Counts: o.Records}
	done = func() {}
	if o.RepairFrom != nil {
		if sameStoreAs(a.cfg, *o.RepairFrom) {
			return nil, nil, fmt.Errorf("%s is the store that is checked; --repair-from names another", o.RepairFrom.Blobs)
		}
		from := &otherStore{cfg: *o.RepairFrom}
		if err := from.open(ctx); err != nil {
			return nil, nil, err
		}
		if err := from.isStore(ctx); err != nil {
			from.close()
			return nil, nil, err
		}
		m.From, done = from, from.close
	}
	if m.From != nil || m.Quarantine {
		if m.Into, err = a.writable(store); err != nil {
			done()
			return nil, nil, err
		}
	}
	return m, done, nil
}

// sameStoreAs reports whether two settings name one store, also by a link or in other words.
func sameStoreAs(one, other config.Config) bool {
	if one.Blobs.Scheme != other.Blobs.Scheme {
		return false
	}
	if one.Blobs.Scheme != "file" {
		p, q := one.S3, other.S3
		return p.Bucket == q.Bucket && p.Prefix == q.Prefix && p.Endpoint == q.Endpoint
	}
	p, err := os.Stat(one.Blobs.Path)
	q, failed := os.Stat(other.Blobs.Path)
	return err == nil && failed == nil && os.SameFile(p, q)
}

// writable is the checked store for writing.
func (a *Admin) writable(store blob.Source) (blob.Store, error) {
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
	return into, nil
}
