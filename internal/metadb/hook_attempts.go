package metadb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/sqldb"
	"granary/internal/webhooks"
)

// keptAttempts is the most attempts that the log of a hook holds.
const keptAttempts = 100

const attemptColumns = `a.id, a.hook_id, a.key, a.url, a.request_headers, a.request_body, a.response_status,
	a.response_headers, a.response_body, a.fault, a.duration, a.created_at`

func (db *DB) scanAttempt(row sqldb.Scanner) (webhooks.Attempt, error) {
	var a webhooks.Attempt
	var url []byte
	var request, response string
	var took, created int64
	err := row.Scan(&a.ID, &a.HookID, &a.Key, &url, &request, &a.RequestBody, &a.Status,
		&response, &a.ResponseBody, &a.Fault, &took, &created)
	if err != nil {
		return a, sqldb.Classify(err)
	}
	a.Took, a.CreatedAt = time.Duration(took)*time.Microsecond, sqldb.Moment(created)
	a.URL, err = db.seals.open(url, attemptBinding(a.HookID))
	err = errors.Join(err, json.Unmarshal([]byte(request), &a.RequestHeaders), json.Unmarshal([]byte(response), &a.ResponseHeaders))
	return a, err
}

func attemptBinding(hookID int64) string { return fmt.Sprintf("hook attempt\x00%d", hookID) }

// ListAttempts implements webhooks.Log.
func (db *DB) ListAttempts(ctx context.Context, hookID int64, f webhooks.AttemptFilter, p page.Request) (page.Of[webhooks.Attempt], error) {
	var w sqldb.Where
	w.And("a.hook_id = ?", hookID)
	either := ""
	for _, status := range f.Statuses {
		either += w.Bind(" OR a.response_status BETWEEN ? AND ?", status[0], status[1])
	}
	if either != "" {
		w.And("(1 = 0" + either + ")")
	}
	return listPage(ctx, direct{db}, &w, p, db.scanAttempt, "hook_attempts a", attemptColumns, "a.id DESC")
}

// FindAttempt implements webhooks.Log.
func (db *DB) FindAttempt(ctx context.Context, hookID, id int64) (webhooks.Attempt, error) {
	return db.scanAttempt(db.Row(ctx, `SELECT `+attemptColumns+` FROM hook_attempts a WHERE a.id = $1 AND a.hook_id = $2`, id, hookID))
}

// LastAttempts implements webhooks.Log.
func (db *DB) LastAttempts(ctx context.Context, projectID int64) (map[int64]webhooks.Attempt, error) {
	found, err := sqldb.List(ctx, db, db.scanAttempt, `SELECT `+attemptColumns+` FROM hooks h
		JOIN hook_attempts a ON a.id = (SELECT MAX(l.id) FROM hook_attempts l WHERE l.hook_id = h.id) WHERE h.project_id = $1`, projectID)
	last := map[int64]webhooks.Attempt{}
	for _, a := range found {
		last[a.HookID] = a
	}
	return last, err
}

// RecordAttempt implements webhooks.Log.
func (db *DB) RecordAttempt(ctx context.Context, a webhooks.Attempt) error {
	return db.do(ctx, func(t tx) error {
		err := db.recordAttempt(ctx, t, a)
		if fault.Is(err, fault.NotFound) {
			err = nil // the hook was deleted meanwhile
		}
		return err
	})
}

// recordAttempt logs an attempt and updates its hook. If the hook is disabled for a
// while, its deliveries are put off; if it is dead, they are dropped. NotFound if the
// hook is deleted.
func (db *DB) recordAttempt(ctx context.Context, t tx, a webhooks.Attempt) error {
	h := webhooks.Hook{ID: a.HookID}
	if err := t.Row(ctx, `UPDATE hooks SET failures = failures WHERE id = $1 RETURNING failures`, a.HookID).Scan(&h.Failures); err != nil {
		return sqldb.Classify(err)
	}
	if err := db.logAttempt(t, a); err != nil {
		return err
	}
	before, now := h.Failures, a.CreatedAt.Add(a.Took)
	if h.Note(a, now); h.Failures == before && a.OK() {
		return nil
	}
	if err := t.Exec(`UPDATE hooks SET failures = $1, disabled_until = $2 WHERE id = $3`, h.Failures, sqldb.OptionalMicros(h.Disabled), h.ID); err != nil {
		return err
	}
	switch {
	case h.Dead():
		return t.Exec(`DELETE FROM hook_deliveries WHERE hook_id = $1`, h.ID)
	case h.Disabled != nil:
		return t.Exec(`UPDATE hook_deliveries SET due = $1 WHERE hook_id = $2 AND due < $1`, sqldb.Micros(*h.Disabled), h.ID)
	case a.OK():
		return t.release(h.ID, now)
	}
	return nil
}

func (db *DB) logAttempt(t tx, a webhooks.Attempt) error {
	url, err := db.seals.seal(a.URL, attemptBinding(a.HookID))
	if err != nil {
		return err
	}
	request, err := json.Marshal(a.RequestHeaders)
	if err != nil {
		return err
	}
	response, err := json.Marshal(a.ResponseHeaders)
	if err != nil {
		return err
	}
	err = t.Exec(`INSERT INTO hook_attempts (hook_id, key, url, request_headers, request_body, response_status,
			response_headers, response_body, fault, duration, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		a.HookID, a.Key, url, string(request), a.RequestBody, a.Status, string(response), a.ResponseBody, a.Fault,
		a.Took.Microseconds(), sqldb.Micros(a.CreatedAt))
	if err != nil {
		return err
	}
	return t.Exec(`DELETE FROM hook_attempts WHERE hook_id = $1
		AND id <= (SELECT o.id FROM hook_attempts o WHERE o.hook_id = $1 ORDER BY o.id DESC LIMIT 1 OFFSET $2)`, a.HookID, keptAttempts)
}

// PruneAttempts implements webhooks.Log.
func (db *DB) PruneAttempts(ctx context.Context, before time.Time, limit int) (int, error) {
	return write(sqldb.Freeing(ctx), db, func(t tx) (int, error) {
		n, err := t.Count(`DELETE FROM hook_attempts WHERE id IN (
			SELECT id FROM hook_attempts WHERE created_at < $1 ORDER BY created_at LIMIT $2)`, sqldb.Micros(before), limit)
		return int(n), err
	})
}

// NewEvent implements webhooks.Log.
func (db *DB) NewEvent(ctx context.Context, projectID, userID int64) (webhooks.Event, error) {
	return newEvent(ctx, db, projectID, userID)
}

func newEvent(ctx context.Context, q sqldb.Queries, projectID, userID int64) (webhooks.Event, error) {
	e := webhooks.Event{UUID: webhooks.NewKey(), Project: webhooks.Project{ID: projectID}}
	p := &e.Project
	err := q.Row(ctx, `SELECT p.name, p.description, n.name, r.path, p.visibility, p.default_branch
		FROM projects p JOIN namespaces n ON n.id = p.namespace_id JOIN routes r ON r.project_id = p.id AND r.redirect = 0
		WHERE p.id = $1`, projectID).
		Scan(&p.Name, &p.Description, &p.Namespace, &p.FullPath, &p.Visibility, &p.DefaultBranch)
	if err != nil || userID == 0 {
		return e, sqldb.Classify(err)
	}
	e.User = &webhooks.User{ID: userID}
	err = q.Row(ctx, `SELECT username, name FROM users WHERE id = $1`, userID).Scan(&e.User.Username, &e.User.Name)
	return e, sqldb.Classify(err)
}
