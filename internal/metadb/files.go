package metadb

import (
	"context"
	"crypto/sha256"
	"database/sql"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/webhooks"
)

// findFileQuery names the status of the package twice, so that SQLite uses the partial
// index. It chooses the newest file inside, so that PostgreSQL does not search from
// the newest of all packages. The files published just before and after it, and the
// seconds of removed files, tell whether it has a twin.
const findFileQuery = `SELECT f.id, f.package_id, b.size, b.digest, f.status, f.created_at, c.blob_id, c.content, p.yanked_at IS NOT NULL, p.final_at IS NOT NULL,
		(SELECT o.created_at FROM package_files o
			WHERE o.package_id = f.package_id AND o.file_name = f.file_name AND o.id < f.id ORDER BY o.id DESC LIMIT 1),
		(SELECT o.created_at FROM package_files o
			WHERE o.package_id = f.package_id AND o.file_name = f.file_name AND o.id > f.id ORDER BY o.id LIMIT 1),
		EXISTS (SELECT 1 FROM former_files d WHERE d.project_id = p.project_id AND d.name = p.name AND d.version = p.version
			AND d.file_name = f.file_name AND d.second = f.created_at / 1000000)
	FROM packages p
	JOIN package_files f ON f.id = (SELECT n.id FROM package_files n
		WHERE n.package_id = p.id AND n.file_name = $1 AND n.status = 'default' ORDER BY n.id DESC LIMIT 1)
	JOIN blobs b ON b.id = f.blob_id
	LEFT JOIN blob_contents c ON c.blob_id = b.id
	WHERE p.project_id = $2 AND p.name = $3 AND p.version = $4
		AND p.status <> 'pending_destruction' AND p.status IN ` + installable

// fileKey is the key under which a file is cached.
type fileKey struct {
	projectID int64
	at        registry.Coordinates
}

// foundFile is a file's record, and its bytes if the database keeps them.
type foundFile struct {
	file  registry.File
	small []byte
}

// FindFile implements registry.Files. On SQLite files are cached until something is
// published to their coordinates.
func (db *DB) FindFile(ctx context.Context, projectID int64, c registry.Coordinates) (registry.File, []byte, error) {
	if db.Shared() { // another node may publish to these coordinates
		found, err := db.findFile(ctx, projectID, c)
		return found.file, found.small, err
	}
	found, known, began := db.files.look(fileKey{projectID, c})
	if known {
		return found.file, found.small, nil
	}
	c = cloned(c)
	found, err := db.findFile(ctx, projectID, c)
	if err == nil {
		db.files.put(fileKey{projectID, c}, found, began)
	}
	return found.file, found.small, err
}

// cloned is the coordinates in memory of their own: those of a caller are part of its
// whole request.
func cloned(c registry.Coordinates) registry.Coordinates {
	all := string(c.Name) + string(c.Version) + string(c.File)
	name, rest := all[:len(c.Name)], all[len(c.Name):]
	version, file := rest[:len(c.Version)], rest[len(c.Version):]
	return registry.Coordinates{Name: registry.Name(name), Version: registry.Version(version), File: registry.FileName(file)}
}

// weighFile is the bytes that a cached file points to. Its name is part of the key.
func weighFile(key fileKey, f foundFile) int64 {
	return allocated(len(key.at.Name)+len(key.at.Version)+len(key.at.File)) + texts(string(f.file.Status)) + allocated(cap(f.small))
}

func (db *DB) findFile(ctx context.Context, projectID int64, c registry.Coordinates) (foundFile, error) {
	found := foundFile{file: registry.File{ProjectID: projectID, Name: c.File}}
	f := &found.file
	var digest []byte
	var created int64
	var kept sql.NullInt64 // an empty file has content, too
	var before, after sql.NullInt64
	err := db.Row(ctx, findFileQuery, string(c.File), projectID, string(c.Name), string(c.Version)).
		Scan(&f.ID, &f.PackageID, &f.Size, &digest, &f.Status, &created, &kept, &found.small, &f.Yanked, &f.Final, &before, &after, &f.Twin)
	if err != nil {
		return found, sqldb.Classify(err)
	}
	copy(f.Digest[:], digest)
	f.CreatedAt = sqldb.Moment(created)
	if kept.Valid && found.small == nil {
		found.small = []byte{}
	}
	second := f.CreatedAt.Unix()
	f.Twin = f.Twin || before.Valid && sqldb.Moment(before.Int64).Unix() == second || after.Valid && sqldb.Moment(after.Int64).Unix() == second
	return found, verify(f.Digest, found.small)
}

// verify returns a *blob.DamageError if the bytes are not those of the digest: a page
// of the database can rot like a file. nil is no bytes, and no error.
func verify(d blob.Digest, small []byte) error {
	if small == nil {
		return nil
	}
	return blob.Verify(d, sha256.Sum256(small))
}

