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
	"granary/internal/sqldb"
)

const projectColumns = `p.id, p.name, p.path, r.path, p.description, p.visibility, p.default_branch, p.topics,
	p.package_access, p.archived, p.creator_id, p.naming, p.duplicates_allowed, p.duplicate_exception,
	p.max_file_size, p.drafts, p.finalisers, p.job_token_scope, p.created_at, p.updated_at,
	n.id, n.parent_id, n.owner_id, n.name, n.path, s.path, n.visibility`

const projectTables = `projects p JOIN routes r ON r.project_id = p.id AND r.redirect = 0
	JOIN namespaces n ON n.id = p.namespace_id JOIN routes s ON s.namespace_id = n.id AND s.redirect = 0`

func scanProject(row sqldb.Scanner) (projects.Project, error) {
	var p projects.Project
	var topics string
	var grammar, exception, drafts, finalisers sql.Null[string]
	var allowed sql.Null[bool]
	var size sql.Null[int64]
	var created, updated int64
	var parent, owner sql.NullInt64
	err := row.Scan(&p.ID, &p.Name, &p.Path, &p.FullPath, &p.Description, &p.Visibility, &p.DefaultBranch, &topics,
		&p.PackageAccess, &p.Archived, &p.CreatorID, &grammar, &allowed, &exception,
		&size, &drafts, &finalisers, &p.JobTokenScope, &created, &updated,
		&p.Namespace.ID, &parent, &owner, &p.Namespace.Name, &p.Namespace.Path, &p.Namespace.FullPath, &p.Namespace.Visibility)
	if topics != "" {
		p.Topics = strings.Split(topics, ",")
	}
	p.Naming = (*naming.Grammar)(sqldb.Pointer(grammar))
	p.Duplicates = projects.Duplicates{Allowed: sqldb.Pointer(allowed), Exception: sqldb.Pointer(exception)}
	p.MaxFileSize = sqldb.Pointer(size)
	p.Drafts, p.Finalisers = (*projects.DraftMode)(sqldb.Pointer(drafts)), (*access.Finalisers)(sqldb.Pointer(finalisers))
	p.CreatedAt, p.UpdatedAt = sqldb.Moment(created), sqldb.Moment(updated)
	p.Namespace.ParentID, p.Namespace.OwnerID = parent.Int64, owner.Int64
	return p, sqldb.Classify(err)
}

// ownRole is one column more, for a query with mine: the role as a direct member.
const ownRole = `, (SELECT COALESCE(MAX(o.role), 0) FROM mine_directly o WHERE o.project_id = p.id)`

func scanWithRole(row sqldb.Scanner) (projects.Project, error) {
	var role access.Role
	p, err := scanProject(withLast{row, []any{&role}})
	p.OwnRole = role
	return p, err
}

// FindProject implements projects.Projects.
func (db *DB) FindProject(ctx context.Context, ref string, a access.Actor) (projects.Project, error) {
	r, err := projects.ParseReference(ref, projects.LeastOfProject)
	if err != nil {
		return projects.Project{}, err
	}
	found, err := findProjectSpot(ctx, db, r, a)
	if err == nil && found.moved {
		err = fault.New(fault.Moved, "")
	}
	return found.place, err
}

func findProject(ctx context.Context, q sqldb.Queries, id int64) (projects.Project, error) {
	return scanProject(q.Row(ctx, `SELECT `+projectColumns+` FROM `+projectTables+` WHERE p.id = $1 AND p.deleted_at IS NULL`, id))
}

