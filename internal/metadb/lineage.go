package metadb

import (
	"context"
	"database/sql"
	"iter"
	"slices"
	"time"

	"granary/internal/access"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// ancestor is a namespace between a place and the top, with the actor's role in it.
type ancestor struct {
	id         int64
	parentID   int64 // 0 at the top
	name       string
	ownerID    sql.NullInt64
	duplicates projects.Duplicates
	role       access.Role
}

// ancestorColumns are the columns of an ancestor n and the actor's membership m in it.
const ancestorColumns = `n.id, n.parent_id, n.name, n.owner_id, n.duplicates_allowed, n.duplicate_exception, COALESCE(m.access_level, 0)`

const lineageQuery = `WITH RECURSIVE up (id, depth) AS (
		SELECT CAST($1 AS BIGINT), 0
		UNION ALL
		SELECT n.parent_id, up.depth + 1 FROM up JOIN namespaces n ON n.id = up.id WHERE n.parent_id IS NOT NULL)
	SELECT ` + ancestorColumns + `
	FROM up JOIN namespaces n ON n.id = up.id
	LEFT JOIN members m ON m.namespace_id = n.id AND m.user_id = $2 AND (m.expires_at IS NULL OR m.expires_at > $3) AND` + counted + `
	ORDER BY up.depth`

// lineage is the namespaces from the given one up to the top. In a user's own
// namespace that user is Owner.
func lineage(ctx context.Context, q sqldb.Queries, namespaceID, userID int64) ([]ancestor, error) {
	return sqldb.List(ctx, q, scanAncestor(userID), lineageQuery, namespaceID, userID, sqldb.Micros(q.Now()))
}

func scanAncestor(userID int64) func(sqldb.Scanner) (ancestor, error) {
	return func(row sqldb.Scanner) (ancestor, error) {
		var a ancestor
		var parent sql.NullInt64
		var allowed sql.Null[bool]
		var exception sql.Null[string]
		err := row.Scan(&a.id, &parent, &a.name, &a.ownerID, &allowed, &exception, &a.role)
		a.parentID = parent.Int64
		a.duplicates = projects.Duplicates{Allowed: sqldb.Pointer(allowed), Exception: sqldb.Pointer(exception)}
		if a.ownerID.Valid && a.ownerID.Int64 == userID {
			a.role = access.Owner
		}
		return a, err
	}
}

// lineages is the lineage of each of the namespaces, by one query that reads shared
// ancestors once.
func lineages(ctx context.Context, q sqldb.Queries, namespaceIDs []int64, userID int64) (map[int64][]ancestor, error) {
	var w sqldb.Where
	w.In("n.id", false, distinct(namespaceIDs))
	text := `WITH RECURSIVE up (id) AS (
			SELECT n.id FROM namespaces n` + w.String() + `
			UNION SELECT n.parent_id FROM up JOIN namespaces n ON n.id = up.id WHERE n.parent_id IS NOT NULL)
		SELECT ` + ancestorColumns + ` FROM up JOIN namespaces n ON n.id = up.id
		LEFT JOIN members m ON m.namespace_id = n.id AND ` + living(&w, userID, q.Now())
	found, err := sqldb.List(ctx, q, scanAncestor(userID), text, w.Args...)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]ancestor, len(found))
	for _, a := range found {
		byID[a.id] = a
	}
	lines := make(map[int64][]ancestor, len(namespaceIDs))
	for _, start := range namespaceIDs {
		if lines[start] == nil {
			for a, ok := byID[start]; ok; a, ok = byID[a.parentID] {
				lines[start] = append(lines[start], a)
			}
		}
	}
	return lines, nil
}

// living is the condition that m is a membership of the user that counts now.
func living(w *sqldb.Where, userID int64, now time.Time) string {
	return w.Bind("m.user_id = ? AND (m.expires_at IS NULL OR m.expires_at > ?) AND", userID, sqldb.Micros(now)) + counted
}

// distinct is the ids without repetitions.
func distinct(ids []int64) []int64 {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// highest is the highest role in a lineage.
func highest(line []ancestor) access.Role {
	role := access.NoRole
	for _, a := range line {
		role = max(role, a.role)
	}
	return role
}

// covers reports whether the namespace is in the lineage.
func covers(line []ancestor, namespaceID int64) bool {
	return slices.ContainsFunc(line, func(a ancestor) bool { return a.id == namespaceID })
}

// duplicates are the settings of the namespaces, the nearest first.
func duplicates(line []ancestor) iter.Seq[projects.Duplicates] {
	return func(yield func(projects.Duplicates) bool) {
		for _, a := range line {
			if !yield(a.duplicates) {
				return
			}
		}
	}
}

// mine is a CTE: the namespaces in which the user has at least a role, with all below
// them, and their projects. It takes the user, the role and the time as $1, $2 and $3.
const mine = `WITH RECURSIVE mine (id) AS (
		SELECT m.namespace_id FROM members m
		WHERE m.user_id = $1 AND m.namespace_id IS NOT NULL AND m.access_level >= $2 AND (m.expires_at IS NULL OR m.expires_at > $3) AND` + counted + `
		UNION SELECT n.id FROM namespaces n WHERE n.owner_id = $1
		UNION SELECT n.id FROM namespaces n JOIN mine ON n.parent_id = mine.id),
	mine_projects (id) AS (
		SELECT p.id FROM projects p WHERE p.namespace_id IN (SELECT id FROM mine)
		UNION SELECT m.project_id FROM members m
		WHERE m.user_id = $1 AND m.project_id IS NOT NULL AND m.access_level >= $2 AND (m.expires_at IS NULL OR m.expires_at > $3) AND` + counted + `)
`
