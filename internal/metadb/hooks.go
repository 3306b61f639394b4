package metadb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/sqldb"
	"granary/internal/webhooks"
)

const hookColumns = `h.id, h.project_id, h.sealed, h.name, h.description, h.package_events, h.other_events, h.verify_tls,
	h.failures, h.disabled_until, h.created_at`

// scanHook reads a hook and opens its target.
func (db *DB) scanHook(row sqldb.Scanner) (webhooks.Hook, error) {
	var h webhooks.Hook
	var sealed []byte
	var others string
	var disabled sql.NullInt64
	var created int64
	err := row.Scan(&h.ID, &h.ProjectID, &sealed, &h.Name, &h.Description, &h.Packages, &others, &h.VerifyTLS,
		&h.Failures, &disabled, &created)
	if err != nil {
		return h, sqldb.Classify(err)
	}
	if others != "" {
		h.Others = strings.Split(others, ",")
	}
	h.Disabled, h.CreatedAt = sqldb.OptionalMoment(disabled), sqldb.Moment(created)
	target, err := db.seals.open(sealed, targetBinding(h.ProjectID))
	if err != nil {
		return h, err
	}
	err = json.Unmarshal([]byte(target), &h.Target)
	return h, err
}

// sealTarget seals a hook's URL and secrets as one text, so that they cannot be
// combined with others.
func (db *DB) sealTarget(h webhooks.Hook) ([]byte, error) {
	target, err := json.Marshal(h.Target)
	if err != nil {
		return nil, err
	}
	return db.seals.seal(string(target), targetBinding(h.ProjectID))
}

func targetBinding(projectID int64) string { return fmt.Sprintf("hook\x00%d", projectID) }

// failingHooks takes a user, the time and a limit. The condition of failures is that of the
// index: more than the grace after which a hook rests.
const failingHooks = theirProjects + placeColumns + `, w.id, w.project_id, w.name, w.failures, w.disabled_until
	FROM theirs CROSS JOIN hooks w JOIN projects p ON p.id = w.project_id` + memberships + ` AND w.project_id = theirs.id AND w.failures > 3
	AND (h.role IS NOT NULL OR m.access_level IS NOT NULL) ORDER BY w.id LIMIT $3`

// FailingHooks implements webhooks.Store.
func (db *DB) FailingHooks(ctx context.Context, a access.Actor, limit int) ([]webhooks.FailingHook, error) {
	return sqldb.List(ctx, db, func(row sqldb.Scanner) (h webhooks.FailingHook, err error) {
		var id int64
		var path string
		var disabled sql.NullInt64
		s := &h.Standing
		err = row.Scan(&id, &path, &h.ProjectPath, &s.Visibility, &s.Packages, &s.Archived, &s.Role, &h.ID, &h.ProjectID, &h.Name, &h.Failures, &disabled)
		h.Disabled = sqldb.OptionalMoment(disabled)
		return h, err
	}, failingHooks, a.UserID, sqldb.Micros(db.Now()), limit)
}

// ListHooks implements webhooks.Store.
func (db *DB) ListHooks(ctx context.Context, projectID int64, p page.Request) (page.Of[webhooks.Hook], error) {
	var w sqldb.Where
	w.And("h.project_id = ?", projectID)
	return listPage(ctx, direct{db}, &w, p, db.scanHook, "hooks h", hookColumns, "h.id")
}

// FindHook implements webhooks.Store.
func (db *DB) FindHook(ctx context.Context, projectID, id int64) (webhooks.Hook, error) {
	return db.findHook(ctx, db, projectID, id)
}

func (db *DB) findHook(ctx context.Context, q sqldb.Queries, projectID, id int64) (webhooks.Hook, error) {
	return db.scanHook(q.Row(ctx, `SELECT `+hookColumns+` FROM hooks h WHERE h.id = $1 AND h.project_id = $2`, id, projectID))
}

// InsertHook implements webhooks.Store.
func (db *DB) InsertHook(ctx context.Context, h webhooks.Hook, most fault.Limit, e audit.Event) (webhooks.Hook, error) {
	sealed, err := db.sealTarget(h)
	if err != nil {
		return h, err
	}
	return writeInTurn(ctx, db, func(t tx) (webhooks.Hook, error) {
		if err := t.room(ctx, hookRows(), 1, most, h.ProjectID); err != nil {
			return h, err
		}
		var err error
		h.ID, err = t.Insert(`INSERT INTO hooks (project_id, sealed, name, description, package_events, other_events,
				verify_tls, failures, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8) RETURNING id`,
			h.ProjectID, sealed, h.Name, h.Description, sqldb.Bool(h.Packages), strings.Join(h.Others, ","), sqldb.Bool(h.VerifyTLS), sqldb.Micros(h.CreatedAt))
		if err != nil {
			return h, err
		}
		e.Target.ID = h.ID
		return h, t.record(ctx, e)
	})
}

// UpdateHook implements webhooks.Store.
func (db *DB) UpdateHook(ctx context.Context, projectID, id int64, change func(*webhooks.Hook) (audit.Event, error)) (webhooks.Hook, error) {
	return writeInTurn(ctx, db, func(t tx) (webhooks.Hook, error) {
		h, err := db.findHook(ctx, t, projectID, id)
		if err != nil {
			return h, err
		}
		failed := h.Failures > 0
		done, err := change(&h)
		if err != nil {
			return h, err
		}
		if err := t.record(ctx, done); err != nil {
			return h, err
		}
		if failed && h.Failures == 0 {
			if err := t.release(h.ID, t.Now()); err != nil {
				return h, err
			}
		}
		sealed, err := db.sealTarget(h)
		if err != nil {
			return h, err
		}
		return h, t.Exec(`UPDATE hooks SET sealed = $1, name = $2, description = $3, package_events = $4, other_events = $5,
				verify_tls = $6, failures = $7, disabled_until = $8 WHERE id = $9`,
			sealed, h.Name, h.Description, sqldb.Bool(h.Packages), strings.Join(h.Others, ","), sqldb.Bool(h.VerifyTLS),
			h.Failures, sqldb.OptionalMicros(h.Disabled), h.ID)
	})
}

// DeleteHook implements webhooks.Store.
func (db *DB) DeleteHook(ctx context.Context, projectID, id int64, e audit.Event) error {
	return db.do(ctx, func(t tx) error {
		err := t.Row(ctx, `DELETE FROM hooks WHERE id = $1 AND project_id = $2 RETURNING name`, id, projectID).Scan(&e.Target.Details)
		if err != nil {
			return sqldb.Classify(err)
		}
		return t.record(ctx, e)
	})
}
