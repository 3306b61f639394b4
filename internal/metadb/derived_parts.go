package metadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"granary/internal/sqldb"
)

// parts looks for parts of names that are missing. If positions are, nothing can be said.
func (c *derivedCheck) parts(ctx context.Context) error {
	if c.count("positions") > 0 {
		return nil
	}
	return c.ranges(ctx, "package_names", func(from, to int64) error {
		return c.differing(ctx, "package_name_parts", scanMissing, missingParts, from, to)
	})
}

// missingParts takes a range of names.
const missingParts = `SELECT s.project_id, s.name_id, MIN(s.part), COUNT(DISTINCT s.part) FROM (` + partsOf + ` WHERE n.id > $1 AND n.id <= $2) s
	WHERE NOT EXISTS (SELECT 1 FROM package_name_parts q WHERE q.project_id = s.project_id AND q.part = s.part AND q.name_id = s.name_id)
	GROUP BY s.project_id, s.name_id ORDER BY s.name_id` + firstFaults

func scanMissing(row sqldb.Scanner) (f DerivedFault, err error) {
	var k partKey
	var n int
	err = row.Scan(&k.projectID, &k.nameID, &k.part, &n)
	return DerivedFault{Key: fmt.Sprintf("project %d, name_id %d", k.projectID, k.nameID), Is: fmt.Sprintf("%d parts are missing, the first is %q", n, k.part), ShouldBe: "all parts of the name"}, err
}

// partKey is a row of package_name_parts.
type partKey struct {
	projectID int64
	part      string
	nameID    int64
}

// foreignParts looks for parts that no name has, in the order of the table.
func (c *derivedCheck) foreignParts(ctx context.Context) error {
	for from, more := (partKey{}), true; more; {
		to := partKey{projectID: math.MaxInt64}
		err := c.db.Row(ctx, `SELECT project_id, part, name_id FROM package_name_parts WHERE (project_id, part, name_id) > ($1, $2, $3)
			ORDER BY project_id, part, name_id LIMIT 1 OFFSET $4`, from.projectID, from.part, from.nameID, partsAtOnce).Scan(&to.projectID, &to.part, &to.nameID)
		if more = err == nil; err != nil && !errors.Is(err, sql.ErrNoRows) {
			return sqldb.Classify(err)
		}
		err = c.differing(ctx, "package_name_parts", scanForeign, partsOfNobody, from.projectID, from.part, from.nameID, to.projectID, to.part, to.nameID)
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

// partsOfNobody takes a range of parts. A short part ends a name; a long one is somewhere in it.
const partsOfNobody = `SELECT s.project_id, s.part, s.name_id FROM package_name_parts s
	WHERE (s.project_id, s.part, s.name_id) > ($1, $2, $3) AND (s.project_id, s.part, s.name_id) <= ($4, $5, $6)
		AND NOT EXISTS (SELECT 1 FROM package_names n WHERE n.id = s.name_id AND n.project_id = s.project_id
			AND CASE WHEN length(s.part) BETWEEN 1 AND 31 THEN substr(lower(n.name), length(n.name) - length(s.part) + 1) = s.part
				ELSE length(s.part) = 32 AND replace(lower(n.name), s.part, '') <> lower(n.name) END)
	ORDER BY s.project_id, s.part, s.name_id` + firstFaults

func scanForeign(row sqldb.Scanner) (f DerivedFault, err error) {
	var k partKey
	err = row.Scan(&k.projectID, &k.part, &k.nameID)
	return DerivedFault{Key: fmt.Sprintf("project %d, part %q, name_id %d", k.projectID, k.part, k.nameID), Is: "a row", ShouldBe: noRow}, err
}
