package metadb

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/sqldb"
)

const sessionColumns = `w.id, w.user_id, w.token_id, w.method, w.scopes, w.signed_in_at, w.seen_at, w.expires_at, w.address, w.user_agent`

func scanSession(row sqldb.Scanner) (auth.Session, error) {
	var s auth.Session
	var token sql.NullInt64
	var scopes string
	var signedIn, seen, expires int64
	err := row.Scan(&s.ID, &s.UserID, &token, &s.Method, &scopes, &signedIn, &seen, &expires, &s.Address, &s.UserAgent)
	s.TokenID, s.Scopes = token.Int64, splitScopes(scopes)
	s.SignedInAt, s.SeenAt, s.ExpiresAt = sqldb.Moment(signedIn), sqldb.Moment(seen), sqldb.Moment(expires)
	return s, sqldb.Classify(err)
}

// FindSession implements auth.Sessions. Sessions are cached with the tokens.
func (db *DB) FindSession(ctx context.Context, d auth.SecretDigest) (auth.Token, error) {
	if err := db.catchUp(ctx); err != nil {
		return auth.Token{}, err
	}
	t, err := db.tokens.get(d, func() (auth.Token, error) { return db.findSession(ctx, `w.digest = $1`, d[:]) })
	if err == nil && t.Session == nil { // the secret of a token
		return auth.Token{}, fault.New(fault.NotFound, "")
	}
	t.Digest = d
	return t, err
}

// SessionByID implements auth.Sessions.
func (db *DB) SessionByID(ctx context.Context, id int64) (auth.Token, error) {
	return db.findSession(ctx, `w.id = $1`, id)
}

func (db *DB) findSession(ctx context.Context, condition string, arg any) (t auth.Token, err error) {
	found, err := scanSession(db.Row(ctx, `SELECT `+sessionColumns+` FROM web_sessions w WHERE `+condition, arg))
	if err != nil {
		return t, err
	}
	t.Session = &found
	if t.User, err = livingUser(ctx, db, found.UserID); err != nil || found.TokenID == 0 {
		return t, err
	}
	origin, err := db.FindPersonalToken(ctx, found.TokenID)
	t.Origin = &origin
	return t, err
}

// ListSessions implements auth.Sessions.
func (db *DB) ListSessions(ctx context.Context, userID int64, now time.Time, p page.Request) (page.Of[auth.Session], error) {
	var w sqldb.Where
	w.And("w.user_id = ?", userID)
	w.And("w.expires_at > ? AND w.seen_at > ?", sqldb.Micros(now), sqldb.Micros(now.Add(-auth.SessionIdle)))
	w.And("(w.token_id IS NULL OR EXISTS (SELECT 1 FROM personal_access_tokens t WHERE t.id = w.token_id AND t.revoked = 0))")
	return listPage(ctx, direct{db}, &w, p, scanSession, "web_sessions w", sessionColumns, "w.id DESC")
}

// InsertSession implements auth.Sessions.
func (db *DB) InsertSession(ctx context.Context, s auth.Session, d auth.SecretDigest, most int, e audit.Event) (auth.Session, error) {
	return writePermission(ctx, db, func(t tx) (auth.Session, error) { return t.addSession(ctx, s, d, most, e) })
}

func (t tx) addSession(ctx context.Context, s auth.Session, d auth.SecretDigest, most int, e audit.Event) (auth.Session, error) {
	err := t.holdSignIn(s.UserID)
	if err != nil {
		return s, err
	}
	s.ID, err = t.Insert(`INSERT INTO web_sessions (digest, user_id, token_id, method, scopes, signed_in_at, seen_at, expires_at, address, user_agent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`,
		d[:], s.UserID, sqldb.NullID(s.TokenID), s.Method, joinScopes(s.Scopes),
		sqldb.Micros(s.SignedInAt), sqldb.Micros(s.SeenAt), sqldb.Micros(s.ExpiresAt), s.Address, s.UserAgent)
	if err != nil {
		return s, err
	}
	if e.Author.Credential == audit.WebSession && e.Author.CredentialID == 0 {
		e.Author.CredentialID = s.ID
	}
	if err := t.record(ctx, e.To("WebSession", s.ID, "")); err != nil {
		return s, err
	}
	ended := audit.Event{Name: audit.SessionEnded, At: e.At, Author: e.Author, Entity: e.Entity}
	return s, t.endSessions(ctx, ended.With("reason", "", "the user had too many sessions"),
		`id IN (`+olderThanTheNewest("web_sessions")+`)`, s.UserID, most)
}

// olderThanTheNewest selects the rows of the user $1 without the newest $2.
func olderThanTheNewest(table string) string {
	return `SELECT id FROM ` + table + ` WHERE user_id = $1 ORDER BY id DESC LIMIT 10000 OFFSET $2`
}

// holdSignIn locks the row of a user until the transaction ends. It returns NotFound if the
// user is blocked or deleted.
func (t tx) holdSignIn(userID int64) error {
	n, err := t.Count(`UPDATE users SET blocked = blocked WHERE id = $1 AND blocked = 0 AND deleted_at IS NULL`, userID)
	if err == nil && n == 0 {
		err = fault.New(fault.NotFound, "")
	}
	return err
}

// endSessions deletes sessions and records the event of each.
func (t tx) endSessions(ctx context.Context, e audit.Event, condition string, args ...any) error {
	ended, err := t.IDs(ctx, `DELETE FROM web_sessions WHERE `+condition+` RETURNING id`, args...)
	if err != nil {
		return err
	}
	for _, id := range ended {
		if err := t.record(ctx, e.To("WebSession", id, "")); err != nil {
			return err
		}
	}
	return nil
}

// EndSession implements auth.Sessions.
func (db *DB) EndSession(ctx context.Context, id int64, e audit.Event) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		n, err := t.Count(`DELETE FROM web_sessions WHERE id = $1`, id)
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, "")
		}
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.record(ctx, e.To("WebSession", id, ""))
	})
	return err
}

// EndSessions implements auth.Sessions.
func (db *DB) EndSessions(ctx context.Context, userID int64, e audit.Event) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		if err := t.Exec(`DELETE FROM sign_in_links WHERE user_id = $1`, userID); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.endSessions(ctx, e, `user_id = $1`, userID)
	})
	return err
}

// forgetSessions deletes the sessions and links of a user who may no longer sign in. The
// event of that tells of them.
func (t tx) forgetSessions(userID int64) error {
	for _, table := range []string{"web_sessions", "sign_in_links"} {
		if err := t.Exec(`DELETE FROM `+table+` WHERE user_id = $1`, userID); err != nil {
			return err
		}
	}
	return nil
}

// TouchSessions implements auth.Sessions.
func (db *DB) TouchSessions(ctx context.Context, at map[int64]time.Time) error {
	return db.touch(ctx, `UPDATE web_sessions SET seen_at = $1 WHERE id = $2 AND seen_at < $1`, at)
}

// PurgeSessions implements auth.Sessions. Sessions that are only idle stay until their end:
// an index for them would cost every flush.
func (db *DB) PurgeSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	return write(sqldb.Freeing(ctx), db, func(t tx) (total int, err error) {
		for _, table := range []string{"web_sessions", "sign_in_links"} {
			n, err := t.Count(strings.ReplaceAll(expiredRows, "TABLE", table), sqldb.Micros(now), limit)
			if err != nil {
				return 0, err
			}
			total += int(n)
		}
		return total, nil
	})
}

const expiredRows = `DELETE FROM TABLE WHERE id IN (SELECT id FROM TABLE WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
