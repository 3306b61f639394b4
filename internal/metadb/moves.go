package metadb

import (
	"context"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// TransferProject implements projects.Transfers.
func (db *DB) TransferProject(ctx context.Context, projectID, namespaceID int64, a access.Actor, most fault.Limit,
	judge func(*projects.Project, projects.Group) ([]audit.Event, error),
) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		return struct{}{}, t.transferProject(ctx, projectID, namespaceID, a, most, judge, db.formerPaths)
	})
	return err
}

func (t tx) transferProject(ctx context.Context, projectID, namespaceID int64, a access.Actor, most fault.Limit,
	judge func(*projects.Project, projects.Group) ([]audit.Event, error), former fault.Limit,
) error {
	found, err := findProjectSpot(ctx, t, projects.Reference{ID: projectID}, a)
	if err != nil {
		return gone(err, "Project")
	}
	to, err := findGroup(ctx, t, namespaceID, a)
	if err != nil {
		return gone(err, "Namespace")
	}
	p := found.place
	from := p.FullPath
	done, err := judge(&p, to)
	if err != nil {
		return err
	}
	if err := t.record(ctx, done...); err != nil {
		return err
	}
	err = t.roomForProject(ctx, namespaceID, most)
	if full, ok := fault.As(err, fault.Full); ok && to.Personal() {
		err = &fault.Error{Kind: fault.OverLimit, Most: full.Most}
	}
	if err != nil {
		return err
	}
	if err := t.moveRoute(from, to.FullPath+"/"+p.Path, 0, projectID); err != nil {
		return err
	}
	if err := t.room(ctx, formerPathRows(projects.Place{ProjectID: projectID}), 0, former, projectID); err != nil {
		return err
	}
	return t.Exec(`UPDATE projects SET namespace_id = $1, visibility = $2, updated_at = $3 WHERE id = $4`,
		namespaceID, int(p.Visibility), sqldb.Micros(p.UpdatedAt), projectID)
}

// gone turns NotFound into Hidden with the noun, for either end of a transfer.
func gone(err error, noun string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Hidden, noun)
	}
	return err
}

// TransferGroup implements projects.Transfers.
func (db *DB) TransferGroup(ctx context.Context, groupID, parentID int64, a access.Actor, most fault.Limit, owner audit.Event,
	judge func(*projects.Group, projects.Destination) ([]audit.Event, error),
) (projects.Group, error) {
	return writePermission(ctx, db, func(t tx) (projects.Group, error) {
		before, err := findGroup(ctx, t, groupID, a)
		if err != nil {
			return before, gone(err, "Group")
		}
		to, err := t.destination(ctx, groupID, parentID, a)
		if err != nil {
			return before, err
		}
		g := before
		done, err := judge(&g, to)
		if err != nil {
			return g, err
		}
		if err := t.record(ctx, done...); err != nil {
			return g, err
		}
		if err := t.roomForGroup(ctx, parentID, a.UserID, most); err != nil {
			return g, err
		}
		if err := t.reparent(ctx, before, g, db.formerPaths); err != nil {
			return g, err
		}
		if parentID == 0 {
			if err := t.ensureOwner(ctx, g, a, owner); err != nil {
				return g, err
			}
		}
		return findGroup(ctx, t, groupID, a)
	})
}

// destination reads the group's new parent.
func (t tx) destination(ctx context.Context, groupID, parentID int64, a access.Actor) (projects.Destination, error) {
	if parentID == 0 {
		return projects.Destination{}, nil
	}
	parent, err := findGroup(ctx, t, parentID, a)
	if err != nil {
		return projects.Destination{}, gone(err, "Group")
	}
	line, err := lineage(ctx, t, parentID, 0)
	return projects.Destination{Parent: &parent, Below: covers(line, groupID)}, err
}

// reparent moves a group with all below it to another parent.
func (t tx) reparent(ctx context.Context, before, g projects.Group, former fault.Limit) error {
	if err := t.moveNamespace(ctx, before.FullPath, g.FullPath); err != nil {
		return err
	}
	if err := t.room(ctx, formerPathRows(projects.Place{GroupID: g.ID}), 0, former, g.ID); err != nil {
		return err
	}
	err := t.Exec(`UPDATE namespaces SET parent_id = $1, updated_at = $2 WHERE id = $3`, sqldb.NullID(g.ParentID), sqldb.Micros(g.UpdatedAt), g.ID)
	if err != nil || g.Visibility >= before.Visibility {
		return err
	}
	const below = `(WITH RECURSIVE below (id) AS (
		SELECT CAST($2 AS BIGINT) UNION SELECT n.id FROM namespaces n JOIN below ON n.parent_id = below.id) SELECT id FROM below)`
	if err := t.Exec(`UPDATE projects SET visibility = $1 WHERE visibility > $1 AND namespace_id IN `+below, int(g.Visibility), g.ID); err != nil {
		return err
	}
	return t.Exec(`UPDATE namespaces SET visibility = $1 WHERE visibility > $1 AND id IN `+below, int(g.Visibility), g.ID)
}

