package metadb

import (
	"context"
	"database/sql"
	"errors"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// publishAtOnce writes a publication on PostgreSQL as one statement, sent by gatherer:
// one round trip instead of eight. It returns false, and has changed nothing, if
// publishInSteps must do it: earlier files or a release matter, a webhook wants the event,
// the version does not take the file, or the project is deleted.
func (db *DB) publishAtOnce(ctx context.Context, p registry.Publication) (put landed, done bool, err error) {
	if db.gatherer == nil || p.Status != nil || p.NoDuplicate || p.If != nil || p.Unreleased != (registry.ReleaseTags{}) {
		return put, false, nil
	}
	event, err := eventValues(ctx, db, published(p, 0))
	if err != nil {
		return put, false, err
	}
	all := values(p, event[:len(event)-1]) // the last is the file's id
	n := db.planOf(p).together
	sent := &publishing{ctx: ctx, of: p, moment: n.at(momentWord), done: make(chan struct{})}
	sent.Statement = sqldb.Statement{Query: n.text, Args: n.args(all), Into: []any{&put.packageID, &put.isNew, &put.status, &put.fileID}}
	err = db.gatherer.send(sent)
	switch {
	case errors.Is(err, sql.ErrNoRows), sqldb.Raised(err, numberReserved):
		return put, false, nil
	case sqldb.IsRefused(err, sqldb.NotNullViolation, "package_files"):
		return put, false, fault.Wrap(fault.Unavailable, "", errSwept)
	}
	return put, err == nil, sqldb.Classify(err)
}