// ListProjects implements projects.Projects.
func (db *DB) ListProjects(ctx context.Context, f projects.ProjectFilter, p page.Request) (page.Of[projects.Project], error) {
	least := max(access.Guest, f.MinRole)
	if f.Owned {
		least = access.Owner
	}
	w := sqldb.Where{Args: []any{f.Actor.UserID, int(least), sqldb.Micros(db.Now())}}
	w.And("p.deleted_at IS NULL")
	visibleProjects(&w, f)
	filterProjects(&w, f)
	order := map[string]string{
		"id": "p.id", "name": "lower(p.name)", "path": "p.path", "updated_at": "p.updated_at", "last_activity_at": "p.updated_at", "tree": treeOrder,
	}[p.OrderBy]
	if order == "" {
		order = "p.created_at"
	}
	order += sqldb.Direction(p.Desc)
	if p.OrderBy != "id" {
		order += ", p.id" + sqldb.Direction(p.Desc)
	}
	found, err := countedPage(ctx, direct{db}, &w, p, listing[projects.Project]{selection{with: mine, from: projectTables, columns: projectColumns + ownRole, order: order}, scanWithRole})
	if err != nil {
		return found, err
	}
	err = found.Finish(ctx, func(ctx context.Context, rows []projects.Project) ([]projects.Project, error) {
		return rows, standings(ctx, db, rows, f.Actor)
	})
	return found, err
}

// visibleProjects repeats in SQL what access decides; a test holds the two together.
func visibleProjects(w *sqldb.Where, f projects.ProjectFilter) {
	const member = `p.id IN (SELECT id FROM mine_projects)`
	switch {
	case f.Owned || f.Membership || f.MinRole > access.NoRole && !f.Actor.Admin:
		w.And(member)
	case f.Actor.Admin:
	case !f.Actor.LoggedIn():
		w.And("p.visibility = 20")
	case f.Actor.External:
		w.And("(p.visibility = 20 OR " + member + ")")
	default:
		w.And("(p.visibility >= 10 OR " + member + ")")
	}
}

func filterProjects(w *sqldb.Where, f projects.ProjectFilter) {
	if f.Search != "" {
		columns := []string{"p.name", "p.path"}
		if f.InPaths {
			columns = append(columns, "r.path")
		}
		w.And(w.Matching(f.Search, columns...))
	}
	switch {
	case f.GroupID != 0 && f.Below:
		w.And(`p.namespace_id IN (WITH RECURSIVE below (id) AS (
			SELECT CAST(? AS BIGINT) UNION SELECT n.id FROM namespaces n JOIN below ON n.parent_id = below.id) SELECT id FROM below)`, f.GroupID)
	case f.GroupID != 0:
		w.And("p.namespace_id = ?", f.GroupID)
	}
	if f.OwnerID != 0 {
		w.And("n.owner_id = ?", f.OwnerID)
	}
	if f.Visibility != nil {
		w.And("p.visibility = ?", int(*f.Visibility))
	}
	if f.Archived != nil {
		w.And("p.archived = ?", sqldb.Bool(*f.Archived))
	}
	if f.Topic != "" {
		w.And(w.Matching(","+f.Topic+",", "(',' || p.topics || ',')"))
	}
	if !f.UpdatedAfter.IsZero() {
		w.And("p.updated_at > ?", sqldb.Micros(f.UpdatedAfter))
	}
	if !f.UpdatedBefore.IsZero() {
		w.And("p.updated_at < ?", sqldb.Micros(f.UpdatedBefore))
	}
	if f.IDAfter != 0 {
		w.And("p.id > ?", f.IDAfter)
	}
	if f.IDBefore != 0 {
		w.And("p.id < ?", f.IDBefore)
	}
}

