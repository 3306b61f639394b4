package metadb

import (
	"context"

	"granary/internal/sqldb"
)

// countFiles sets the files and bytes of packages k by their files on record.
const countFiles = `UPDATE packages AS k SET files = ` + filesOf + `, bytes = ` + bytesOf

// uncounted takes a limit. The update locks the rows: a publish that waits adds to what
// the next statement counts.
const uncounted = `UPDATE packages SET counted = 1 WHERE id IN (
	SELECT id FROM packages WHERE counted IS NULL ORDER BY id LIMIT $1) RETURNING id`

// CountVersions implements registry.NameLists.
func (db *DB) CountVersions(ctx context.Context, limit int) (int, error) {
	var left bool
	if err := db.Row(ctx, `SELECT EXISTS (SELECT 1 FROM packages WHERE counted IS NULL)`).Scan(&left); err != nil || !left {
		return 0, sqldb.Classify(err)
	}
	return write(ctx, db, func(t tx) (int, error) {
		ids, err := t.IDs(ctx, uncounted, limit)
		if err != nil {
			return 0, err
		}
		for _, id := range ids {
			if err := t.Exec(countFiles+` WHERE id = $1`, id); err != nil {
				return 0, err
			}
		}
		return len(ids), nil
	})
}

// newestOf is the newest listed version of a name n; column is its id or created_at. The +
// keeps SQLite from walking all versions of the project by date until one has the name.
func newestOf(column string) string {
	return `(SELECT k.` + column + ` FROM packages k WHERE k.project_id = n.project_id AND k.name = n.name
		AND k.status <> 'pending_destruction' AND ` + isListed + ` ORDER BY +k.created_at DESC, k.id DESC LIMIT 1)`
}

// listedBytes is the sum of the bytes of the listed versions of a name n.
const listedBytes = `(SELECT CAST(COALESCE(SUM(k.bytes), 0) AS BIGINT) FROM packages k WHERE k.project_id = n.project_id AND k.name = n.name
	AND k.status <> 'pending_destruction' AND ` + isListed + `)`

// changedNames takes a limit. A name of an older server waits until all versions are counted.
const changedNames = `SELECT id FROM package_names WHERE changed = 1
	AND (bytes IS NOT NULL OR NOT EXISTS (SELECT 1 FROM packages k WHERE k.counted IS NULL)) ORDER BY project_id, id LIMIT $1`

// OrderNames implements registry.NameLists. On PostgreSQL SumCounters runs before it, in the
// same task: what publishers append meanwhile is in the sums of both statements or in none.
func (db *DB) OrderNames(ctx context.Context, limit int) (int, error) {
	ids, err := sqldb.List(ctx, db, sqldb.ScanOne[int64], changedNames, limit)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return len(ids), db.do(ctx, func(t tx) error {
		for _, id := range ids {
			for _, text := range []string{db.wording.sumName, putName, dropName} {
				if err := t.Exec(text, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// sumName completes the row of a name; missing is SQL for bytes that publishers appended.
func sumName(missing string) string {
	return `UPDATE package_names AS n SET changed = 0, bytes = COALESCE(n.bytes, ` + listedBytes + missing + `),
		published_at = CASE WHEN n.last_id IS NULL THEN ` + newestOf("created_at") + ` ELSE n.published_at END,
		last_id = CASE WHEN n.last_id IS NULL THEN ` + newestOf("id") + ` ELSE n.last_id END WHERE n.id = $1`
}

const (
	putName = `INSERT INTO package_name_orders AS o (name_id, project_id, name, versions, bytes, published_at)
		SELECT n.id, n.project_id, n.name, n.listed, n.bytes, COALESCE(n.published_at, 0) FROM package_names n WHERE n.id = $1 AND n.listed > 0
		ON CONFLICT (name_id) DO UPDATE SET versions = excluded.versions, bytes = excluded.bytes, published_at = excluded.published_at`
	dropName = `DELETE FROM package_name_orders WHERE name_id = $1 AND NOT EXISTS (SELECT 1 FROM package_names n WHERE n.id = $1 AND n.listed > 0)`
)
