package metadb

import (
	"context"

	"granary/internal/access"
	"granary/internal/page"
	"granary/internal/registry"
)

// FindPackage implements registry.Packages.
func (db *DB) FindPackage(ctx context.Context, projectID, packageID int64) (registry.Package, error) {
	p, err := findPackage(ctx, db, projectID, packageID)
	if err != nil {
		return p, err
	}
	one := []registry.Package{p}
	err = lastPipelines(ctx, db, one)
	return one[0], err
}

func findPackage(ctx context.Context, q queries, projectID, packageID int64) (registry.Package, error) {
	return scanPackage(q.row(ctx, `SELECT `+packageColumns+` FROM packages k WHERE k.id = $1 AND k.project_id = $2`, packageID, projectID))
}

// ListVersions implements registry.Packages.
func (db *DB) ListVersions(ctx context.Context, p, after registry.Package, limit int) ([]registry.Package, error) {
	var w where
	w.and("k.project_id = ? AND k.name = ? AND k.id <> ?", p.ProjectID, string(p.Name), p.ID)
	w.and("k.status <> 'pending_destruction' AND " + isListed)
	if after.ID != 0 {
		w.and("(k.version, k.id) > (?, ?)", string(after.Version), after.ID)
	}
	found, err := list(ctx, db, scanPackage, `SELECT `+packageColumns+` FROM packages k`+w.String()+
		` ORDER BY k.version, k.id`+w.bind(" LIMIT ?", limit), w.args...)
	if err != nil {
		return nil, err
	}
	return found, lastPipelines(ctx, db, found)
}

// groupPlaces takes a group, whether to go below it, an actor and the time. A
// role in a namespace holds below it.
const groupPlaces = `WITH RECURSIVE below (id) AS (
		SELECT CAST($1 AS BIGINT)
		UNION SELECT n.id FROM namespaces n JOIN below ON n.parent_id = below.id WHERE $2 = 1 AND n.deleted_at IS NULL),
	roles (id, role) AS (
		SELECT m.namespace_id, m.access_level FROM members m
		WHERE m.user_id = $3 AND m.namespace_id IS NOT NULL AND (m.expires_at IS NULL OR m.expires_at > $4) AND` + counted + `
		UNION SELECT n.id, roles.role FROM namespaces n JOIN roles ON n.parent_id = roles.id),
	held (id, role) AS (
		SELECT id, MAX(role) FROM roles GROUP BY id)
	SELECT p.id, p.path, r.path, p.visibility, p.package_access, p.archived,
		CASE WHEN COALESCE(h.role, 0) > COALESCE(m.access_level, 0) THEN h.role ELSE COALESCE(m.access_level, 0) END
	FROM below JOIN projects p ON p.namespace_id = below.id
	JOIN routes r ON r.project_id = p.id AND r.redirect = 0
	LEFT JOIN held h ON h.id = p.namespace_id
	LEFT JOIN members m ON m.project_id = p.id AND m.user_id = $3 AND (m.expires_at IS NULL OR m.expires_at > $4) AND` + counted + `
	WHERE p.deleted_at IS NULL ORDER BY p.id`

// GroupPlaces implements registry.Places.
func (db *DB) GroupPlaces(ctx context.Context, groupID int64, below bool, a access.Actor) ([]registry.Place, error) {
	return list(ctx, db, func(row scanner) (p registry.Place, err error) {
		s := &p.Standing
		return p, row.Scan(&p.ProjectID, &p.Path, &p.FullPath, &s.Visibility, &s.Packages, &s.Archived, &s.Role)
	}, groupPlaces, groupID, truth(below), a.UserID, micros(db.now()))
}

// fileColumns are a file's for lists. Small bytes stay where they are.
const fileColumns = `f.id, f.package_id, f.file_name, b.size, b.digest, f.status, f.created_at`

func scanPackageFile(row scanner) (registry.PackageFile, error) {
	var f registry.PackageFile
	var digest []byte
	var created int64
	err := row.Scan(&f.ID, &f.PackageID, &f.Name, &f.Size, &digest, &f.Status, &created)
	copy(f.Digest[:], digest)
	f.CreatedAt = moment(created)
	return f, classify(err)
}

// listedFile is what the index package_files_listed has the files of.
const listedFile = `f.package_id = ? AND f.status <> 'pending_destruction'`

func fileListing(order string) listing[registry.PackageFile] {
	return listing[registry.PackageFile]{
		narrow: "package_files f", from: "package_files f JOIN blobs b ON b.id = f.blob_id", columns: fileColumns, order: order, scan: scanPackageFile,
	}
}

// ListFiles implements registry.Files.
func (db *DB) ListFiles(ctx context.Context, packageID int64, p page.Request) (page.Of[registry.PackageFile], error) {
	var w where
	w.and(listedFile, packageID)
	order := "f.id" + direction(p.Desc)
	switch p.OrderBy {
	case "file_name":
		order = "f.file_name" + direction(p.Desc) + ", " + order
	case "created_at":
		order = "f.created_at" + direction(p.Desc) + ", " + order
	}
	found, err := countedPage(ctx, db, &w, p, fileListing(order))
	if err != nil {
		return found, err
	}
	return found, found.Finish(ctx, func(ctx context.Context, rows []registry.PackageFile) ([]registry.PackageFile, error) {
		return rows, filePipelines(ctx, db, rows)
	})
}

// FindFileByID implements registry.Files.
func (db *DB) FindFileByID(ctx context.Context, fileID int64) (registry.File, []byte, error) {
	f, err := scanPackageFile(db.row(ctx, `SELECT `+fileColumns+` FROM package_files f JOIN blobs b ON b.id = f.blob_id
		WHERE f.id = $1 AND f.status = 'default'`, fileID))
	if err != nil {
		return f.File, nil, err
	}
	small, err := list(ctx, db, func(row scanner) (content []byte, err error) {
		err = row.Scan(&content)
		return append([]byte{}, content...), err // an empty file has content too
	}, `SELECT c.content FROM package_files f JOIN blob_contents c ON c.blob_id = f.blob_id WHERE f.id = $1`, fileID)
	if err != nil || len(small) == 0 {
		return f.File, nil, err
	}
	return f.File, small[0], verify(f.Digest, small[0])
}
