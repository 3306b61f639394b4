package metadb

import (
	"context"
	"database/sql"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

const groupColumns = `n.id, n.parent_id, n.owner_id, n.name, n.path, r.path, n.description, n.visibility,
	n.duplicates_allowed, n.duplicate_exception, n.created_at, n.updated_at`

const groupTables = `namespaces n JOIN routes r ON r.namespace_id = n.id AND r.redirect = 0`

// treeOrder puts whatever is in a group directly after it.
const treeOrder = `replace(lower(r.path), '/', ' ')`

func scanGroup(row sqldb.Scanner) (projects.Group, error) {
	var g projects.Group
	var parent, owner sql.NullInt64
	var allowed sql.Null[bool]
	var exception sql.Null[string]
	var created, updated int64
	err := row.Scan(&g.ID, &parent, &owner, &g.Name, &g.Path, &g.FullPath, &g.Description, &g.Visibility,
		&allowed, &exception, &created, &updated)
	g.ParentID, g.OwnerID = parent.Int64, owner.Int64
	g.Duplicates = projects.Duplicates{Allowed: sqldb.Pointer(allowed), Exception: sqldb.Pointer(exception)}
	g.CreatedAt, g.UpdatedAt = sqldb.Moment(created), sqldb.Moment(updated)
	return g, sqldb.Classify(err)
}

// FindGroup implements projects.Groups.
func (db *DB) FindGroup(ctx context.Context, ref string, a access.Actor) (projects.Group, error) {
	r, err := projects.ParseReference(ref, projects.LeastOfGroup)
	if err != nil {
		return projects.Group{}, err
	}
	found, err := findGroupSpot(ctx, db, r, a)
	if err == nil && found.moved {
		err = fault.New(fault.NotFound, "")
	}
	return found.place, err
}

// FindFormerGroup implements projects.Groups.
func (db *DB) FindFormerGroup(ctx context.Context, path string, a access.Actor) (projects.Group, error) {
	found, err := findGroupSpot(ctx, db, projects.Reference{Path: sqldb.Lower(path)}, a)
	if err == nil && !found.moved {
		err = fault.New(fault.NotFound, "")
	}
	return found.place, err
}

// ListGroups implements projects.Groups.
func (db *DB) ListGroups(ctx context.Context, f projects.GroupFilter, p page.Request) (page.Of[projects.Group], error) {
	least := max(access.Guest, f.MinRole)
	if f.Owned {
		least = access.Owner
	}
	w := sqldb.Where{Args: []any{f.Actor.UserID, int(least), sqldb.Micros(db.Now())}}
	w.And("n.deleted_at IS NULL AND n.owner_id IS NULL")
	visibleGroups(&w, f)
	if f.Search != "" {
		w.And(w.Matching(f.Search, "n.name", "n.path"))
	}
	if f.TopLevelOnly {
		w.And("n.parent_id IS NULL")
	}
	if f.ParentID != 0 {
		w.And("n.parent_id = ?", f.ParentID)
	}
	if f.Above != 0 {
		w.And(`n.id IN (WITH RECURSIVE up (id) AS (
			SELECT CAST(? AS BIGINT) UNION SELECT n.parent_id FROM namespaces n JOIN up ON n.id = up.id WHERE n.parent_id IS NOT NULL) SELECT id FROM up)`, f.Above)
	}
	if f.Visibility != nil {
		w.And("n.visibility = ?", int(*f.Visibility))
	}
	w.In("n.id", true, f.SkipIDs)
	order := map[string]string{"path": "n.path", "id": "n.id", "tree": treeOrder}[p.OrderBy]
	if order == "" {
		order = "lower(n.name)"
	}
	order += sqldb.Direction(p.Desc) + ", n.id" + sqldb.Direction(p.Desc)
	found, err := countedPage(ctx, direct{db}, &w, p, listing[projects.Group]{selection{with: mine, from: groupTables, columns: groupColumns, order: order}, scanGroup})
	if err != nil {
		return found, err
	}
	err = found.Finish(ctx, func(ctx context.Context, rows []projects.Group) ([]projects.Group, error) {
		return rows, completeGroups(ctx, db, rows, f.Actor)
	})
	return found, err
}

// visibleGroups repeats in SQL what access decides; a test holds the two together.
func visibleGroups(w *sqldb.Where, f projects.GroupFilter) {
	const member = `n.id IN (SELECT id FROM mine)`
	const onTheWay = `n.id IN (WITH RECURSIVE way (id) AS (
		SELECT p.namespace_id FROM projects p WHERE p.deleted_at IS NULL AND p.id IN (SELECT id FROM mine_projects)
		UNION SELECT id FROM mine
		UNION SELECT n.parent_id FROM namespaces n JOIN way ON n.id = way.id WHERE n.parent_id IS NOT NULL) SELECT id FROM way)`
	switch {
	case f.Owned || f.MinRole > access.NoRole:
		if !f.Actor.Admin || f.Owned {
			w.And(member)
		}
	case f.Actor.Admin:
	case !f.Actor.LoggedIn():
		w.And("n.visibility = 20")
	case f.Actor.External:
		w.And("(n.visibility = 20 OR " + onTheWay + ")")
	default:
		w.And("(n.visibility >= 10 OR " + onTheWay + ")")
	}
}

// InsertGroup implements projects.Groups.
func (db *DB) InsertGroup(ctx context.Context, g projects.Group, creator int64, most fault.Limit, e audit.Event) (projects.Group, error) {
	return writePermission(ctx, db, func(t tx) (projects.Group, error) {
		if err := t.roomForGroup(ctx, g.ParentID, creator, most); err != nil {
			return g, err
		}
		fullPath := g.Path
		if g.ParentID != 0 {
			parent, err := t.pathOfNamespace(ctx, g.ParentID)
			if err != nil {
				return g, err
			}
			fullPath = parent + "/" + g.Path
		}
		id, err := t.Insert(`INSERT INTO namespaces (parent_id, name, path, description, visibility,
				duplicates_allowed, duplicate_exception, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING id`,
			sqldb.NullID(g.ParentID), g.Name, g.Path, g.Description, int(g.Visibility),
			sqldb.OptionalBool(g.Duplicates.Allowed), sqldb.Optional(g.Duplicates.Exception), sqldb.Micros(g.CreatedAt))
		if err != nil {
			return g, err
		}
		if err := t.addRoute(fullPath, id, 0); err != nil {
			return g, err
		}
		e.Entity.ID = id
		if err := t.record(ctx, e.To("Group", id, fullPath)); err != nil {
			return g, err
		}
		if creator == 0 {
			return findGroup(ctx, t, id, access.Actor{})
		}
		at := projects.Place{GroupID: id}
		err = t.addMember(at, projects.Member{UserID: creator, Role: access.Owner, CreatedAt: g.CreatedAt, CreatedBy: &projects.Creator{UserID: creator}})
		if err != nil {
			return g, err
		}
		return findGroup(ctx, t, id, access.Actor{Kind: access.User, UserID: creator})
	})
}

// roomForGroup checks the limit of the parent's subgroups, or of top-level groups that
// the creator owns.
func (t tx) roomForGroup(ctx context.Context, parentID, creator int64, most fault.Limit) error {
	if parentID != 0 {
		return t.room(ctx, subgroupRows(), 1, most, parentID)
	}
	return t.room(ctx, ownGroupRows(), 1, most, creator)
}

func (t tx) pathOfNamespace(ctx context.Context, namespaceID int64) (string, error) {
	var path string
	err := t.Row(ctx, `SELECT r.path FROM `+groupTables+` WHERE n.id = $1 AND n.deleted_at IS NULL`, namespaceID).Scan(&path)
	return path, sqldb.Classify(err)
}

// UpdateGroup implements projects.Groups.
func (db *DB) UpdateGroup(ctx context.Context, groupID int64, edit func(*projects.Group) ([]audit.Event, error)) (projects.Group, error) {
	return writePermission(ctx, db, func(t tx) (projects.Group, error) {
		g, err := findGroup(ctx, t, groupID, access.Actor{})
		if err != nil {
			return g, err
		}
		before := g
		done, err := edit(&g)
		if err != nil {
			return g, err
		}
		if err := t.record(ctx, done...); err != nil {
			return g, err
		}
		if err := t.checkVisibility(ctx, before, g); err != nil {
			return g, err
		}
		if g.Path != before.Path {
			if err := t.moveNamespace(ctx, before.FullPath, before.FullPath[:len(before.FullPath)-len(before.Path)]+g.Path); err != nil {
				return g, err
			}
			at := projects.Place{GroupID: groupID}
			if err := t.room(ctx, formerPathRows(at), 0, db.formerPaths, groupID); err != nil {
				return g, err
			}
		}
		err = t.Exec(`UPDATE namespaces SET name = $1, path = $2, description = $3, visibility = $4,
				duplicates_allowed = $5, duplicate_exception = $6, updated_at = $7 WHERE id = $8`,
			g.Name, g.Path, g.Description, int(g.Visibility),
			sqldb.OptionalBool(g.Duplicates.Allowed), sqldb.Optional(g.Duplicates.Exception), sqldb.Micros(g.UpdatedAt), groupID)
		if err != nil {
			return g, err
		}
		return findGroup(ctx, t, groupID, access.Actor{})
	})
}

// checkVisibility compares a group's new visibility with those of its parent and of
// its contents.
func (t tx) checkVisibility(ctx context.Context, before, after projects.Group) error {
	if after.Visibility == before.Visibility {
		return nil
	}
	var parent, inside sql.Null[access.Visibility]
	err := t.Row(ctx, `SELECT (SELECT visibility FROM namespaces WHERE id = $1),
			(SELECT MAX(v) FROM (SELECT visibility AS v FROM namespaces WHERE parent_id = $2 AND deleted_at IS NULL
				UNION ALL SELECT visibility FROM projects WHERE namespace_id = $2 AND deleted_at IS NULL) AS inside)`,
		after.ParentID, after.ID).Scan(&parent, &inside)
	if err != nil {
		return sqldb.Classify(err)
	}
	return projects.CheckVisibility(after.Visibility, sqldb.Pointer(parent), sqldb.Pointer(inside))
}

// DeleteGroup implements projects.Groups.
func (db *DB) DeleteGroup(ctx context.Context, groupID int64, now time.Time, e audit.Event) error {
	_, err := writePermission(sqldb.Freeing(ctx), db, func(t tx) (struct{}, error) {
		if err := t.record(ctx, e); err != nil {
			return struct{}{}, err
		}
		below, err := sqldb.List(ctx, t, sqldb.ScanOne[int64],
			`WITH RECURSIVE below (id) AS (
				SELECT CAST($1 AS BIGINT) UNION SELECT n.id FROM namespaces n JOIN below ON n.parent_id = below.id)
			SELECT id FROM below`, groupID)
		if err != nil {
			return struct{}{}, err
		}
		for _, namespaceID := range below {
			if err := t.deleteNamespace(namespaceID, now); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// deleteNamespace marks a namespace and its projects as deleted, frees their paths,
// and removes what gives access to them or is secret in them.
func (t tx) deleteNamespace(namespaceID int64, now time.Time) error {
	for _, table := range []string{"members", "deploy_tokens", "variables", "routes"} {
		err := t.Exec(`DELETE FROM `+table+` WHERE namespace_id = $1
			OR project_id IN (SELECT id FROM projects WHERE namespace_id = $1)`, namespaceID)
		if err != nil {
			return err
		}
	}
	err := t.Exec(`DELETE FROM hooks WHERE project_id IN (SELECT id FROM projects WHERE namespace_id = $1)`, namespaceID)
	if err != nil {
		return err
	}
	err = t.Exec(`UPDATE projects SET deleted_at = $1 WHERE deleted_at IS NULL AND namespace_id = $2`, sqldb.Micros(now), namespaceID)
	if err != nil {
		return err
	}
	return t.Exec(`UPDATE namespaces SET deleted_at = $1 WHERE deleted_at IS NULL AND id = $2`, sqldb.Micros(now), namespaceID)
}
