package metadb

import (
	"context"
	"reflect"
	"strings"

	"granary/internal/access"
	"granary/internal/naming"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// projectKey is what a cached project depends on besides the records: its id, and the
// actor.
type projectKey struct {
	projectID int64
	kind      access.Kind
	actor     int64 // user or deploy token
	job       int64 // the project of the actor's job
}

// route is the project of a path.
type route struct {
	projectID int64
	moved     bool // it is a former path
}

// FindPackageProject implements registry.Projects. Projects are cached by id and
// actor, and paths by themselves, until permission changes.
func (db *DB) FindPackageProject(ctx context.Context, ref string, a access.Actor) (registry.Project, error) {
	r, err := projects.ParseReference(ref, projects.LeastOfProject)
	if err != nil {
		return registry.Project{}, err
	}
	if err := db.catchUpOnce(ctx); err != nil {
		return registry.Project{}, err
	}
	key := projectKey{projectID: r.ID, kind: a.Kind, actor: a.UserID, job: a.JobProjectID}
	if a.Kind == access.DeployToken {
		key.actor = a.TokenID
	}
	found, at, known := db.cachedProject(r, key)
	if known {
		return found, nil
	}
	if at.projectID == 0 {
		r.Path = strings.Clone(r.Path) // else it would keep the whole request in memory
		if at, err = db.routes.get(r.Path, func() (route, error) { return db.findRoute(ctx, r.Path) }); err != nil {
			return registry.Project{}, err
		}
	}
	key.projectID = at.projectID
	found, err = db.projects.get(key, func() (registry.Project, error) { return db.findPackageProject(ctx, at.projectID, a) })
	found.Moved = at.moved
	return found, err
}

// cachedProject looks at routes and projects under one lock, which they share. The
// route is zero if it is not cached.
func (db *DB) cachedProject(r projects.Reference, key projectKey) (found registry.Project, at route, known bool) {
	at.projectID = r.ID
	now := db.budget.now()
	db.projects.mu.RLock()
	defer db.projects.mu.RUnlock()
	if r.ID == 0 {
		e := db.routes.live(r.Path, now)
		if e == nil {
			return found, at, false
		}
		at = e.value
		key.projectID = at.projectID
	}
	e := db.projects.live(key, now)
	if e == nil {
		return found, at, false
	}
	found = e.value
	found.Moved = at.moved
	return found, at, true
}

// weighRoute is the bytes that a cached route points to.
func weighRoute(path string, _ route) int64 { return allocated(len(path)) }

// weighProject is the bytes that a cached project points to.
func weighProject(_ projectKey, p registry.Project) int64 {
	sum := texts(p.Path, p.FullPath, string(p.Drafts), string(p.Standing.Finalisers)) + allocated(cap(p.Protections)*int(reflect.TypeFor[registry.Protection]().Size()))
	for _, rule := range p.Protections {
		sum += texts(rule.Pattern)
	}
	if p.Naming != nil {
		sum += allocated(int(reflect.TypeFor[naming.Grammar]().Size())) + texts(string(*p.Naming))
	}
	if p.MaxFileSize != nil {
		sum += allocated(int(reflect.TypeFor[int64]().Size()))
	}
	return sum + p.Duplicates.Exception.Weight()
}

// findRoute finds the project that a path leads to.
func (db *DB) findRoute(ctx context.Context, path string) (found route, err error) {
	err = db.Row(ctx, `SELECT project_id, redirect FROM routes WHERE path_key = $1 AND project_id IS NOT NULL`, path).Scan(&found.projectID, &found.moved)
	return found, sqldb.Classify(err)
}

func (db *DB) findPackageProject(ctx context.Context, projectID int64, a access.Actor) (registry.Project, error) {
	spot, err := findProjectSpot(ctx, db, projects.Reference{ID: projectID}, a)
	if err != nil {
		return registry.Project{}, err
	}
	p := spot.place
	found := registry.Project{
		Duplicates: duplicatePolicy(p, spot.line),
		ProjectID:  p.ID, Path: p.Path, FullPath: p.FullPath, Standing: p.Standing, Naming: p.Naming, MaxFileSize: p.MaxFileSize,
	}
	if p.Drafts != nil {
		found.Drafts = registry.DraftMode(*p.Drafts)
	}
	if found.FlagOn, err = flagOn(ctx, db, p.ID); err != nil {
		return registry.Project{}, err
	}
	found.Protections, err = sqldb.List(ctx, db, func(row sqldb.Scanner) (r registry.Protection, err error) {
		err = row.Scan(&r.Pattern, &r.Push, &r.Delete)
		return r, err
	}, `SELECT pattern, push_level, delete_level FROM package_protection_rules
		WHERE project_id = $1 AND package_type = 'generic'`, p.ID)
	return found, err
}

func duplicatePolicy(p projects.Project, line []ancestor) registry.DuplicatePolicy {
	d := p.Duplicates.Inherit(duplicates(line))
	return registry.DuplicatePolicy{Allowed: *d.Allowed, Exception: naming.KeptException(*d.Exception)}
}

// FindPackageProjects implements registry.Projects. They have the standing that
// FindPackageProject finds, by a fixed number of queries; for jobs and deploy tokens, one
// more for each project.
func (db *DB) FindPackageProjects(ctx context.Context, ids []int64, a access.Actor) ([]registry.Project, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	w := sqldb.Where{Args: []any{a.UserID, int(access.Guest), sqldb.Micros(db.Now())}}
	w.In("p.id", false, distinct(ids))
	w.And("p.deleted_at IS NULL")
	found, err := sqldb.List(ctx, direct{db}, scanWithRole, mine+`SELECT `+projectColumns+ownRole+` FROM `+projectTables+w.String(), w.Args...)
	if err != nil {
		return nil, err
	}
	if err := standings(ctx, db, found, a); err != nil {
		return nil, err
	}
	places := make([]registry.Project, len(found))
	for i, p := range found {
		places[i] = registry.Project{ProjectID: p.ID, Path: p.Path, FullPath: p.FullPath, Standing: p.Standing}
	}
	return places, nil
}

// heldRoles takes a user and the time. A role in a namespace holds below it, too. A user is
// the owner of its own namespace.
const heldRoles = `WITH RECURSIVE roles (id, role) AS (
		SELECT m.namespace_id, m.access_level FROM members m
		WHERE m.user_id = $1 AND m.namespace_id IS NOT NULL AND (m.expires_at IS NULL OR m.expires_at > $2) AND` + counted + `
		UNION SELECT n.id, 50 FROM namespaces n WHERE n.owner_id = $1
		UNION SELECT n.id, roles.role FROM namespaces n JOIN roles ON n.parent_id = roles.id),
	held (id, role) AS (
		SELECT id, MAX(role) FROM roles GROUP BY id)`

// theirProjects is heldRoles with the projects in which the user may have a role.
const theirProjects = heldRoles + `,
	theirs (id) AS (
		SELECT p.id FROM held JOIN projects p ON p.namespace_id = held.id WHERE p.deleted_at IS NULL
		UNION SELECT m.project_id FROM members m WHERE m.user_id = $1 AND m.project_id IS NOT NULL AND` + counted + `)`

// placeColumns are a project and the user's standing in it.
const placeColumns = `
	SELECT p.id, p.path, r.path, p.visibility, p.package_access, p.archived,
		CASE WHEN COALESCE(h.role, 0) > COALESCE(m.access_level, 0) THEN h.role ELSE COALESCE(m.access_level, 0) END`

// memberships joins projects p with their paths and the user's roles.
const memberships = `
	JOIN routes r ON r.project_id = p.id AND r.redirect = 0
	LEFT JOIN held h ON h.id = p.namespace_id
	LEFT JOIN members m ON m.project_id = p.id AND m.user_id = $1 AND (m.expires_at IS NULL OR m.expires_at > $2) AND` + counted + `
	WHERE p.deleted_at IS NULL`

// groupProjects takes, after a user and the time, a group and whether to include projects
// below its subgroups.
const groupProjects = heldRoles + `,
	below (id) AS (
		SELECT CAST($3 AS BIGINT)
		UNION SELECT n.id FROM namespaces n JOIN below ON n.parent_id = below.id WHERE $4 = 1 AND n.deleted_at IS NULL)` + placeColumns + `
	FROM below JOIN projects p ON p.namespace_id = below.id` + memberships + ` ORDER BY p.id`

// memberProjects takes, after a user and the time, a limit. The newest come first.
const memberProjects = theirProjects + placeColumns + `
	FROM theirs JOIN projects p ON p.id = theirs.id` + memberships + ` AND (h.role IS NOT NULL OR m.access_level IS NOT NULL)
	ORDER BY p.id DESC LIMIT $3`

// GroupPackageProjects implements registry.Projects.
func (db *DB) GroupPackageProjects(ctx context.Context, groupID int64, below bool, a access.Actor) ([]registry.Project, error) {
	return db.standingsOf(ctx, groupProjects, a, groupID, sqldb.Bool(below))
}

// MemberPackageProjects implements registry.Projects.
func (db *DB) MemberPackageProjects(ctx context.Context, a access.Actor, limit int) ([]registry.Project, error) {
	return db.standingsOf(ctx, memberProjects, a, limit)
}

// standingsOf runs a query that takes a user, the time, and more.
func (db *DB) standingsOf(ctx context.Context, query string, a access.Actor, more ...any) ([]registry.Project, error) {
	args := append([]any{a.UserID, sqldb.Micros(db.Now())}, more...)
	return sqldb.List(ctx, db, func(row sqldb.Scanner) (p registry.Project, err error) {
		s := &p.Standing
		err = row.Scan(&p.ProjectID, &p.Path, &p.FullPath, &s.Visibility, &s.Packages, &s.Archived, &s.Role)
		return p, err
	}, query, args...)
}
