package metadb

import (
	"context"

	"granary/internal/access"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// ListNamespaces implements projects.Namespaces.
func (db *DB) ListNamespaces(ctx context.Context, f projects.NamespaceFilter, p page.Request) (page.Of[projects.Group], error) {
	least := access.Guest
	if f.Owned {
		least = access.Owner
	}
	w := sqldb.Where{Args: []any{f.Actor.UserID, int(least), sqldb.Micros(db.Now())}}
	w.And("n.deleted_at IS NULL")
	if f.Owned || !f.Actor.Admin {
		w.And("n.id IN (SELECT id FROM mine)")
	}
	if f.Search != "" {
		w.And(w.Matching(f.Search, "n.name", "r.path"))
	}
	if f.TopLevelOnly {
		w.And("n.parent_id IS NULL")
	}
	return countedPage(ctx, direct{db}, &w, p, listing[projects.Group]{selection{with: mine, from: groupTables, columns: groupColumns, order: "n.id"}, scanGroup})
}

// CountMembers implements projects.Namespaces.
func (db *DB) CountMembers(ctx context.Context, groupID int64) (n int, err error) {
	err = db.Row(ctx, `WITH RECURSIVE below (id) AS (
			SELECT CAST($1 AS BIGINT) UNION SELECT n.id FROM namespaces n JOIN below ON n.parent_id = below.id)
		SELECT COUNT(*) FROM (
			SELECT m.user_id FROM below JOIN members m ON m.namespace_id = below.id
			WHERE (m.expires_at IS NULL OR m.expires_at > $2) AND`+counted+`
			UNION SELECT m.user_id FROM below JOIN projects p ON p.namespace_id = below.id AND p.deleted_at IS NULL
			JOIN members m ON m.project_id = p.id
			WHERE (m.expires_at IS NULL OR m.expires_at > $2) AND`+counted+`) AS few`, groupID, sqldb.Micros(db.Now())).Scan(&n)
	return n, sqldb.Classify(err)
}
