package metadb

import (
	"context"

	"granary/internal/sqldb"
)

// On PostgreSQL publishers append rows to their counters, so that none waits for
// another's commit. The statements here sum these rows. They delete what they read, so
// that each row is summed once, on whatever node.

// sumCounts makes one row of all rows for the same project and status.
const sumCounts = `WITH many AS (
		SELECT project_id, status FROM package_counts GROUP BY project_id, status HAVING COUNT(*) > 1),
	taken AS (
		DELETE FROM package_counts c USING many m WHERE c.project_id = m.project_id AND c.status = m.status
		RETURNING c.project_id, c.status, c.packages, c.files, c.bytes)
	INSERT INTO package_counts (project_id, status, packages, files, bytes)
		SELECT project_id, status, SUM(packages), SUM(files), SUM(bytes) FROM taken GROUP BY project_id, status`

// sumNames adds to each name what was published and removed. The newest version of a name
// is looked up anew if one has gone.
const sumNames = `WITH taken AS (DELETE FROM package_name_changes RETURNING project_id, name, listed, bytes, published_at, last_id, gone),
	s AS (SELECT project_id, name, SUM(listed) AS listed, SUM(bytes) AS bytes, MAX(gone) AS gone, MAX(published_at) AS published_at,
		(array_agg(last_id ORDER BY published_at DESC NULLS LAST, last_id DESC))[1] AS last_id FROM taken GROUP BY project_id, name)
	UPDATE package_names n SET listed = n.listed + s.listed, bytes = n.bytes + s.bytes, changed = 1,
		published_at = CASE WHEN s.gone = 1 THEN NULL WHEN n.listed = 0 OR s.published_at >= n.published_at THEN s.published_at ELSE n.published_at END,
		last_id = CASE WHEN s.gone = 1 THEN NULL WHEN n.listed = 0 OR s.published_at >= n.published_at THEN s.last_id ELSE n.last_id END
	FROM s WHERE n.project_id = s.project_id AND n.name = s.name`

// idleNames is the FROM clause for names without packages.
const idleNames = ` FROM package_names n WHERE n.listed = 0 AND NOT EXISTS (SELECT 1 FROM packages k
	WHERE k.project_id = n.project_id AND k.name = n.name AND k.status <> 'pending_destruction')`

// SumCounters sums the counters on PostgreSQL. It is cheap, may run at any time, and
// is needed every few seconds while many publish.
func (db *DB) SumCounters(ctx context.Context) error {
	if !db.Shared() {
		return nil
	}
	for _, sum := range []string{sumCounts, sumNames} {
		if err := db.do(ctx, func(t tx) error { return t.Exec(sum) }); err != nil {
			return err
		}
	}
	var idle bool
	if err := db.Row(ctx, `SELECT EXISTS (SELECT 1`+idleNames+`)`).Scan(&idle); err != nil || !idle {
		return sqldb.Classify(err)
	}
	return db.dropNames(ctx)
}

// dropNames deletes idle names. A publisher writes to the table of names first: the
// lock waits for publishers that may have found a name there, and later ones find it
// gone and insert it again.
func (db *DB) dropNames(ctx context.Context) error {
	return db.do(ctx, func(t tx) error {
		if err := t.Exec(`LOCK TABLE package_names IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		return t.Exec(`DELETE` + idleNames)
	})
}
