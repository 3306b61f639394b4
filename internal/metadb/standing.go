package metadb

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"granary/internal/access"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// standings sets the actor's standing at the projects of a page, which have their OwnRole,
// by one query. Jobs and deploy tokens, which would need one more per project, may not list
// projects.
func standings(ctx context.Context, q sqldb.Queries, rows []projects.Project, a access.Actor) error {
	if len(rows) == 0 {
		return nil
	}
	namespaces := make([]int64, len(rows))
	for i, p := range rows {
		namespaces[i] = p.Namespace.ID
	}
	lines, err := lineages(ctx, q, namespaces, a.UserID)
	if err != nil {
		return err
	}
	for i := range rows {
		p := &rows[i]
		if err := setStanding(ctx, q, p, a, lines[p.Namespace.ID]); err != nil {
			return err
		}
	}
	return nil
}

// setStanding computes the standing from the lineage and p.OwnRole.
func setStanding(ctx context.Context, q sqldb.Queries, p *projects.Project, a access.Actor, line []ancestor) (err error) {
	p.FullName = fullName(line) + " / " + p.Name
	p.GroupRole = highest(line)
	p.Standing = access.Resource{
		Visibility: p.Visibility, Packages: p.PackageAccess, Archived: p.Archived, Role: max(p.GroupRole, p.OwnRole),
	}
	if p.Finalisers != nil {
		p.Standing.Finalisers = *p.Finalisers
	}
	switch a.Kind {
	case access.DeployToken:
		p.Standing.Covered, err = deployTokenCovers(ctx, q, p.ID, line, a.TokenID)
	case access.Job:
		p.Standing.Listed, err = letsJobIn(ctx, q, *p, a.JobProjectID)
	}
	return err
}

// deployTokenCovers reports whether the token is the project's, or that of a group
// above it.
func deployTokenCovers(ctx context.Context, q sqldb.Queries, projectID int64, line []ancestor, tokenID int64) (bool, error) {
	var project, namespace sql.NullInt64
	err := q.Row(ctx, `SELECT project_id, namespace_id FROM deploy_tokens WHERE id = $1`, tokenID).Scan(&project, &namespace)
	if err != nil {
		return false, sqldb.Classify(err)
	}
	return project.Valid && project.Int64 == projectID || namespace.Valid && covers(line, namespace.Int64), nil
}

// letsJobIn reports whether jobs of the source project have their user's rights in p
// (contract generic-packages 4.5).
func letsJobIn(ctx context.Context, q sqldb.Queries, p projects.Project, source int64) (bool, error) {
	if p.ID == source || !p.JobTokenScope {
		return true, nil
	}
	var n int
	err := q.Row(ctx, `WITH RECURSIVE up (id) AS (
			SELECT namespace_id FROM projects WHERE id = $1
			UNION SELECT n.parent_id FROM up JOIN namespaces n ON n.id = up.id WHERE n.parent_id IS NOT NULL)
		SELECT COUNT(*) FROM job_token_allowlist
		WHERE project_id = $2 AND (source_project_id = $1 OR source_namespace_id IN (SELECT id FROM up))`,
		source, p.ID).Scan(&n)
	return n > 0, sqldb.Classify(err)
}

// completeGroup sets what a group inherits from the namespaces above it.
func completeGroup(g *projects.Group, line []ancestor) {
	g.Effective = g.Duplicates.Inherit(duplicates(line))
	g.FullName = fullName(line)
	g.Standing = access.Resource{Visibility: g.Visibility, Role: highest(line)}
	if !g.Personal() {
		g.OwnRole = line[0].role
	}
}

// completeGroups completes the groups of a page for the actor, by a fixed number of
// queries.
func completeGroups(ctx context.Context, q sqldb.Queries, rows []projects.Group, a access.Actor) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]int64, len(rows))
	for i, g := range rows {
		ids[i] = g.ID
	}
	lines, err := lineages(ctx, q, ids, a.UserID)
	if err != nil {
		return err
	}
	strange := map[int64]*projects.Group{} // without a role
	for i := range rows {
		g := &rows[i]
		completeGroup(g, lines[g.ID])
		if g.Standing.Role == access.NoRole && a.LoggedIn() {
			strange[g.ID] = g
		}
	}
	if len(strange) == 0 {
		return nil
	}
	way, err := onTheWay(ctx, q, slices.Sorted(maps.Keys(strange)), a.UserID)
	for id := range way {
		strange[id].Standing.Role = access.Minimal
	}
	return err
}

// onTheWay is those of the namespaces that contain something that the user is a member
// of, or of which the user is one: roleBelow for many.
func onTheWay(ctx context.Context, q sqldb.Queries, namespaceIDs []int64, userID int64) (map[int64]bool, error) {
	var w sqldb.Where
	text := `WITH RECURSIVE way (id) AS (
			SELECT m.namespace_id FROM members m WHERE m.namespace_id IS NOT NULL AND ` + living(&w, userID, q.Now()) + `
			UNION SELECT p.namespace_id FROM members m JOIN projects p ON p.id = m.project_id AND p.deleted_at IS NULL WHERE ` + living(&w, userID, q.Now()) + `
			UNION SELECT n.parent_id FROM namespaces n JOIN way ON n.id = way.id WHERE n.parent_id IS NOT NULL)
		SELECT way.id FROM way`
	w.In("way.id", false, namespaceIDs)
	found := map[int64]bool{}
	_, err := sqldb.List(ctx, q, func(row sqldb.Scanner) (struct{}, error) {
		var id int64
		err := row.Scan(&id)
		found[id] = true
		return struct{}{}, err
	}, text+w.String(), w.Args...)
	return found, err
}

// fullName is the names from the top down, joined by " / ".
func fullName(line []ancestor) string {
	names := make([]string, 0, len(line))
	for i := len(line) - 1; i >= 0; i-- {
		names = append(names, line[i].name)
	}
	return strings.Join(names, " / ")
}

// roleBelow is Minimal if the user is a member of anything below the namespace.
func roleBelow(ctx context.Context, q sqldb.Queries, namespaceID, userID int64) (access.Role, error) {
	var n int
	err := q.Row(ctx, `WITH RECURSIVE below (id) AS (
			SELECT CAST($1 AS BIGINT) UNION SELECT n.id FROM namespaces n JOIN below ON n.parent_id = below.id)
		SELECT COUNT(*) FROM members m WHERE m.user_id = $2 AND (m.expires_at IS NULL OR m.expires_at > $3) AND`+counted+`
			AND (m.namespace_id IN (SELECT id FROM below)
				OR m.project_id IN (SELECT p.id FROM projects p JOIN below ON p.namespace_id = below.id WHERE p.deleted_at IS NULL))`,
		namespaceID, userID, sqldb.Micros(q.Now())).Scan(&n)
	if n > 0 {
		return access.Minimal, sqldb.Classify(err)
	}
	return access.NoRole, sqldb.Classify(err)
}
