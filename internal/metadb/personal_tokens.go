package metadb

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/sqldb"
)

const personalColumns = `t.id, t.user_id, t.name, t.description, t.scopes, t.revoked, t.expires_at, t.last_used_at, t.created_at, t.family, ` + botRole

func scanPersonalToken(row sqldb.Scanner) (auth.PersonalToken, error) {
	var t auth.PersonalToken
	var scopes string
	var expires, used sql.NullInt64
	var created int64
	err := row.Scan(&t.ID, &t.UserID, &t.Name, &t.Description, &scopes, &t.Revoked, &expires, &used, &created, &t.Family, &t.Role)
	t.Scopes, t.CreatedAt = splitScopes(scopes), sqldb.Moment(created)
	t.ExpiresAt, t.LastUsedAt = sqldb.OptionalMoment(expires), sqldb.OptionalMoment(used)
	return t, sqldb.Classify(err)
}

func splitScopes(text string) []access.Scope {
	var scopes []access.Scope
	for word := range strings.FieldsSeq(text) {
		scopes = append(scopes, access.Scope(word))
	}
	return scopes
}

func joinScopes(scopes []access.Scope) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return strings.Join(words, " ")
}

// FindPersonalToken implements auth.PersonalTokens.
func (db *DB) FindPersonalToken(ctx context.Context, tokenID int64) (auth.PersonalToken, error) {
	return scanPersonalToken(db.Row(ctx, `SELECT `+personalColumns+` FROM personal_access_tokens t WHERE t.id = $1`, tokenID))
}

// ListPersonalTokens implements auth.PersonalTokens.
func (db *DB) ListPersonalTokens(ctx context.Context, f auth.TokenFilter, p page.Request) (page.Of[auth.PersonalToken], error) {
	var w sqldb.Where
	if f.UserID != 0 {
		w.And("t.user_id = ?", f.UserID)
	}
	if f.ID != 0 {
		w.And("t.id = ?", f.ID)
	}
	if f.ProjectID != 0 {
		w.And("t.user_id IN (SELECT user_id FROM bots WHERE project_id = ?)", f.ProjectID)
	}
	if f.GroupID != 0 {
		w.And("t.user_id IN (SELECT user_id FROM bots WHERE namespace_id = ?)", f.GroupID)
	}
	if f.Search != "" {
		w.And(w.Matching(f.Search, "t.name"))
	}
	if f.Revoked != nil {
		w.And("t.revoked = ?", sqldb.Bool(*f.Revoked))
	}
	if f.Active != nil && *f.Active {
		w.And("t.revoked = 0 AND (t.expires_at IS NULL OR t.expires_at > ?)", sqldb.Micros(f.Now))
	}
	if f.Active != nil && !*f.Active {
		w.And("(t.revoked = 1 OR t.expires_at <= ?)", sqldb.Micros(f.Now))
	}
	for _, span := range []struct {
		condition string
		at        time.Time
	}{
		{"t.created_at > ?", f.CreatedAfter}, {"t.created_at < ?", f.CreatedBefore},
		{"t.expires_at > ?", f.ExpiresAfter}, {"t.expires_at < ?", f.ExpiresBefore},
		{"t.last_used_at > ?", f.LastUsedAfter}, {"t.last_used_at < ?", f.LastUsedBefore},
	} {
		if !span.at.IsZero() {
			w.And(span.condition, sqldb.Micros(span.at))
		}
	}
	order := map[string]string{
		"created": "t.created_at", "expires": "t.expires_at", "last_used": "t.last_used_at", "name": "lower(t.name)",
	}[p.OrderBy]
	if order == "" {
		order = "t.id"
	}
	order += sqldb.Direction(p.Desc)
	if p.OrderBy != "" {
		// NULL sorts after everything, as on GitLab.
		order += map[bool]string{false: " NULLS LAST", true: " NULLS FIRST"}[p.Desc] + ", t.id"
	}
	return listPage(ctx, direct{db}, &w, p, scanPersonalToken, "personal_access_tokens t", personalColumns, order)
}

// InsertPersonalToken implements auth.PersonalTokens.
func (db *DB) InsertPersonalToken(ctx context.Context, token auth.PersonalToken, d auth.SecretDigest, most fault.Limit, e audit.Event) (auth.PersonalToken, error) {
	return writePermission(ctx, db, func(t tx) (auth.PersonalToken, error) {
		if err := t.roomForToken(ctx, token, most); err != nil {
			return token, err
		}
		return t.addPersonalToken(ctx, token, d, e)
	})
}

