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
	LEFT JOIN members m ON m.namespace_id = n.id AND m.user_id = $2 AND ` + lasting + `
	ORDER BY up.depth`

// lineage is the namespaces from the given one up to the top. In a user's own
// namespace that user is Owner.
func lineage(ctx context.Context, q sqldb.Queries, namespaceID, userID int64) ([]ancestor, error) {
	return sqldb.ListFixed(ctx, q, scanAncestor(userID), lineageQuery, namespaceID, userID, sqldb.Micros(q.Now()))
}

func scanAncestor(userID int64) func(sqldb.Scanner) (ancestor, error) {
	return func(row sqldb.Scanner) (ancestor, error) {
		var r ancestorRow
		err := row.Scan(r.columns()...)
		return r.read(userID), err
	}
}

// ancestorRow is the columns of an ancestor.
type ancestorRow struct {
	ancestor
	parent    sql.NullInt64
	allowed   sql.Null[bool]
	exception sql.Null[string]
}

func (r *ancestorRow) columns() []any {
	return []any{&r.id, &r.parent, &r.name, &r.ownerID, &r.allowed, &r.exception, &r.role}
}

func (r *ancestorRow) read(userID int64) ancestor {
	r.parentID = r.parent.Int64
	r.duplicates = projects.Duplicates{Allowed: sqldb.Pointer(r.allowed), Exception: sqldb.Pointer(r.exception)}
	if r.ownerID.Valid && r.ownerID.Int64 == userID {
		r.role = access.Owner
	}
	return r.ancestor
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

// lasting is the condition that a membership m counts at the time $3.
const lasting = `(m.expires_at IS NULL OR m.expires_at > $3) AND` + counted

// mine is CTEs: the namespaces in which the user has at least a role, with all below them;
// the roles as a direct member of projects, whatever they are; the projects in which the user
// has at least that role. It takes the user, the role and the time as $1, $2 and $3.
const mine = `WITH RECURSIVE mine (id) AS (
		SELECT m.namespace_id FROM members m
		WHERE m.user_id = $1 AND m.namespace_id IS NOT NULL AND m.access_level >= $2 AND ` + lasting + `
		UNION SELECT n.id FROM namespaces n WHERE n.owner_id = $1
		UNION SELECT n.id FROM namespaces n JOIN mine ON n.parent_id = mine.id),
	mine_directly (project_id, role) AS NOT MATERIALIZED (
		SELECT m.project_id, m.access_level FROM members m
		WHERE m.user_id = $1 AND m.project_id IS NOT NULL AND ` + lasting + `),
	mine_projects (id) AS (
		SELECT p.id FROM projects p WHERE p.namespace_id IN (SELECT id FROM mine)
		UNION SELECT project_id FROM mine_directly WHERE role >= $2)
`
