package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/records"
	"granary/internal/sqldb"
)

// Rebuilding is a database as the target of the records of one that is lost. In the same
// transaction all job tokens end, and secrets that the key cannot open are left out.
type Rebuilding struct {
	*DB
	Key      *[KeySize]byte // nil: it is gone
	KeyLater bool           // Key says nothing: the right one comes before the server starts
	Backup   *LastBackup    // that the records come from; nil if they do not
	Event    audit.Event    // says in the new database that it was made again

	// After Fill:
	Jobs             int64 // that ran, and were ended
	Variables, Hooks int64 // that were left out
}

// Fill implements records.Target.
func (r *Rebuilding) Fill(ctx context.Context, schema int64, fn func(records.Filler) error) error {
	return r.fill(ctx, schema, fn, func(t tx) error { return r.end(ctx, t) })
}

// end changes what must not go on as it was.
func (r *Rebuilding) end(ctx context.Context, t tx) (err error) {
	r.Jobs, err = t.Count(`UPDATE jobs SET status = $1, finished_at = $2 WHERE status = $3`,
		string(auth.JobCanceled), sqldb.Micros(r.Event.At), string(auth.JobRunning))
	if err != nil {
		return err
	}
	if err := r.leaveSecrets(ctx, t); err != nil {
		return err
	}
	if r.Backup != nil {
		if err := t.backedUp(*r.Backup); err != nil {
			return err
		}
	}
	return t.record(ctx, r.Event)
}

// leaveSecrets leaves out the secrets that the key cannot open.
func (r *Rebuilding) leaveSecrets(ctx context.Context, t tx) (err error) {
	opens := r.KeyLater
	if !opens {
		opens, err = r.opens(ctx, t)
	}
	if err != nil || opens {
		return err
	}
	if r.Variables, err = t.Count(`DELETE FROM variables`); err != nil {
		return err
	}
	if r.Hooks, err = t.Count(`DELETE FROM hooks`); err != nil {
		return err
	}
	return t.Exec(`DELETE FROM sealing`)
}

// opens reports whether the key is the one that secrets were sealed with.
func (r *Rebuilding) opens(ctx context.Context, t tx) (bool, error) {
	if r.Key == nil {
		return false, nil
	}
	proof, opens, err := proven(ctx, t, *r.Key)
	return proof && opens, err
}

// IsEmpty reports whether no server has ever run on the database.
func (db *DB) IsEmpty(ctx context.Context) (bool, error) {
	var filled bool
	err := db.Row(ctx, isFilled).Scan(&filled)
	return !filled, sqldb.Classify(err)
}