// moveNamespace changes the full path of a group and of everything below it, by a
// fixed number of statements. to is not below from. Rejected as CheckNewPath says.
func (t tx) moveNamespace(ctx context.Context, from, to string) error {
	if err := t.checkMoved(ctx, from, to); err != nil {
		return err
	}
	if sqldb.Lower(from) == sqldb.Lower(to) {
		var w sqldb.Where
		query := `UPDATE routes SET path = ` + w.Bind("? || substr(path, ?)", to, len(from)+1) + currentRoutes(&w, from)
		return t.Exec(query, w.Args...)
	}
	var taken, moved, left sqldb.Where
	key := taken.Bind("? || substr(path_key, ?)", sqldb.Lower(to), len(from)+1)
	query := `DELETE FROM routes WHERE redirect = 1 AND path_key IN (SELECT ` + key + ` FROM routes` + currentRoutes(&taken, from) + `)`
	if err := t.Exec(query, taken.Args...); err != nil {
		return err
	}
	paths := moved.Bind("? || substr(path_key, ?), ? || substr(path, ?)", sqldb.Lower(to), len(from)+1, to, len(from)+1)
	query = `INSERT INTO routes (path_key, path, namespace_id, project_id, redirect)
		SELECT ` + paths + `, namespace_id, project_id, 0 FROM routes` + currentRoutes(&moved, from)
	if err := t.Exec(query, moved.Args...); err != nil {
		return err
	}
	query = `UPDATE routes SET redirect = 1` + currentRoutes(&left, from)
	return t.Exec(query, left.Args...)
}

// currentRoutes is the condition for the route of the full path and those below it,
// without redirects.
func currentRoutes(w *sqldb.Where, fullPath string) string {
	key := sqldb.Lower(fullPath)
	w.And("redirect = 0")
	w.And("(path_key = ? OR path_key >= ? AND path_key < ?)", key, key+"/", key+"0") // '0' follows '/'
	return w.String()
}

// checkMoved is CheckNewPath for a group and all below it. All paths grow by the same,
// so that checking the longest path and the deepest group is enough.
func (t tx) checkMoved(ctx context.Context, from, to string) error {
	if err := projects.CheckNewPath(from, to, true); err != nil {
		return err
	}
	type farthest struct {
		path  string
		group bool
	}
	var w sqldb.Where
	below := currentRoutes(&w, from)
	found, err := sqldb.List(ctx, t, func(row sqldb.Scanner) (f farthest, err error) { err = row.Scan(&f.path, &f.group); return f, err },
		`WITH below AS (SELECT path, namespace_id FROM routes`+below+`)
		SELECT path, 0 FROM (SELECT path FROM below ORDER BY length(path) DESC LIMIT 1) longest
		UNION ALL SELECT path, 1 FROM (SELECT path FROM below WHERE namespace_id IS NOT NULL
			ORDER BY length(path) - length(replace(path, '/', '')) DESC LIMIT 1) deepest ORDER BY 2`, w.Args...)
	if err != nil {
		return err
	}
	for _, f := range found {
		err := projects.CheckNewPath(f.path, to+f.path[len(from):], f.group)
		if e, ok := fault.As(err, fault.Rejected); ok && e.Fields["route.path"] != nil {
			return fault.Field("route.path", "is too long (maximum is 255 characters) of a group or project in this group")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ensureOwner makes the actor an owner of a group that is now at the top, if it has no
// owner that keeps it: it had the owners of the groups above.
func (t tx) ensureOwner(ctx context.Context, g projects.Group, a access.Actor, e audit.Event) error {
	at := projects.Place{GroupID: g.ID}
	kept, err := t.keptByAnother(ctx, g.ID, 0)
	if err != nil || kept {
		return err
	}
	before, err := t.findMember(ctx, at, a.UserID)
	was := ""
	switch {
	case err == nil:
		was, e.Name = before.Standing(), audit.MemberUpdated
	case !fault.Is(err, fault.NotFound):
		return err
	}
	if err := t.Exec(`DELETE FROM members WHERE namespace_id = $1 AND user_id = $2`, g.ID, a.UserID); err != nil {
		return err
	}
	err = t.addMember(at, projects.Member{UserID: a.UserID, Role: access.Owner, CreatedAt: g.UpdatedAt, CreatedBy: &projects.Creator{UserID: a.UserID}})
	if err != nil {
		return err
	}
	m, err := t.findMember(ctx, at, a.UserID)
	if err != nil {
		return err
	}
	return t.record(ctx, aboutMember(e, m).With("access_level", was, m.Standing()))
}
