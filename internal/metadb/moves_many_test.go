package metadb

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// countedStatements records the statements of a transaction.
type countedStatements struct {
	sqldb.Runner
	texts []string
}

func (c *countedStatements) Exec(query string, args ...any) (sql.Result, error) {
	c.texts = append(c.texts, query)
	return c.Runner.Exec(query, args...)
}

func (c *countedStatements) Row(query string, args ...any) *sql.Row {
	c.texts = append(c.texts, query)
	return c.Runner.Row(query, args...)
}

func (c *countedStatements) Rows(query string, args ...any) (*sql.Rows, error) {
	c.texts = append(c.texts, query)
	return c.Runner.Rows(query, args...)
}

// TestMovesAskTheSameForAnyGroup: moving a group of 3,000 projects takes as many
// statements as one of 10. Everything below it is found by its new path, and by its
// old one.
func TestMovesAskTheSameForAnyGroup(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		var asked []int
		for _, size := range []int{10, 3000} {
			home := fmt.Sprint("Home-", size)
			g := newGroup(t, db, 0, home, access.Public, root.ID)
			newGroup(t, db, g.ID, "Sub", access.Public, root.ID)
			fillGroup(t, db, g, size)
			texts := moving(t, db, home, "Other/"+home)
			asked = append(asked, len(texts))
			for _, text := range texts {
				if steps := stepsOfSQLite(t, db, text); strings.Contains(steps, "SCAN routes") {
					t.Errorf("%s: %s", text, steps)
				}
			}
			if n := count(t, db, fmt.Sprintf(`SELECT COUNT(*) FROM routes r JOIN routes o ON o.project_id = r.project_id AND o.redirect = 1
				WHERE r.redirect = 0 AND r.path = 'Other/' || o.path AND r.path_key = 'other/' || o.path_key AND o.path LIKE 'Home-%d/Tool-%%'`, size)); n != int64(size) {
				t.Errorf("%d projects are there, want %d", n, size)
			}
		}
		if asked[0] != asked[1] || asked[0] != 4 {
			t.Errorf("%v statements for 10 and 3,000 projects, want 4", asked)
		}
	})
}

// stepsOfSQLite is SQLite's plan of a statement; PostgreSQL's depends on the rows.
func stepsOfSQLite(t *testing.T, db *DB, text string) string {
	t.Helper()
	if db.Shared() {
		return ""
	}
	return strings.Join(plan(t, db, text), "; ")
}

// moving moves a group or project by its full path, and returns the statements.
func moving(t *testing.T, db *DB, from, to string) []string {
	t.Helper()
	texts, err := write(t.Context(), db, func(on tx) ([]string, error) {
		asked := &countedStatements{Runner: on.Via}
		on.Via = asked
		err := on.moveNamespace(t.Context(), from, to)
		on.Via = asked.Runner
		return asked.texts, err
	})
	return must(t, texts, err)
}

// fillGroup makes that many projects in a top-level group.
func fillGroup(t *testing.T, db *DB, g projects.Group, size int) {
	t.Helper()
	do(t, db, fmt.Sprintf(`INSERT INTO projects (namespace_id, name, path, description, visibility, default_branch, topics, package_access,
			archived, creator_id, job_token_scope, created_at, updated_at)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		SELECT %d, 'Tool-' || i, 'Tool-' || i, '', 20, 'main', '', 20, 0, 1, 1, 1, 1 FROM n`, size, g.ID),
		fmt.Sprintf(`INSERT INTO routes (path_key, path, project_id, redirect)
			SELECT '%s/' || lower(path), '%s/' || path, id, 0 FROM projects WHERE namespace_id = %d`, strings.ToLower(g.Path), g.Path, g.ID))
}

// TestMovesTakeOldPathsOver: a move to a path that is a redirect replaces the
// redirect, and a move back restores the first path; another spelling of the same path
// leaves no redirect. Paths with the same prefix stay.
func TestMovesTakeOldPathsOver(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		root := newUser(t, db, "root", false)
		g := newGroup(t, db, 0, "one", access.Public, root.ID)
		newProject(t, db, g.ID, "Tool", access.Public, root.ID)
		for _, beside := range []string{"one-more", "one.more", "one0"} {
			newProject(t, db, newGroup(t, db, 0, beside, access.Public, root.ID).ID, "Tool", access.Public, root.ID)
		}
		others := count(t, db, `SELECT COUNT(*) FROM routes WHERE redirect = 0`)
		for _, to := range []string{"two", "one", "ONE", "two", "Three"} {
			var from string
			must(t, 0, db.Row(t.Context(), `SELECT path FROM routes WHERE redirect = 0 AND namespace_id = $1`, g.ID).Scan(&from))
			moving(t, db, from, to)
		}
		want := "Three,Three/Tool,ONE*,ONE/Tool*,two*,two/Tool*"
		found, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (path string, err error) { return path, row.Scan(&path) },
			`SELECT path || CASE WHEN redirect = 1 THEN '*' ELSE '' END FROM routes
			WHERE path_key IN ('one', 'one/tool', 'two', 'two/tool', 'three', 'three/tool') ORDER BY redirect, path_key`)
		if got := strings.Join(must(t, found, err), ","); got != want {
			t.Errorf("paths: %s, want %s", got, want)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM routes WHERE redirect = 0`); n != others {
			t.Errorf("%d paths, want %d", n, others)
		}
	})
}
