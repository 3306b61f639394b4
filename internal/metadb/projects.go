package metadb

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/page"
	"granary/internal/projects"
)

const projectColumns = `p.id, p.name, p.path, r.path, p.description, p.visibility, p.default_branch, p.topics,
	p.package_access, p.archived, p.creator_id, p.naming, p.duplicates_allowed, p.duplicate_exception,
	p.max_file_size, p.job_token_scope, p.created_at, p.updated_at,
	n.id, n.parent_id, n.owner_id, n.name, n.path, s.path, n.visibility`

const projectTables = `projects p JOIN routes r ON r.project_id = p.id AND r.redirect = 0
	JOIN namespaces n ON n.id = p.namespace_id JOIN routes s ON s.namespace_id = n.id AND s.redirect = 0`

func scanProject(row scanner) (projects.Project, error) {
	var p projects.Project
	var topics string
	var grammar, exception sql.Null[string]
	var allowed sql.Null[bool]
	var size sql.Null[int64]
	var created, updated int64
	var parent, owner sql.NullInt64
	err := row.Scan(&p.ID, &p.Name, &p.Path, &p.FullPath, &p.Description, &p.Visibility, &p.DefaultBranch, &topics,
		&p.PackageAccess, &p.Archived, &p.CreatorID, &grammar, &allowed, &exception,
		&size, &p.JobTokenScope, &created, &updated,
		&p.Namespace.ID, &parent, &owner, &p.Namespace.Name, &p.Namespace.Path, &p.Namespace.FullPath, &p.Namespace.Visibility)
	if topics != "" {
		p.Topics = strings.Split(topics, ",")
	}
	p.Naming = (*naming.Grammar)(pointer(grammar))
	p.Duplicates = projects.Duplicates{Allowed: pointer(allowed), Exception: pointer(exception)}
	p.MaxFileSize = pointer(size)
	p.CreatedAt, p.UpdatedAt = moment(created), moment(updated)
	p.Namespace.ParentID, p.Namespace.OwnerID = parent.Int64, owner.Int64
	return p, classify(err)
}

// FindProject implements projects.Projects.
func (db *DB) FindProject(ctx context.Context, ref string, a access.Actor) (projects.Project, error) {
	r, err := projects.ParseReference(ref, projects.LeastOfProject)
	if err != nil {
		return projects.Project{}, err
	}
	id, moved, err := routeOf(ctx, db, r, "project_id")
	if err != nil {
		return projects.Project{}, err
	}
	p, err := findProject(ctx, db, id)
	if err != nil {
		return p, err
	}
	if err := standing(ctx, db, &p, a); err != nil {
		return p, err
	}
	if moved {
		return p, fault.New(fault.Moved, "")
	}
	return p, nil
}

func findProject(ctx context.Context, q queries, id int64) (projects.Project, error) {
	return scanProject(q.row(ctx, `SELECT `+projectColumns+` FROM `+projectTables+` WHERE p.id = $1 AND p.deleted_at IS NULL`, id))
}

// ListProjects implements projects.Projects.
func (db *DB) ListProjects(ctx context.Context, f projects.ProjectFilter, p page.Request) (page.Of[projects.Project], error) {
	least := max(access.Guest, f.MinRole)
	if f.Owned {
		least = access.Owner
	}
	w := where{args: []any{f.Actor.UserID, int(least), micros(db.now())}}
	w.and("p.deleted_at IS NULL")
	visibleProjects(&w, f)
	filterProjects(&w, f)
	order := map[string]string{
		"id": "p.id", "name": "lower(p.name)", "path": "p.path", "updated_at": "p.updated_at", "last_activity_at": "p.updated_at",
	}[p.OrderBy]
	if order == "" {
		order = "p.created_at"
	}
	order += direction(p.Desc)
	if p.OrderBy != "id" {
		order += ", p.id" + direction(p.Desc)
	}
	found, err := countedPage(ctx, direct{db}, &w, p, listing[projects.Project]{with: mine, from: projectTables, columns: projectColumns, order: order, scan: scanProject})
	if err != nil {
		return found, err
	}
	return found, found.Finish(ctx, func(ctx context.Context, rows []projects.Project) ([]projects.Project, error) {
		return rows, standings(ctx, db, rows, f.Actor)
	})
}

