package metadb

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// MendDerived makes all derived rows and columns anew, for faults that CheckDerived found.
// No server may run: it has sizes in memory that it would add to names a second time. One
// that starts meanwhile waits with its first publication. The error names a server that
// runs; then nothing was changed.
func (db *DB) MendDerived(ctx context.Context, faults []DerivedFault) error {
	keys := slices.ContainsFunc(faults, DerivedFault.ofKey)
	err := db.do(ctx, func(t tx) error {
		if err := db.onlyUs(ctx, t); err != nil {
			return err
		}
		if err := db.derive(t); err != nil || !keys {
			return err
		}
		return t.Exec(`UPDATE packages SET version_key = NULL, prerelease = NULL`)
	})
	for left := 1; left > 0 && err == nil && keys; { // if this is cut short, a server goes on with it
		left, err = db.KeyVersions(ctx, 1000)
	}
	return err
}

// onlyUs keeps publishers away until the end of the transaction, and fails if there may be
// some.
func (db *DB) onlyUs(ctx context.Context, t tx) error {
	if db.Shared() { // else the transaction has done so
		for _, text := range []string{`SET LOCAL statement_timeout = 0`, `LOCK TABLE packages, package_files, uploads, blobs IN SHARE ROW EXCLUSIVE MODE`} {
			if err := t.Exec(text); err != nil {
				return err
			}
		}
	}
	nodes, err := db.Nodes(ctx)
	if err != nil || len(nodes) == 0 {
		return err
	}
	return fmt.Errorf("%s runs, and would change what is being made anew; stop it, and run this again", nodes[0])
}

// ofKey reports whether the key is wrong by which versions are ordered. It is made from the
// version alone.
func (f DerivedFault) ofKey() bool { return strings.HasPrefix(f.Is, "version_key") }
