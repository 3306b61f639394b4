package metadb

import (
	"context"
	"fmt"
	"math"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

// counts calls read with the source of counts by project and status: a table, or while the
// upkeep has not added up what older servers published, all versions of their projects, which
// is slow.
func (db *DB) counts(ctx context.Context, read func(q sqldb.Queries, counts string) error) error {
	return db.Snapshot(ctx, false, func(q sqldb.Queries) error {
		upTo, err := sized(ctx, q)
		if err != nil {
			return err
		}
		if upTo == math.MaxInt64 {
			return read(q, "package_counts")
		}
		return read(q, fmt.Sprintf(`(SELECT c.project_id, c.status, c.packages, c.files, c.bytes FROM package_counts c WHERE c.project_id <= %d
			UNION ALL SELECT w.project_id, w.status, w.packages, w.files, w.bytes FROM (%s) w
			UNION ALL SELECT k.project_id, k.status, 0, %s, %s FROM packages k WHERE k.counted IS NULL)`,
			upTo, countsOf(fmt.Sprintf("k.project_id > %d", upTo)), filesOf, bytesOf))
	})
}

// usageOf sums counts c of projects p: what is there, and what was removed, with deleted
// projects.
const (
	usageOf = `CAST(SUM(CASE WHEN ` + removed + ` THEN 0 ELSE c.packages END) AS BIGINT), CAST(SUM(CASE WHEN ` + removed + ` THEN 0 ELSE c.files END) AS BIGINT),
		CAST(SUM(CASE WHEN ` + removed + ` THEN 0 ELSE c.bytes END) AS BIGINT), CAST(SUM(CASE WHEN ` + removed + ` THEN c.packages ELSE 0 END) AS BIGINT),
		CAST(SUM(CASE WHEN ` + removed + ` THEN c.files ELSE 0 END) AS BIGINT), CAST(SUM(CASE WHEN ` + removed + ` THEN c.bytes ELSE 0 END) AS BIGINT)`
	removed = `c.status = 'pending_destruction' OR p.deleted_at IS NOT NULL`
)

// usageColumns are where the columns of usageOf go.
func usageColumns(u *registry.Usage) []any {
	return []any{&u.Kept.Versions, &u.Kept.Files, &u.Kept.Bytes, &u.Trashed.Versions, &u.Trashed.Files, &u.Trashed.Bytes}
}

// SizesOf implements registry.Sizes.
func (db *DB) SizesOf(ctx context.Context, projects []int64) (map[int64]registry.Usage, error) {
	var w sqldb.Where
	w.In("p.id", false, padded(projects))
	return db.usages(ctx, len(projects), "", `projects p`, w, `p.id`)
}

// groupsBelow are groups n with all below them, as CTEs before a query: below has the id of
// each, and the one of n that it is below.
func groupsBelow(of string) string {
	return `WITH RECURSIVE below (root, id) AS (
		SELECT n.id, n.id FROM namespaces n` + of + `
		UNION SELECT below.root, n.id FROM namespaces n JOIN below ON n.parent_id = below.id) `
}

// GroupSizes implements registry.Sizes.
func (db *DB) GroupSizes(ctx context.Context, groups []int64) (map[int64]registry.Usage, error) {
	var w sqldb.Where
	w.In("n.id", false, padded(groups))
	with := groupsBelow(w.String())
	w.Conditions = []string{"p.namespace_id = below.id"}
	return db.usages(ctx, len(groups), with, `below CROSS JOIN projects p`, w, `below.root`)
}

// usages sums projects p, which are among scope, and their uploads by a column. CROSS JOIN makes
// SQLite start with the projects, and not with the counts or uploads of all.
func (db *DB) usages(ctx context.Context, n int, with, scope string, w sqldb.Where, by string) (map[int64]registry.Usage, error) {
	found := map[int64]registry.Usage{}
	if n == 0 {
		return found, nil
	}
	return found, db.counts(ctx, func(q sqldb.Queries, counts string) error {
		err := each(ctx, q, with+`SELECT `+by+`, `+usageOf+` FROM `+scope+` CROSS JOIN `+counts+` c`+w.String()+` AND c.project_id = p.id GROUP BY `+by, w.Args,
			func(row sqldb.Scanner) (err error) {
				var id int64
				var u registry.Usage
				err = row.Scan(append([]any{&id}, usageColumns(&u)...)...)
				found[id] = u
				return err
			})
		if err != nil {
			return err
		}
		return each(ctx, q, with+`SELECT `+by+`, CAST(SUM(b.size) AS BIGINT) FROM `+scope+` CROSS JOIN uploads u CROSS JOIN blobs b`+
			w.String()+` AND u.project_id = p.id AND b.id = u.blob_id GROUP BY `+by, w.Args, func(row sqldb.Scanner) error {
			var id, bytes int64
			err := row.Scan(&id, &bytes)
			u := found[id]
			u.Uploads = bytes
			found[id] = u
			return err
		})
	})
}

// InstanceSize implements registry.Sizes.
func (db *DB) InstanceSize(ctx context.Context) (u registry.Usage, err error) {
	err = db.counts(ctx, func(q sqldb.Queries, counts string) error {
		return each(ctx, q, `SELECT `+usageOf+` FROM `+counts+` c JOIN projects p ON p.id = c.project_id HAVING COUNT(*) > 0`, nil,
			func(row sqldb.Scanner) error { return row.Scan(usageColumns(&u)...) })
	})
	return u, err
}

// SizesBelow implements registry.Sizes.
func (db *DB) SizesBelow(ctx context.Context, groupID int64, limit int) (parts []registry.StoragePart, err error) {
	of, args := ` WHERE n.parent_id = $2 AND n.deleted_at IS NULL`, []any{limit, groupID}
	if groupID == 0 {
		of, args = ` WHERE n.parent_id IS NULL AND n.deleted_at IS NULL`, args[:1]
	}
	err = db.counts(ctx, func(q sqldb.Queries, counts string) (err error) {
		query := groupsBelow(of) + `, sizes (kind, id, path, versions, files, bytes, trashed_versions, trashed_files, trashed_bytes) AS (
			SELECT CASE WHEN MAX(o.owner_id) IS NULL THEN 'group' ELSE 'user' END, below.root, r.path, ` + usageOf + ` FROM below CROSS JOIN projects p CROSS JOIN ` + counts + ` c
				CROSS JOIN namespaces o CROSS JOIN routes r WHERE p.namespace_id = below.id AND c.project_id = p.id AND o.id = below.root
				AND r.namespace_id = below.root AND r.redirect = 0 GROUP BY below.root, r.path`
		if groupID != 0 {
			query += ` UNION ALL SELECT 'project', p.id, r.path, ` + usageOf + ` FROM projects p CROSS JOIN ` + counts + ` c CROSS JOIN routes r
				WHERE p.namespace_id = $2 AND p.deleted_at IS NULL AND c.project_id = p.id AND r.project_id = p.id AND r.redirect = 0 GROUP BY p.id, r.path`
		}
		query += `) SELECT * FROM sizes WHERE versions + files + trashed_versions + trashed_files > 0 ORDER BY bytes + trashed_bytes DESC, kind, id LIMIT $1`
		parts, err = sqldb.List(ctx, q, func(row sqldb.Scanner) (p registry.StoragePart, err error) {
			err = row.Scan(append([]any{&p.Kind, &p.ID, &p.Path}, usageColumns(&p.Usage)...)...)
			return p, err
		}, query, args...)
		return err
	})
	return parts, err
}
