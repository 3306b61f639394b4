package metadb

import (
	"context"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// A project or group is found with all that decides about it by one query: it has a row for
// each namespace from the place's own up to the top, the nearest first.

// line is CTEs: up, which begins with the namespace of a place at, and line, the namespaces
// with the actor's role in them. They take the actor and the time as $2 and $3.
const (
	lineUp = `
		UNION ALL
		SELECT n.parent_id, up.depth + 1 FROM up JOIN namespaces n ON n.id = up.id WHERE n.parent_id IS NOT NULL),
	line (id, parent_id, name, owner_id, duplicates_allowed, duplicate_exception, role, depth) AS (
		SELECT ` + ancestorColumns + `, up.depth FROM up JOIN namespaces n ON n.id = up.id
		LEFT JOIN members m ON m.namespace_id = n.id AND m.user_id = $2 AND ` + lasting + `)
	SELECT line.id, line.parent_id, line.name, line.owner_id, line.duplicates_allowed, line.duplicate_exception, line.role, at.moved, `

	withID = `WITH RECURSIVE at (id, moved) AS (SELECT CAST($1 AS BIGINT), 0), `

	projectByID   = withID + projectPlace
	projectByPath = `WITH RECURSIVE at (id, moved) AS (SELECT project_id, redirect FROM routes WHERE path_key = $1), ` + projectPlace
	groupByID     = withID + groupPlace
	groupByPath   = `WITH RECURSIVE at (id, moved) AS (SELECT namespace_id, redirect FROM routes WHERE path_key = $1), ` + groupPlace

	projectPlace = `up (id, depth) AS (
		SELECT p.namespace_id, 0 FROM at JOIN projects p ON p.id = at.id` + lineUp + `
		(SELECT COALESCE(MAX(m.access_level), 0) FROM members m
			WHERE m.project_id = p.id AND m.user_id = $2 AND ` + lasting + `),
		` + projectColumns + ` FROM at, line, ` + projectTables + ` WHERE p.id = at.id AND p.deleted_at IS NULL ORDER BY line.depth`

	groupPlace = `up (id, depth) AS (SELECT id, 0 FROM at WHERE id IS NOT NULL` + lineUp + `
		0, ` + groupColumns + ` FROM at, line, ` + groupTables + ` WHERE n.id = at.id AND n.deleted_at IS NULL ORDER BY line.depth`
)

// spot is a place with what decides about it.
type spot[T any] struct {
	place   T
	moved   bool        // the path is a former one
	ownRole access.Role // of the actor, as a direct member of a project
	line    []ancestor  // the namespaces up to the top, the nearest first
}

// findSpot finds a place by its id, or by its path. NotFound if there is none.
func findSpot[T any](ctx context.Context, q sqldb.Queries, r projects.Reference, byID, byPath string, userID int64, scan func(sqldb.Scanner) (T, error)) (found spot[T], err error) {
	query, ref := byPath, any(r.Path)
	if r.ID != 0 {
		query, ref = byID, r.ID
	}
	found.line, err = sqldb.ListFixed(ctx, q, func(row sqldb.Scanner) (_ ancestor, err error) {
		var above ancestorRow
		found.place, err = scan(after{row, append(above.columns(), &found.moved, &found.ownRole)})
		return above.read(userID), err
	}, query, ref, userID, sqldb.Micros(q.Now()))
	if err == nil && len(found.line) == 0 {
		err = fault.New(fault.NotFound, "")
	}
	return found, err
}

// findProjectSpot is a project with the actor's standing.
func findProjectSpot(ctx context.Context, q sqldb.Queries, r projects.Reference, a access.Actor) (spot[projects.Project], error) {
	found, err := findSpot(ctx, q, r, projectByID, projectByPath, a.UserID, scanProject)
	if err != nil {
		return found, err
	}
	if a.LoggedIn() {
		found.place.OwnRole = found.ownRole
	}
	err = setStanding(ctx, q, &found.place, a, found.line)
	return found, err
}

// findGroupSpot is a group with the actor's standing.
func findGroupSpot(ctx context.Context, q sqldb.Queries, r projects.Reference, a access.Actor) (spot[projects.Group], error) {
	found, err := findSpot(ctx, q, r, groupByID, groupByPath, a.UserID, scanGroup)
	if err != nil {
		return found, err
	}
	g := &found.place
	completeGroup(g, found.line)
	if g.Standing.Role == access.NoRole && a.LoggedIn() {
		// A member of something below may see the way to it.
		g.Standing.Role, err = roleBelow(ctx, q, g.ID, a.UserID)
	}
	return found, err
}

// findGroup is the group with an id, and the actor's standing.
func findGroup(ctx context.Context, q sqldb.Queries, id int64, a access.Actor) (projects.Group, error) {
	found, err := findGroupSpot(ctx, q, projects.Reference{ID: id}, a)
	return found.place, err
}