// visibleProjects repeats in SQL what access decides: the test of this package
// holds the two together.
func visibleProjects(w *where, f projects.ProjectFilter) {
	const member = `p.id IN (SELECT id FROM mine_projects)`
	switch {
	case f.Owned || f.Membership || f.MinRole > access.NoRole && !f.Actor.Admin:
		w.and(member)
	case f.Actor.Admin:
	case !f.Actor.LoggedIn():
		w.and("p.visibility = 20")
	case f.Actor.External:
		w.and("(p.visibility = 20 OR " + member + ")")
	default:
		w.and("(p.visibility >= 10 OR " + member + ")")
	}
}

func filterProjects(w *where, f projects.ProjectFilter) {
	if f.Search != "" {
		columns := []string{"p.name", "p.path"}
		if f.InPaths {
			columns = append(columns, "r.path")
		}
		w.and(w.matching(f.Search, columns...))
	}
	switch {
	case f.GroupID != 0 && f.Below:
		w.and(`p.namespace_id IN (WITH RECURSIVE below (id) AS (
			SELECT CAST(? AS BIGINT) UNION SELECT n.id FROM namespaces n JOIN below ON n.parent_id = below.id) SELECT id FROM below)`, f.GroupID)
	case f.GroupID != 0:
		w.and("p.namespace_id = ?", f.GroupID)
	}
	if f.OwnerID != 0 {
		w.and("n.owner_id = ?", f.OwnerID)
	}
	if f.Visibility != nil {
		w.and("p.visibility = ?", int(*f.Visibility))
	}
	if f.Archived != nil {
		w.and("p.archived = ?", truth(*f.Archived))
	}
	if f.Topic != "" {
		w.and(w.matching(","+f.Topic+",", "(',' || p.topics || ',')"))
	}
	if !f.UpdatedAfter.IsZero() {
		w.and("p.updated_at > ?", micros(f.UpdatedAfter))
	}
	if !f.UpdatedBefore.IsZero() {
		w.and("p.updated_at < ?", micros(f.UpdatedBefore))
	}
	if f.IDAfter != 0 {
		w.and("p.id > ?", f.IDAfter)
	}
	if f.IDBefore != 0 {
		w.and("p.id < ?", f.IDBefore)
	}
}

// InsertProject implements projects.Projects.
func (db *DB) InsertProject(ctx context.Context, p projects.Project, role access.Role, most fault.Limit, e audit.Event) (projects.Project, error) {
	return change(ctx, db, func(t *tx) (projects.Project, error) {
		if err := t.roomForProject(ctx, p.Namespace.ID, most); err != nil {
			return p, err
		}
		parent, err := t.pathOfNamespace(ctx, p.Namespace.ID)
		if err != nil {
			return p, err
		}
		p.ID, err = t.insert(`INSERT INTO projects (namespace_id, name, path, description, visibility, default_branch, topics,
				package_access, archived, creator_id, naming, duplicates_allowed, duplicate_exception, max_file_size,
				job_token_scope, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $12, $13, $14, $15, $15) RETURNING id`,
			p.Namespace.ID, p.Name, p.Path, p.Description, int(p.Visibility), p.DefaultBranch, strings.Join(p.Topics, ","),
			int(p.PackageAccess), p.CreatorID, optional(p.Naming), optionalTruth(p.Duplicates.Allowed),
			optional(p.Duplicates.Exception), optional(p.MaxFileSize), truth(p.JobTokenScope), micros(p.CreatedAt))
		if err != nil {
			return p, err
		}
		if err := t.addRoute(parent+"/"+p.Path, 0, p.ID); err != nil {
			return p, err
		}
		e.Entity.ID = p.ID
		if err := t.record(ctx, e.To("Project", p.ID, parent+"/"+p.Path)); err != nil {
			return p, err
		}
		if role == access.NoRole {
			return p, nil
		}
		return p, t.addMember(projects.Place{ProjectID: p.ID},
			projects.Member{UserID: p.CreatorID, Role: role, CreatedBy: &projects.Creator{UserID: p.CreatorID}, CreatedAt: p.CreatedAt})
	})
}

