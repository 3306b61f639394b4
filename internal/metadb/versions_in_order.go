package metadb

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/versions"
)

// ListInOrder implements registry.Versions. Stable versions and pre-releases are two
// ranges of the index: of each the first rows are read, and merged. Versions that the
// upkeep has not given a key yet come last.
func (db *DB) ListInOrder(ctx context.Context, projectID int64, name registry.Name, after *registry.VersionCursor, limit int) ([]registry.PackageVersion, error) {
	found, err := listInOrder(ctx, db, projectID, name, after, limit)
	if err != nil {
		return nil, err
	}
	return found, versionPipelines(ctx, db, found)
}

// listInOrder is ListInOrder without the pipelines.
func listInOrder(ctx context.Context, q sqldb.Queries, projectID int64, name registry.Name, after *registry.VersionCursor, limit int) ([]registry.PackageVersion, error) {
	keyless, err := isKeyless(ctx, q, after)
	if err != nil {
		return nil, err
	}
	var found []registry.PackageVersion
	if !keyless {
		for _, prerelease := range []int{0, 1} {
			w := versionsOf(projectID, name)
			w.And("k.prerelease = ?", prerelease)
			if after != nil {
				w.And("(k.version_key, k.id) < (?, ?)", versions.Key(string(after.Version)), after.ID)
			}
			some, err := listVersions(ctx, q, &w, "k.version_key DESC, k.id DESC", limit)
			if err != nil {
				return nil, err
			}
			found = append(found, some...)
		}
		found = highestFirst(found, limit)
	}
	if len(found) == limit {
		return found, nil
	}
	w := versionsOf(projectID, name)
	w.And("k.prerelease IS NULL")
	if keyless {
		w.And("k.id < ?", after.ID)
	}
	rest, err := listVersions(ctx, q, &w, "k.prerelease DESC, k.version_key DESC, k.id DESC", limit-len(found)) // the order of the index
	return append(found, rest...), err
}

// versionsOf is the condition that a version is of the name, and listed.
func versionsOf(projectID int64, name registry.Name) (w sqldb.Where) {
	w.And("k.project_id = ? AND k.name = ? AND k.status <> 'pending_destruction' AND "+isListed, projectID, string(name))
	return w
}

func listVersions(ctx context.Context, q sqldb.Queries, w *sqldb.Where, order string, limit int) ([]registry.PackageVersion, error) {
	return sqldb.List(ctx, q, scanVersion, `SELECT 0, `+versionColumns+` FROM packages k`+w.String()+` ORDER BY `+order+w.Bind(" LIMIT ?", limit), w.Args...)
}

// isKeyless reports whether the version at the cursor has no key.
func isKeyless(ctx context.Context, q sqldb.Queries, at *registry.VersionCursor) (keyless bool, err error) {
	if at == nil {
		return false, nil
	}
	err = q.Row(ctx, `SELECT prerelease IS NULL FROM packages WHERE id = $1`, at.ID).Scan(&keyless)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil // it was deleted since
	}
	return keyless, sqldb.Classify(err)
}

// highestFirst puts versions in their order, and returns up to limit of them.
func highestFirst(all []registry.PackageVersion, limit int) []registry.PackageVersion {
	keys := make(map[int64][]byte, len(all))
	for _, v := range all {
		keys[v.ID] = versions.Key(string(v.Version))
	}
	slices.SortFunc(all, func(a, b registry.PackageVersion) int {
		return cmp.Or(bytes.Compare(keys[b.ID], keys[a.ID]), cmp.Compare(b.ID, a.ID))
	})
	return all[:min(len(all), limit)]
}

// selectKeyless makes the choice of a selector in Go, for a name of which some version
// has no key yet. It reads all versions of the name and keeps the best.
func (db *DB) selectKeyless(ctx context.Context, projectID int64, name registry.Name, s versions.Selector) (registry.PackageVersion, error) {
	within := versions.Semantic()
	if s.Range != nil {
		within = *s.Range
	}
	var best candidate
	anyFinal := false
	_, err := sqldb.List(ctx, db, func(row sqldb.Scanner) (none struct{}, err error) {
		var c candidate
		var version string
		var shown, final bool
		if err := row.Scan(&c.id, &version, &shown, &final); err != nil {
			return none, err
		}
		anyFinal = anyFinal || final
		key, pre := versions.KeyAndKind(version)
		c.key, c.stable, c.final = key, !pre, final
		if shown && within.Has(c.key) && (c.stable || s.Latest) && best.below(c) {
			best = c
		}
		return none, nil
	}, `SELECT k.id, k.version, CASE WHEN k.status IN `+shown+` AND k.yanked_at IS NULL THEN 1 ELSE 0 END,
		CASE WHEN k.final_at IS NULL THEN 0 ELSE 1 END FROM packages k WHERE `+ofName, projectID, string(name))
	if err != nil {
		return registry.PackageVersion{}, err
	}
	if best.id == 0 || anyFinal && !best.final {
		return registry.PackageVersion{}, fault.New(fault.NotFound, "")
	}
	return scanVersion(db.Row(ctx, `SELECT 0, `+versionColumns+` FROM packages k WHERE k.id = $1`, best.id))
}

// candidate is a version that a selector may choose.
type candidate struct {
	id            int64
	key           []byte
	stable, final bool
}

// below reports whether another candidate is better: a final one, then a stable one,
// then the higher one, then the later one.
func (c candidate) below(other candidate) bool {
	switch {
	case c.id == 0:
		return true
	case c.final != other.final:
		return other.final
	case c.stable != other.stable:
		return other.stable
	}
	return cmp.Or(bytes.Compare(c.key, other.key), cmp.Compare(c.id, other.id)) < 0
}

// KeyVersions implements registry.Versions.
func (db *DB) KeyVersions(ctx context.Context, limit int) (int, error) {
	var keyless bool
	if err := db.Row(ctx, `SELECT EXISTS (SELECT 1 FROM packages WHERE version_key IS NULL)`).Scan(&keyless); err != nil || !keyless {
		return 0, sqldb.Classify(err)
	}
	defer db.holdChoices()()
	return write(ctx, db, func(t tx) (int, error) {
		type keyless struct {
			id      int64
			version string
		}
		found, err := sqldb.List(ctx, t, func(row sqldb.Scanner) (k keyless, err error) { return k, row.Scan(&k.id, &k.version) },
			`SELECT id, version FROM packages WHERE version_key IS NULL ORDER BY id LIMIT $1`, limit)
		if err != nil {
			return 0, err
		}
		for _, k := range found {
			key, pre := versions.KeyAndKind(k.version)
			err := t.Exec(`UPDATE packages SET version_key = $1, prerelease = $2 WHERE id = $3`, key, sqldb.Bool(pre), k.id)
			if err != nil {
				return 0, err
			}
		}
		return len(found), nil
	})
}
