package metadb

import (
	"context"
	"slices"

	"granary/internal/access"
	"granary/internal/blob"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// seen begins a query over the projects p that an actor may be able to see. Those of a job
// or a deploy token are judged as an outsider's and by their own project.
func (db *DB) seen(a access.Actor) sqldb.Where {
	w := sqldb.Where{Args: []any{a.UserID, int(access.Guest), sqldb.Micros(db.Now())}}
	w.And("p.deleted_at IS NULL")
	visibleProjects(&w, projects.ProjectFilter{Actor: a})
	return w
}

// SearchNames implements registry.Search. In each project the places of the longest term
// are a range of an index.
func (db *DB) SearchNames(ctx context.Context, a access.Actor, f registry.NameFilter, limit int) ([]registry.FoundPackage, error) {
	if len(f.Terms) == 0 || slices.ContainsFunc(f.Terms, impossible) {
		return nil, nil
	}
	w := db.seen(a)
	longest := slices.MaxFunc(f.Terms, func(a, b string) int { return len(a) - len(b) })
	hasPart(&w, "s.part", longest)
	if len(f.Terms) > 1 || len(longest) > maxPart {
		hasTerms(&w, "n.name", f.Terms)
	}
	w.And("s.project_id = p.id AND n.id = s.name_id")
	query := mine + `SELECT p.id, n.id, n.name, ` + db.wording.listed + ` FROM projects p CROSS JOIN package_name_parts s CROSS JOIN package_names n` +
		w.String() + ` ORDER BY p.id, s.part, n.id` + w.Bind(` LIMIT ?`, limit)
	return sqldb.List(ctx, db, func(row sqldb.Scanner) (f registry.FoundPackage, err error) {
		err = row.Scan(&f.ProjectID, &f.NameID, &f.Name, &f.Versions)
		return f, err
	}, query, w.Args...)
}

// SearchProjects implements registry.Search.
func (db *DB) SearchProjects(ctx context.Context, a access.Actor, text string, limit int) ([]registry.FoundProject, error) {
	w := db.seen(a)
	w.And(w.Matching(text, "r.path"))
	query := mine + `SELECT p.id, r.path FROM projects p JOIN routes r ON r.project_id = p.id AND r.redirect = 0` + w.String() +
		` ORDER BY r.path` + w.Bind(` LIMIT ?`, limit)
	return sqldb.List(ctx, db, func(row sqldb.Scanner) (f registry.FoundProject, err error) {
		err = row.Scan(&f.ProjectID, &f.FullPath)
		return f, err
	}, query, w.Args...)
}

// SearchFiles implements registry.Search. Of the files with these bytes the newest are
// looked at.
func (db *DB) SearchFiles(ctx context.Context, a access.Actor, d blob.Digest, limit int) ([]registry.FoundFile, error) {
	w := db.seen(a)
	newest := w.Bind(`(SELECT f.id, f.package_id, f.file_name FROM blobs b JOIN package_files f ON f.blob_id = b.id
		WHERE b.digest = ? AND f.status = 'default' ORDER BY f.id DESC LIMIT ?) f`, d[:], countLimit)
	w.And("k.id = f.package_id AND p.id = k.project_id AND " + isListed)
	query := mine + `SELECT p.id, k.name, k.version, k.id, f.id, f.file_name FROM ` + newest + ` CROSS JOIN packages k CROSS JOIN projects p` + w.String() +
		` ORDER BY f.id DESC` + w.Bind(` LIMIT ?`, limit)
	return sqldb.List(ctx, db, func(row sqldb.Scanner) (f registry.FoundFile, err error) {
		err = row.Scan(&f.ProjectID, &f.Name, &f.Version, &f.PackageID, &f.FileID, &f.File)
		return f, err
	}, query, w.Args...)
}
