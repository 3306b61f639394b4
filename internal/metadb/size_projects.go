package metadb

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

// A project has in package_counts the files and bytes that were published since the columns
// are there. What older servers published is added here, project by project.

// allSized says that all projects have all of it.
const allSized = `UPDATE sized_projects SET project_id = 9223372036854775807`

// sized returns up to which id projects have all of it.
func sized(ctx context.Context, q sqldb.Queries) (upTo int64, err error) {
	err = q.Row(ctx, `SELECT project_id FROM sized_projects`).Scan(&upTo)
	return upTo, sqldb.Classify(err)
}

// unsized is what package_counts lacks of a project. Each publish adds to both sides, so that
// it stays the same.
func unsized() string {
	return `SELECT s.status, CAST(SUM(s.files) AS BIGINT), CAST(SUM(s.bytes) AS BIGINT) FROM (` + countsOf(`k.project_id = $1`) + `
			UNION ALL SELECT c.project_id, c.status, 0, -c.files, -c.bytes FROM package_counts c WHERE c.project_id = $1) s
		GROUP BY s.status HAVING SUM(s.files) <> 0 OR SUM(s.bytes) <> 0`
}

// lacking is a row of unsized.
type lacking struct {
	status       registry.Status
	files, bytes int64
}

// SizeProject adds what older servers published in the next project, and returns 1, or 0 if
// there was none. Publishers wait only for the transaction that adds it, and not for the
// count.
func (db *DB) SizeProject(ctx context.Context) (int, error) {
	upTo, err := sized(ctx, db)
	if err != nil || upTo == math.MaxInt64 {
		return 0, err
	}
	var id int64
	err = db.Row(ctx, `SELECT id FROM projects WHERE id > $1 ORDER BY id LIMIT 1`, upTo).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, db.do(ctx, func(t tx) error { return t.Exec(allSized) })
	}
	if err != nil {
		return 0, sqldb.Classify(err)
	}
	var all []lacking
	err = db.LongSnapshot(ctx, func(q sqldb.Queries) (err error) {
		all, err = sqldb.List(ctx, q, func(row sqldb.Scanner) (l lacking, err error) {
			err = row.Scan(&l.status, &l.files, &l.bytes)
			return l, err
		}, unsized(), id)
		return err
	})
	if err != nil {
		return 0, err
	}
	return 1, db.do(ctx, func(t tx) error { return db.sizeProject(t, id, upTo, all) })
}

// sizeProject adds what a project lacks. Of two nodes that have counted it, one does so.
func (db *DB) sizeProject(t tx, id, before int64, all []lacking) error {
	n, err := t.Count(`UPDATE sized_projects SET project_id = $1 WHERE project_id = $2`, id, before)
	if err != nil || n == 0 {
		return err
	}
	for _, l := range all {
		if err := t.Exec(db.wording.addSize, id, string(l.status), l.files, l.bytes); err != nil {
			return err
		}
	}
	return nil
}