// roomForProject counts the projects of a group, or those of a user's own
// namespace, where the user's limit is the one that counts; see auth.User.Bounded.
func (t *tx) roomForProject(ctx context.Context, namespaceID int64, most fault.Limit) error {
	var owner sql.NullInt64
	err := t.row(ctx, `SELECT owner_id FROM namespaces WHERE id = $1`, namespaceID).Scan(&owner)
	if err != nil {
		return classify(err)
	}
	if owner.Valid {
		if err := t.holdOwner(ofUser(""), owner.Int64); err != nil {
			return err
		}
		err := t.row(ctx, `SELECT CASE external WHEN 1 THEN 0 ELSE projects_limit END FROM users WHERE id = $1`, owner.Int64).Scan(&most.Most)
		if err != nil {
			return classify(err)
		}
	}
	return t.room(ctx, projectRows(), 1, most, namespaceID)
}

// UpdateProject implements projects.Projects.
func (db *DB) UpdateProject(ctx context.Context, projectID int64, edit func(*projects.Project) ([]audit.Event, error)) (projects.Project, error) {
	return change(ctx, db, func(t *tx) (projects.Project, error) {
		p, err := findProject(ctx, t, projectID)
		if err != nil {
			return p, err
		}
		before := p
		done, err := edit(&p)
		if err != nil {
			return p, err
		}
		if err := t.record(ctx, done...); err != nil {
			return p, err
		}
		if p.Path != before.Path {
			if err := t.moveRoute(before.FullPath, p.Namespace.FullPath+"/"+p.Path, 0, projectID); err != nil {
				return p, err
			}
			at := projects.Place{ProjectID: projectID}
			if err := t.room(ctx, formerPathRows(at), 0, db.formerPaths, projectID); err != nil {
				return p, err
			}
		}
		return p, t.exec(`UPDATE projects SET name = $1, path = $2, description = $3, visibility = $4, default_branch = $5,
				topics = $6, package_access = $7, archived = $8, naming = $9, duplicates_allowed = $10,
				duplicate_exception = $11, max_file_size = $12, job_token_scope = $13, updated_at = $14 WHERE id = $15`,
			p.Name, p.Path, p.Description, int(p.Visibility), p.DefaultBranch, strings.Join(p.Topics, ","),
			int(p.PackageAccess), truth(p.Archived), optional(p.Naming), optionalTruth(p.Duplicates.Allowed),
			optional(p.Duplicates.Exception), optional(p.MaxFileSize), truth(p.JobTokenScope), micros(p.UpdatedAt), projectID)
	})
}

// DeleteProject implements projects.Projects.
func (db *DB) DeleteProject(ctx context.Context, projectID int64, now time.Time, e audit.Event) error {
	_, err := change(freeing(ctx), db, func(t *tx) (struct{}, error) {
		if err := t.record(ctx, e); err != nil {
			return struct{}{}, err
		}
		for _, table := range []string{"routes", "members", "deploy_tokens", "variables", "hooks"} {
			if err := t.exec(`DELETE FROM `+table+` WHERE project_id = $1`, projectID); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, t.exec(`UPDATE projects SET deleted_at = $1 WHERE id = $2 AND deleted_at IS NULL`, micros(now), projectID)
	})
	return err
}