// InsertProject implements projects.Projects.
func (db *DB) InsertProject(ctx context.Context, p projects.Project, role access.Role, most fault.Limit, e audit.Event) (projects.Project, error) {
	return writePermission(ctx, db, func(t tx) (projects.Project, error) {
		if err := t.roomForProject(ctx, p.Namespace.ID, most); err != nil {
			return p, err
		}
		parent, err := t.pathOfNamespace(ctx, p.Namespace.ID)
		if err != nil {
			return p, err
		}
		p.ID, err = t.Insert(`INSERT INTO projects (namespace_id, name, path, description, visibility, default_branch, topics,
				package_access, archived, creator_id, naming, duplicates_allowed, duplicate_exception, max_file_size,
				job_token_scope, created_at, updated_at, drafts, finalisers)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $12, $13, $14, $15, $15, $16, $17) RETURNING id`,
			p.Namespace.ID, p.Name, p.Path, p.Description, int(p.Visibility), p.DefaultBranch, strings.Join(p.Topics, ","),
			int(p.PackageAccess), p.CreatorID, sqldb.Optional(p.Naming), sqldb.OptionalBool(p.Duplicates.Allowed),
			sqldb.Optional(p.Duplicates.Exception), sqldb.Optional(p.MaxFileSize), sqldb.Bool(p.JobTokenScope), sqldb.Micros(p.CreatedAt),
			sqldb.Optional(p.Drafts), sqldb.Optional(p.Finalisers))
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

// roomForProject checks the limit of a group's projects, or in a user's own namespace,
// the user's limit; see auth.User.Bounded.
func (t tx) roomForProject(ctx context.Context, namespaceID int64, most fault.Limit) error {
	var owner sql.NullInt64
	err := t.Row(ctx, `SELECT owner_id FROM namespaces WHERE id = $1`, namespaceID).Scan(&owner)
	if err != nil {
		return sqldb.Classify(err)
	}
	if owner.Valid {
		if err := t.holdOwner(ofUser(""), owner.Int64); err != nil {
			return err
		}
		err := t.Row(ctx, `SELECT CASE external WHEN 1 THEN 0 ELSE projects_limit END FROM users WHERE id = $1`, owner.Int64).Scan(&most.Most)
		if err != nil {
			return sqldb.Classify(err)
		}
	}
	return t.room(ctx, projectRows(), 1, most, namespaceID)
}

// UpdateProject implements projects.Projects.
func (db *DB) UpdateProject(ctx context.Context, projectID int64, edit func(*projects.Project) ([]audit.Event, error)) (projects.Project, error) {
	return writePermission(ctx, db, func(t tx) (projects.Project, error) {
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
		return p, t.Exec(`UPDATE projects SET name = $1, path = $2, description = $3, visibility = $4, default_branch = $5,
				topics = $6, package_access = $7, archived = $8, naming = $9, duplicates_allowed = $10,
				duplicate_exception = $11, max_file_size = $12, job_token_scope = $13, updated_at = $14,
				drafts = $15, finalisers = $16 WHERE id = $17`,
			p.Name, p.Path, p.Description, int(p.Visibility), p.DefaultBranch, strings.Join(p.Topics, ","),
			int(p.PackageAccess), sqldb.Bool(p.Archived), sqldb.Optional(p.Naming), sqldb.OptionalBool(p.Duplicates.Allowed),
			sqldb.Optional(p.Duplicates.Exception), sqldb.Optional(p.MaxFileSize), sqldb.Bool(p.JobTokenScope), sqldb.Micros(p.UpdatedAt),
			sqldb.Optional(p.Drafts), sqldb.Optional(p.Finalisers), projectID)
	})
}

// DeleteProject implements projects.Projects.
func (db *DB) DeleteProject(ctx context.Context, projectID int64, now time.Time, e audit.Event) error {
	_, err := writePermission(sqldb.Freeing(ctx), db, func(t tx) (struct{}, error) {
		if err := t.record(ctx, e); err != nil {
			return struct{}{}, err
		}
		for _, table := range []string{"routes", "members", "deploy_tokens", "variables", "hooks"} {
			if err := t.Exec(`DELETE FROM `+table+` WHERE project_id = $1`, projectID); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, t.Exec(`UPDATE projects SET deleted_at = $1 WHERE id = $2 AND deleted_at IS NULL`, sqldb.Micros(now), projectID)
	})
	return err
}