// roomForToken deletes the user's oldest revoked or expired token if the limit is
// reached, so that a user who rotates every hour never reaches it for good.
func (t tx) roomForToken(ctx context.Context, token auth.PersonalToken, most fault.Limit) error {
	full := t.room(ctx, tokenRows(), 1, most, token.UserID)
	if !fault.Is(full, fault.Full) {
		return full
	}
	n, err := t.Count(`DELETE FROM personal_access_tokens WHERE id =
		(SELECT MIN(id) FROM personal_access_tokens WHERE user_id = $1 AND (revoked = 1 OR expires_at <= $2))`,
		token.UserID, sqldb.Micros(token.CreatedAt))
	if err == nil && n == 0 {
		err = full
	}
	return err
}

func (t tx) addPersonalToken(ctx context.Context, token auth.PersonalToken, d auth.SecretDigest, e audit.Event) (auth.PersonalToken, error) {
	var err error
	token.ID, err = t.Insert(`INSERT INTO personal_access_tokens
			(user_id, name, description, scopes, digest, revoked, expires_at, created_at, family)
		VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8) RETURNING id`,
		token.UserID, token.Name, token.Description, joinScopes(token.Scopes), d[:],
		sqldb.OptionalMicros(token.ExpiresAt), sqldb.Micros(token.CreatedAt), token.Family)
	if err != nil {
		return token, err
	}
	if token.Family == 0 {
		token.Family = token.ID
		if err := t.Exec(`UPDATE personal_access_tokens SET family = id WHERE id = $1`, token.ID); err != nil {
			return token, err
		}
	}
	return token, t.recordToken(ctx, token, e)
}

// recordToken records the event with the token and, if it has none, its entity.
func (t tx) recordToken(ctx context.Context, token auth.PersonalToken, e audit.Event) error {
	if e.Entity == (audit.Entity{}) {
		var err error
		if e.Entity, err = t.ownerOf(ctx, token.UserID); err != nil {
			return err
		}
	}
	return t.record(ctx, e.To("PersonalAccessToken", token.ID, token.Name))
}

// RotatePersonalToken implements auth.PersonalTokens.
func (db *DB) RotatePersonalToken(ctx context.Context, tokenID int64, successor auth.PersonalToken, d auth.SecretDigest, most fault.Limit, e audit.Event) (auth.PersonalToken, error) {
	return writePermission(ctx, db, func(t tx) (auth.PersonalToken, error) {
		return t.rotateToken(ctx, tokenID, successor, d, most, e)
	})
}

func (t tx) rotateToken(ctx context.Context, tokenID int64, successor auth.PersonalToken, d auth.SecretDigest, most fault.Limit, e audit.Event) (auth.PersonalToken, error) {
	n, err := t.Count(`UPDATE personal_access_tokens SET revoked = 1 WHERE id = $1 AND revoked = 0`, tokenID)
	if err != nil {
		return auth.PersonalToken{}, err
	}
	if n == 0 {
		return auth.PersonalToken{}, fault.New(fault.Conflict, "")
	}
	if err := t.roomForToken(ctx, successor, most); err != nil {
		return auth.PersonalToken{}, err
	}
	return t.addPersonalToken(ctx, successor, d, e.With("successor_of", strconv.FormatInt(tokenID, 10), ""))
}

// RevokePersonalTokens implements auth.PersonalTokens.
func (db *DB) RevokePersonalTokens(ctx context.Context, tokenID int64, family bool, e audit.Event) error {
	which := `id = $1`
	if family {
		which = `family = (SELECT family FROM personal_access_tokens WHERE id = $1)`
	}
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		revoked, err := sqldb.List(ctx, t, func(row sqldb.Scanner) (token auth.PersonalToken, err error) {
			err = row.Scan(&token.ID, &token.UserID, &token.Name)
			return token, err
		}, `UPDATE personal_access_tokens SET revoked = 1 WHERE revoked = 0 AND `+which+` RETURNING id, user_id, name`, tokenID)
		if err != nil {
			return struct{}{}, err
		}
		for _, token := range revoked {
			if err := t.recordToken(ctx, token, e); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, t.retireBot(tokenID)
	})
	return err
}
