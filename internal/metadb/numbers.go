package metadb

import (
	"context"
	"database/sql"
	"errors"

	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// numberReserved is what a trigger of packages raises.
const numberReserved = "the number of a version is reserved"

// FindNumber implements registry.Drafts.
func (db *DB) FindNumber(ctx context.Context, projectID int64, c registry.Coordinates) (n registry.Number, err error) {
	err = db.Snapshot(ctx, true, func(q sqldb.Queries) error {
		n = registry.Number{}
		var alive bool
		err := q.Row(ctx, `SELECT TRUE FROM projects WHERE id = $1 AND deleted_at IS NULL`, projectID).Scan(&alive)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.Wrap(fault.Hidden, "", errNotTaken)
		}
		if err != nil {
			return sqldb.Classify(err)
		}
		if n.Reserved, err = reserved(ctx, q, projectID, c.Name, c.Version); err != nil {
			return err
		}
		p, err := scanPackage(q.Row(ctx, `SELECT `+packageColumns+` FROM packages k WHERE `+ofName+` AND k.version = $3`,
			projectID, string(c.Name), string(c.Version)))
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		n.Package = &p
		n.File, err = newestFile(ctx, q, p, c.File)
		return err
	})
	return n, err
}

// reserved is the row of a number that is not given away again; nil for none.
func reserved(ctx context.Context, q sqldb.Queries, projectID int64, name registry.Name, version registry.Version) (*registry.Reserved, error) {
	var manifest []byte
	err := q.Row(ctx, `SELECT manifest FROM reserved_versions WHERE project_id = $1 AND name = $2 AND version = $3`,
		projectID, string(name), string(version)).Scan(&manifest)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, sqldb.Classify(err)
	case manifest == nil:
		return &registry.Reserved{}, nil
	}
	return &registry.Reserved{Manifest: (*blob.Digest)(manifest)}, nil
}

// newestFile is the file that counts of those of a name; nil for none.
func newestFile(ctx context.Context, q sqldb.Queries, p registry.Package, name registry.FileName) (*registry.File, error) {
	f, err := scanPackageFile(q.Row(ctx, `SELECT `+fileColumns+` FROM package_files f JOIN blobs b ON b.id = f.blob_id
		WHERE f.package_id = $1 AND f.file_name = $2 AND f.status = 'default' ORDER BY f.id DESC LIMIT 1`, p.ID, string(name)))
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	f.ProjectID, f.Draft, f.Final = p.ProjectID, p.Status == registry.StatusDraft, p.FinalAt != nil
	return &f.File, err
}
