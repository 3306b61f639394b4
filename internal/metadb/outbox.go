package metadb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/webhooks"
)

// maxWaiting is how many deliveries wait for one hook at most: a receiver that
// is away does not fill the disk. What comes then is not told.
const maxWaiting = 10000

// hookedQuery is what a project without hooks pays: it takes the place of the
// question whether the project is there.
const hookedQuery = `SELECT EXISTS (SELECT 1 FROM hooks h WHERE h.project_id = p.id AND h.package_events = 1)
	FROM projects p WHERE p.id = $1 AND p.deleted_at IS NULL`

// hooked reports whether anybody wants to be told of the project's packages.
// NotFound where the project is gone.
func (t tx) hooked(ctx context.Context, projectID int64) (bool, error) {
	var found bool
	err := t.Row(ctx, hookedQuery, projectID).Scan(&found)
	return found, sqldb.Classify(err)
}

// tellPublished tells of a file that was published.
func (t tx) tellPublished(ctx context.Context, p registry.Publication, f registry.File) error {
	k, err := findPackage(ctx, t, p.ProjectID, f.PackageID)
	if err != nil {
		return err
	}
	return t.tell(ctx, webhooks.FilePublished, k, &f, p.CreatorID, p.Now)
}

// tellRemoved tells of a package, or of the file of one, that was removed.
func (t tx) tellRemoved(ctx context.Context, action webhooks.Action, r registry.Removed, f *registry.File) error {
	hooked, err := t.hooked(ctx, r.ProjectID)
	if err != nil || !hooked {
		return err
	}
	k, err := findPackage(ctx, t, r.ProjectID, r.PackageID)
	if err != nil {
		return err
	}
	return t.tell(ctx, action, k, f, r.UserID, r.Now)
}

