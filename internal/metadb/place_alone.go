package metadb

import (
	"context"
	"database/sql"
	"errors"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// On PostgreSQL a publication is one statement, that gatherer sends, a transaction
// by itself or beside others: there is one answer to wait for instead of eight. It
// does what placeFile and addPipeline do; a blob that is gone is NULL, which no
// file may have, and undoes it all. Each part begins with what the one before it
// found, so that locks are taken in one order: package, blob, name.
const (
	placeSmall  = packagePart + smallPart + filePart
	placeStored = packagePart + storedPart + filePart

	packagePart = `WITH p AS (` + packageOf + ` AND NOT ` + packageHooked + packageUpserted + `), `
	smallPart   = `b AS (INSERT INTO blobs (digest, size, files, touched_at) SELECT $8, $9, 1, $5 FROM p
			ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at, files = blobs.files + 1 RETURNING id),
		c AS (INSERT INTO blob_contents (blob_id, content) SELECT b.id, $10 FROM b` + contentMended + `), `
	storedPart = `b AS (UPDATE blobs SET files = files + 1 FROM p
			WHERE digest = $8 AND size = $9 AND CAST($10 AS BYTEA) IS NULL RETURNING blobs.id), `
	filePart = `f AS (INSERT INTO package_files (file_name, package_id, blob_id, status, created_at)
			SELECT $11, p.id, b.id, 'default', $5 FROM p LEFT JOIN b ON TRUE RETURNING id),
		l AS (INSERT INTO package_pipelines (pipeline_id, package_id) SELECT CAST($12 AS BIGINT), p.id FROM p WHERE $12 <> 0
			ON CONFLICT (package_id, pipeline_id) DO NOTHING),
		fl AS (INSERT INTO package_file_pipelines (pipeline_id, package_file_id) SELECT $12, f.id FROM f WHERE $12 <> 0),
		e AS (INSERT INTO audit_events (` + eventColumns + `)
			SELECT $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, f.id FROM f)
		SELECT p.id, p.is_new, f.id FROM p, f`
)

// placeAlone places a file. It reports false, and has changed nothing, where
// more is to do: where what is there already matters, or hooks want to be told,
// or the project is gone.
func (db *DB) placeAlone(ctx context.Context, p registry.Publication) (put landed, done bool, err error) {
	if db.gatherer == nil || p.Status != nil || p.NoDuplicate || p.If != nil {
		return put, false, nil
	}
	query := placeSmall
	if p.Small == nil {
		query = placeStored
	}
	event, err := eventValues(ctx, db, published(p, 0))
	if err != nil {
		return put, false, err
	}
	args := append(packageValues(p), p.Digest[:], p.Size, p.Small, string(p.Coordinates.File), p.PipelineID)
	args = append(args, event[:len(event)-1]...) // the last is the file's id
	sent := &placement{ctx: ctx, of: p, done: make(chan struct{})}
	sent.Statement = sqldb.Statement{Query: query, Args: args, Into: []any{&put.packageID, &put.isNew, &put.fileID}}
	err = db.gatherer.place(sent)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return put, false, nil
	case sqldb.IsRefused(err, sqldb.NotNullViolation, "package_files"):
		return put, false, fault.Wrap(fault.Unavailable, "", errSwept)
	}
	return put, err == nil, sqldb.Classify(err)
}

// momentArg is where among the arguments the event's id is, $13.
const momentArg = 12
