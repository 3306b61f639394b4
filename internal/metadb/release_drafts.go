package metadb

import (
	"context"
	"errors"
	"fmt"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/sqldb"
)

var errTooManyFiles = errors.New("the drafts of a release have too many files")

// draftsOfVersions takes a project, two versions and a limit. It names the status twice, so
// that SQLite uses the partial index by status.
const draftsOfVersions = `SELECT name, version FROM packages WHERE project_id = $1 AND version IN ($2, $3) AND status = 'draft' AND status <> 'default' ORDER BY id LIMIT $4`

// releaseWith does what is alongside a release. It reports whether a version became final.
// The transaction holds the turn, so that no publish makes a draft of the release's versions
// meanwhile (unreleased).
func (t tx) releaseWith(ctx context.Context, projectID int64, with releases.Alongside) (changed bool, err error) {
	if with == nil {
		return false, nil
	}
	finals, ok := with.(*registry.Finals)
	if !ok {
		return false, fault.New(fault.Internal, fmt.Sprintf("%T cannot be alongside a release", with))
	}
	drafts, err := sqldb.List(ctx, t, func(row sqldb.Scanner) (p registry.Package, err error) {
		err = row.Scan(&p.Name, &p.Version)
		return p, err
	}, draftsOfVersions, projectID, string(finals.Versions[0]), string(finals.Versions[len(finals.Versions)-1]), registry.MostFinals+1)
	if err != nil {
		return false, err
	}
	if len(drafts) > registry.MostFinals {
		return false, registry.TooManyFinals()
	}
	files := 0
	judge := func(v registry.PackageVersion, found []registry.VersionFile) (registry.Final, error) {
		if files += len(found); files > registry.MostFinalFiles {
			return registry.Final{}, errTooManyFiles
		}
		return finals.Judge(v, found)
	}
	for _, d := range drafts {
		v, err := t.heldVersion(ctx, projectID, d.Name, d.Version, `('draft')`)
		if fault.Is(err, fault.NotFound) {
			continue // discarded or made final meanwhile
		}
		if err != nil {
			return false, err
		}
		_, _, err = t.finalise(ctx, v, judge)
		if errors.Is(err, errTooManyFiles) {
			return false, registry.TooManyFinals()
		}
		if err != nil {
			return false, finals.Refusal(v, err)
		}
	}
	return len(drafts) > 0, nil
}

// HasRelease implements registry.Settling.
func (db *DB) HasRelease(ctx context.Context, projectID int64, tags registry.ReleaseTags) (bool, error) {
	return hasRelease(ctx, db, projectID, tags)
}

const releaseOfTags = `SELECT EXISTS (SELECT 1 FROM releases WHERE project_id = $1 AND tag IN ($2, $3))`

func hasRelease(ctx context.Context, q sqldb.Queries, projectID int64, tags registry.ReleaseTags) (found bool, err error) {
	err = q.Row(ctx, releaseOfTags, projectID, tags[0], tags[1]).Scan(&found)
	return found, sqldb.Classify(err)
}

var errReleased = errors.New("the version's release exists: a draft would never become final by it")

// unreleased returns errReleased if a publication counts on a release that exists. A release
// that is made meanwhile waits for this transaction, and makes its draft final; a row of
// the turn that is shared lets other publishes go on.
func (db *DB) unreleased(ctx context.Context, t tx, p registry.Publication) error {
	if p.Unreleased == (registry.ReleaseTags{}) {
		return nil
	}
	if db.Shared() {
		if err := t.Exec(`SELECT made FROM permission_changes FOR SHARE`); err != nil {
			return err
		}
	}
	released, err := hasRelease(ctx, t, p.ProjectID, p.Unreleased)
	if err == nil && released {
		err = errReleased
	}
	return err
}