// tell puts what happened to a package into the outbox, within the transaction
// in which it happens. f is nil where the package was deleted.
func (t tx) tell(ctx context.Context, action webhooks.Action, p registry.Package, f *registry.File, userID int64, now time.Time) error {
	e, err := newEvent(ctx, t, p.ProjectID, userID)
	if err != nil {
		return err
	}
	e.Action, e.At = action, now
	e.Package = webhooks.Package{
		ID: p.ID, Name: string(p.Name), Version: string(p.Version), Status: string(p.Status), CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	if f != nil {
		e.File = &webhooks.File{ID: f.ID, Name: string(f.Name), Size: f.Size, SHA256: f.Digest.String(), CreatedAt: f.CreatedAt}
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	receivers, err := sqldb.List(ctx, t, func(row sqldb.Scanner) (h webhooks.Hook, err error) {
		var disabled sql.NullInt64
		err = row.Scan(&h.ID, &h.Failures, &disabled)
		h.Disabled = sqldb.OptionalMoment(disabled)
		return h, err
	}, `SELECT id, failures, disabled_until FROM hooks WHERE project_id = $1 AND package_events = 1`, p.ProjectID)
	if err != nil {
		return err
	}
	for _, h := range receivers {
		if err := t.enqueue(ctx, h, string(text), now); err != nil {
			return err
		}
	}
	return nil
}

// enqueue has a delivery wait for its hook, and the sender told once that is
// durable.
func (t tx) enqueue(ctx context.Context, h webhooks.Hook, event string, now time.Time) error {
	var full bool
	err := t.Row(ctx, `SELECT EXISTS (SELECT 1 FROM hook_deliveries WHERE hook_id = $1 LIMIT 1 OFFSET $2)`, h.ID, maxWaiting-1).Scan(&full)
	if err != nil || h.Dead() || full {
		return sqldb.Classify(err)
	}
	t.Post()
	due := now
	if h.Resting(now) {
		due = *h.Disabled
	}
	return t.Exec(`INSERT INTO hook_deliveries (hook_id, key, event, attempts, due, created_at) VALUES ($1, $2, $3, 0, $4, $5)`,
		h.ID, webhooks.NewKey(), event, sqldb.Micros(due), sqldb.Micros(now))
}

// Waiting carries a token after something was put into the outbox here.
func (db *DB) Waiting() <-chan struct{} { return db.waiting }

// claimQuery passes over hooks that have enough in hand, and over what another
// node is claiming.
func (d wording) claimQuery() string {
	return `UPDATE hook_deliveries SET due = $1, lease = $1, attempts = attempts + 1 WHERE id = (
		SELECT id FROM hook_deliveries WHERE due <= $2 AND hook_id NOT IN ($3, $4, $5, $6) ORDER BY due, id LIMIT 1` + d.skipLocked + `)
	RETURNING id, hook_id, key, event, attempts, created_at`
}

const nextDueQuery = `SELECT due FROM hook_deliveries WHERE hook_id NOT IN ($1, $2, $3, $4) ORDER BY due, id LIMIT 1`

// NextDelivery is when the next delivery is due; the zero time where there is
// none. busy names up to four hooks to pass over.
func (db *DB) NextDelivery(ctx context.Context, busy [4]int64) (time.Time, error) {
	var due int64
	err := db.Row(ctx, nextDueQuery, busy[0], busy[1], busy[2], busy[3]).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return sqldb.Moment(due), sqldb.Classify(err)
}

// ClaimDelivery takes the delivery that has been due for the longest. Until
// the lease ends nobody else gets it; then it is due again, so that it
// survives whoever had it in hand. NotFound where none is due.
func (db *DB) ClaimDelivery(ctx context.Context, busy [4]int64, now time.Time) (webhooks.Delivery, error) {
	var event string
	d, err := write(ctx, db, func(t tx) (d webhooks.Delivery, err error) {
		var created int64
		err = t.Row(ctx, db.wording.claimQuery(), sqldb.Micros(now.Add(webhooks.Lease)), sqldb.Micros(now), busy[0], busy[1], busy[2], busy[3]).
			Scan(&d.ID, &d.Hook.ID, &d.Key, &event, &d.Attempts, &created)
		d.CreatedAt = sqldb.Moment(created)
		return d, sqldb.Classify(err)
	})
	if err != nil {
		return d, err
	}
	hook, err := db.scanHook(db.Row(ctx, `SELECT `+hookColumns+` FROM hooks h WHERE h.id = $1`, d.Hook.ID))
	if err == nil {
		d.Hook, err = hook, json.Unmarshal([]byte(event), &d.Event)
	}
	if err != nil && ctx.Err() == nil {
		// Damaged: it would come back for ever.
		drop := db.do(ctx, func(t tx) error { return t.Exec(`DELETE FROM hook_deliveries WHERE id = $1`, d.ID) })
		err = fault.Wrap(fault.Internal, "", errors.Join(fmt.Errorf("delivery %d of hook %d is dropped: %w", d.ID, d.Hook.ID, err), drop))
	}
	return d, err
}

// FinishDelivery logs an attempt and removes the delivery, or puts it off, as
// the attempt wants it. One that has been claimed anew meanwhile is left to who
// has it now.
func (db *DB) FinishDelivery(ctx context.Context, d webhooks.Delivery, a webhooks.Attempt, now time.Time) error {
	return db.do(ctx, func(t tx) error {
		err := t.settle(d, a, now)
		if err == nil {
			err = db.recordAttempt(ctx, t, a)
		}
		if fault.Is(err, fault.NotFound) {
			err = nil // the hook was deleted meanwhile, and with it what waited
		}
		return err
	})
}

// release makes due now what was put off for a hook that may be told again.
// What is in somebody's hands is due when its lease ends.
func (t tx) release(hookID int64, now time.Time) error {
	t.Post()
	return t.Exec(`UPDATE hook_deliveries SET due = CASE WHEN lease > $1 THEN lease ELSE $1 END WHERE hook_id = $2 AND due > $1`, sqldb.Micros(now), hookID)
}

func (t tx) settle(d webhooks.Delivery, a webhooks.Attempt, now time.Time) error {
	if due, again := d.Retry(now); again && !a.OK() {
		return t.Exec(`UPDATE hook_deliveries SET due = $1, lease = 0 WHERE id = $2 AND attempts = $3`, sqldb.Micros(due), d.ID, d.Attempts)
	}
	return t.Exec(`DELETE FROM hook_deliveries WHERE id = $1 AND attempts = $2`, d.ID, d.Attempts)
}