// fileColumns are the columns of a file in lists, without its bytes.
const fileColumns = `f.id, f.package_id, f.file_name, b.size, b.digest, f.status, f.created_at`

func scanPackageFile(row sqldb.Scanner) (registry.PackageFile, error) {
	var f registry.PackageFile
	var digest []byte
	var created int64
	err := row.Scan(&f.ID, &f.PackageID, &f.Name, &f.Size, &digest, &f.Status, &created)
	copy(f.Digest[:], digest)
	f.CreatedAt = sqldb.Moment(created)
	return f, sqldb.Classify(err)
}

// listedFile is the condition of the index package_files_listed.
const listedFile = `f.package_id = ? AND f.status <> 'pending_destruction'`

func fileListing(order string) listing[registry.PackageFile] {
	return listing[registry.PackageFile]{
		selection{narrow: "package_files f", from: "package_files f JOIN blobs b ON b.id = f.blob_id", columns: fileColumns, order: order}, scanPackageFile,
	}
}

// ListFiles implements registry.Files.
func (db *DB) ListFiles(ctx context.Context, packageID int64, p page.Request) (page.Of[registry.PackageFile], error) {
	var w sqldb.Where
	w.And(listedFile, packageID)
	found, err := countedPage(ctx, db, &w, p, fileListing(fileOrder(p)))
	if err != nil {
		return found, err
	}
	err = found.Finish(ctx, func(ctx context.Context, rows []registry.PackageFile) ([]registry.PackageFile, error) {
		return rows, filePipelines(ctx, db, rows)
	})
	return found, err
}

func fileOrder(p page.Request) string {
	order := "f.id" + sqldb.Direction(p.Desc)
	switch p.OrderBy {
	case "file_name":
		order = "f.file_name" + sqldb.Direction(p.Desc) + ", " + order
	case "created_at":
		order = "f.created_at" + sqldb.Direction(p.Desc) + ", " + order
	}
	return order
}

// PageOfFiles implements registry.Files.
func (db *DB) PageOfFiles(ctx context.Context, packageID int64, p page.Request) ([]registry.File, error) {
	var w sqldb.Where
	w.And(listedFile, packageID)
	l := fileListing(fileOrder(p))
	query := l.query(l.columns, &w, p)
	return sqldb.ListFixed(ctx, db, func(row sqldb.Scanner) (registry.File, error) {
		f, err := scanPackageFile(row)
		return f.File, err
	}, query, w.Args...)
}

// FindFileByID implements registry.Files.
func (db *DB) FindFileByID(ctx context.Context, fileID int64) (registry.File, []byte, error) {
	var kept sql.NullInt64 // an empty file has content, too
	var small []byte
	f, err := scanPackageFile(withLast{db.Row(ctx, `SELECT `+fileColumns+`, c.blob_id, c.content FROM package_files f JOIN blobs b ON b.id = f.blob_id
		LEFT JOIN blob_contents c ON c.blob_id = b.id WHERE f.id = $1 AND f.status = 'default'`, fileID), []any{&kept, &small}})
	if err != nil || !kept.Valid {
		return f.File, nil, err
	}
	if small == nil {
		small = []byte{}
	}
	return f.File, small, verify(f.Digest, small)
}

// RemoveFile implements registry.Files.
func (db *DB) RemoveFile(ctx context.Context, r registry.Removed, fileID int64, check func(registry.Package, registry.File) (audit.Event, error)) error {
	db.files.holdAll()
	defer db.files.releaseAll()
	return db.do(sqldb.Freeing(ctx), func(t tx) error {
		p, err := t.heldPackage(ctx, r.ProjectID, r.PackageID)
		if err != nil {
			return err
		}
		f, err := scanPackageFile(t.Row(ctx, `SELECT `+fileColumns+` FROM package_files f JOIN blobs b ON b.id = f.blob_id
			WHERE f.id = $1 AND f.package_id = $2 AND f.status <> 'pending_destruction'`, fileID, r.PackageID))
		if err != nil {
			return err
		}
		done, err := check(p, f.File)
		if err != nil {
			return err
		}
		if err := t.Exec(`UPDATE package_files SET status = 'pending_destruction' WHERE id = $1`, fileID); err != nil {
			return err
		}
		if err := t.Exec(`UPDATE packages SET updated_at = $1, files = files - 1, bytes = bytes - $2 WHERE id = $3`, sqldb.Micros(r.Now), f.Size, r.PackageID); err != nil {
			return err
		}
		if err := t.keepDate(fileID); err != nil {
			return err
		}
		if p.Status == registry.StatusDraft { // nobody was told of it
			return t.record(ctx, done)
		}
		if err := t.tellRemoved(ctx, webhooks.FileDeleted, r, &f.File); err != nil {
			return err
		}
		return t.record(ctx, done)
	})
}
