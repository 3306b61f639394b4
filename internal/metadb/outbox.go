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
	"granary/internal/trace"
	"granary/internal/webhooks"
)

// maxWaiting is the most deliveries that wait for one hook, so that a receiver that is
// down does not fill the disk. Further events are lost.
const maxWaiting = 10000

// hookedQuery is all that a project without hooks costs: it also checks that the
// project exists.
const hookedQuery = `SELECT EXISTS (SELECT 1 FROM hooks h WHERE h.project_id = p.id AND h.package_events = 1)
	FROM projects p WHERE p.id = $1 AND p.deleted_at IS NULL`

// hooked reports whether a hook wants events of the project's packages. NotFound if
// the project is deleted.
func (t tx) hooked(ctx context.Context, projectID int64) (bool, error) {
	var found bool
	err := t.Row(ctx, hookedQuery, projectID).Scan(&found)
	return found, sqldb.Classify(err)
}

// tellPublished puts the publication of a file into the outbox.
func (t tx) tellPublished(ctx context.Context, p registry.Publication, f registry.File) error {
	k, err := findPackage(ctx, t, p.ProjectID, f.PackageID)
	if err != nil {
		return err
	}
	return t.tell(ctx, told{action: webhooks.FilePublished, file: &f}, k, p.CreatorID, p.Now)
}

// tellRemoved puts the removal of a package, or of one of its files, into the outbox.
func (t tx) tellRemoved(ctx context.Context, action webhooks.Action, r registry.Removed, f *registry.File) error {
	hooked, err := t.hooked(ctx, r.ProjectID)
	if err != nil || !hooked {
		return err
	}
	k, err := findPackage(ctx, t, r.ProjectID, r.PackageID)
	if err != nil {
		return err
	}
	return t.tell(ctx, told{action: action, file: f}, k, r.UserID, r.Now)
}

// told is what happened to a package.
type told struct {
	action  webhooks.Action
	version *registry.PackageVersion // of an edit, and of a channel; else nil
	channel string
	file    *registry.File // that it is about; else nil

	files      []webhooks.File // the first of a version that became final
	filesCount int             // all of them
}

// tell puts what happened to a package into the outbox, in the same transaction.
func (t tx) tell(ctx context.Context, what told, p registry.Package, userID int64, now time.Time) error {
	e, err := newEvent(ctx, t, p.ProjectID, userID)
	if err != nil {
		return err
	}
	e.Action, e.At, e.Channel = what.action, now, what.channel
	e.Files, e.FilesCount = what.files, what.filesCount
	e.Package = webhooks.Package{
		ID: p.ID, Name: string(p.Name), Version: string(p.Version), Status: string(p.Status), CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	if v := what.version; v != nil {
		e.Package.Yanked, e.Package.YankReason, e.Package.Deprecation = v.YankedAt != nil, v.YankReason, v.Deprecation
		if v.Manifest != nil {
			e.Package.Manifest = v.Manifest.String()
		}
	}
	if f := what.file; f != nil {
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

// enqueue inserts a delivery, and signals the sender after the commit.
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
	cause := trace.Of(ctx)
	return t.Exec(`INSERT INTO hook_deliveries (hook_id, key, event, attempts, due, created_at, trace_parent, trace_state)
		VALUES ($1, $2, $3, 0, $4, $5, $6, $7)`,
		h.ID, webhooks.NewKey(), event, sqldb.Micros(due), sqldb.Micros(now), cause.Traceparent(), cause.State)
}

// Waiting gets a value after something was put into the outbox by this process.
func (db *DB) Waiting() <-chan struct{} { return db.waiting }

// claimQuery skips busy hooks, and deliveries that another node is claiming.
func (d wording) claimQuery() string {
	return `UPDATE hook_deliveries SET due = $1, lease = $1, attempts = attempts + 1 WHERE id = (
		SELECT id FROM hook_deliveries WHERE due <= $2 AND hook_id NOT IN ($3, $4, $5, $6) ORDER BY due, id LIMIT 1` + d.skipLocked + `)
	RETURNING id, hook_id, key, event, attempts, created_at, trace_parent, trace_state`
}

const nextDueQuery = `SELECT due FROM hook_deliveries WHERE hook_id NOT IN ($1, $2, $3, $4) ORDER BY due, id LIMIT 1`

// NextDelivery is when the next delivery is due; the zero time if there is none. busy
// names up to four hooks to skip.
func (db *DB) NextDelivery(ctx context.Context, busy [4]int64) (time.Time, error) {
	var due int64
	err := db.Row(ctx, nextDueQuery, busy[0], busy[1], busy[2], busy[3]).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return sqldb.Moment(due), sqldb.Classify(err)
}

// ClaimDelivery takes the delivery that has been due for the longest. No other claim
// gets it until the lease ends; then it is due again, in case the claimer crashed.
// NotFound if none is due.
func (db *DB) ClaimDelivery(ctx context.Context, busy [4]int64, now time.Time) (webhooks.Delivery, error) {
	var event string
	d, err := write(ctx, db, func(t tx) (d webhooks.Delivery, err error) {
		var created int64
		var parent, state string
		err = t.Row(ctx, db.wording.claimQuery(), sqldb.Micros(now.Add(webhooks.Lease)), sqldb.Micros(now), busy[0], busy[1], busy[2], busy[3]).
			Scan(&d.ID, &d.Hook.ID, &d.Key, &event, &d.Attempts, &created, &parent, &state)
		d.CreatedAt = sqldb.Moment(created)
		if cause, ok := trace.Parse([]string{parent}, []string{state}); ok {
			d.Trace = cause.Child()
		}
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
		// Damaged: it would fail forever.
		drop := db.do(ctx, func(t tx) error { return t.Exec(`DELETE FROM hook_deliveries WHERE id = $1`, d.ID) })
		err = fault.Wrap(fault.Internal, "", errors.Join(fmt.Errorf("delivery %d of hook %d is dropped: %w", d.ID, d.Hook.ID, err), drop))
	}
	return d, err
}

// FinishDelivery logs an attempt, and removes the delivery or puts it off as the
// attempt requires. A delivery that was claimed again meanwhile stays as it is.
func (db *DB) FinishDelivery(ctx context.Context, d webhooks.Delivery, a webhooks.Attempt, now time.Time) error {
	return db.do(ctx, func(t tx) error {
		err := t.settle(d, a, now)
		if err == nil {
			err = db.recordAttempt(ctx, t, a)
		}
		if fault.Is(err, fault.NotFound) {
			err = nil // the hook was deleted meanwhile with its deliveries
		}
		return err
	})
}

// release makes deliveries due now that were put off for a hook that works again.
// Claimed ones are due when their lease ends.
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
