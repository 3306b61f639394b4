package metadb

import (
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// addRoute inserts a route for a new full path; Rejected if it is too long or too
// deep. It replaces a redirect of this path; Conflict if something else has the path.
func (t tx) addRoute(path string, namespaceID, projectID int64) error {
	if err := projects.CheckFullPath(path, namespaceID != 0); err != nil {
		return err
	}
	return t.putRoute(path, namespaceID, projectID)
}

func (t tx) putRoute(path string, namespaceID, projectID int64) error {
	if err := t.Exec(`DELETE FROM routes WHERE path_key = $1 AND redirect = 1`, sqldb.Lower(path)); err != nil {
		return err
	}
	return t.Exec(`INSERT INTO routes (path_key, path, namespace_id, project_id, redirect) VALUES ($1, $2, $3, $4, 0)`,
		sqldb.Lower(path), path, sqldb.NullID(namespaceID), sqldb.NullID(projectID))
}

// moveRoute changes a full path; Rejected as CheckNewPath says. The old path becomes a
// redirect.
func (t tx) moveRoute(from, to string, namespaceID, projectID int64) error {
	if err := projects.CheckNewPath(from, to, namespaceID != 0); err != nil {
		return err
	}
	if err := t.Exec(`UPDATE routes SET redirect = 1 WHERE path_key = $1`, sqldb.Lower(from)); err != nil {
		return err
	}
	return t.putRoute(to, namespaceID, projectID)
}
