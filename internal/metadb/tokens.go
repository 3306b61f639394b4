package metadb

import (
	"context"
	"database/sql"
	"reflect"
	"strconv"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// FindToken implements auth.Tokens. Tokens are cached until the permission epoch
// changes.
func (db *DB) FindToken(ctx context.Context, d auth.SecretDigest) (auth.Token, error) {
	if err := db.catchUp(ctx); err != nil {
		return auth.Token{}, err
	}
	return db.tokens.get(d, func() (auth.Token, error) { return db.findToken(ctx, d) })
}

func (db *DB) findToken(ctx context.Context, d auth.SecretDigest) (auth.Token, error) {
	t := auth.Token{Digest: d}
	personal, err := scanPersonalToken(db.Row(ctx, `SELECT `+personalColumns+` FROM personal_access_tokens t WHERE t.digest = $1`, d[:]))
	if err == nil {
		t.Personal = &personal
		if t.User, err = db.userOf(ctx, personal.UserID); err == nil && personal.Role != access.NoRole {
			err = botHasPlace(ctx, db, personal.UserID)
		}
		return t, err
	}
	if !fault.Is(err, fault.NotFound) {
		return t, err
	}
	deploy, err := scanDeployToken(db.Row(ctx, `SELECT `+deployColumns+` FROM deploy_tokens t
		LEFT JOIN projects p ON p.id = t.project_id LEFT JOIN namespaces n ON n.id = t.namespace_id
		WHERE t.digest = $1 AND p.deleted_at IS NULL AND n.deleted_at IS NULL`, d[:]))
	if err == nil {
		t.Deploy = &deploy
		return t, nil
	}
	if !fault.Is(err, fault.NotFound) {
		return t, err
	}
	job, err := scanJob(db.Row(ctx, `SELECT `+jobColumns+` FROM `+jobTables+` JOIN projects p ON p.id = j.project_id
		WHERE j.digest = $1 AND p.deleted_at IS NULL`, d[:]))
	if err == nil {
		t.Job, t.User = &job, job.User
	}
	return t, err
}

// weighToken is the bytes that a cached token points to.
func weighToken(_ auth.SecretDigest, t auth.Token) int64 {
	sum := weighUser(t.User)
	if p := t.Personal; p != nil {
		sum += allocated(int(reflect.TypeOf(*p).Size())) + texts(p.Name, p.Description) + weighScopes(p.Scopes) + weighTime(p.ExpiresAt) + weighTime(p.LastUsedAt)
	}
	if d := t.Deploy; d != nil {
		sum += allocated(int(reflect.TypeOf(*d).Size())) + texts(d.Name, d.Username) + weighScopes(d.Scopes) + weighTime(d.ExpiresAt)
	}
	if j := t.Job; j != nil {
		sum += allocated(int(reflect.TypeOf(*j).Size())) + texts(j.ProjectPath, j.Name, j.Stage, j.Ref, j.SHA, string(j.Status)) + weighTime(j.FinishedAt)
	}
	return sum
}

func weighUser(u auth.User) int64 { return texts(u.Username, u.Name, u.Email, u.Note) }

// weighScopes counts one text, of which the scopes are parts.
func weighScopes(scopes []access.Scope) int64 {
	return allocated(cap(scopes)*int(reflect.TypeFor[access.Scope]().Size())) + texts(joinScopes(scopes))
}

func weighTime(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return allocated(int(reflect.TypeOf(*t).Size()))
}

func (db *DB) userOf(ctx context.Context, userID int64) (auth.User, error) {
	return scanUser(db.Row(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, userID))
}

// TouchTokens implements auth.Tokens.
func (db *DB) TouchTokens(ctx context.Context, at map[int64]time.Time) error {
	return db.touch(ctx, `UPDATE personal_access_tokens SET last_used_at = $1
		WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)`, at)
}

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
			return token, row.Scan(&token.ID, &token.UserID, &token.Name)
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

const deployColumns = `t.id, t.project_id, t.namespace_id, t.name, t.username, t.scopes, t.revoked, t.expires_at, t.creator_id, t.created_at`

func scanDeployToken(row sqldb.Scanner) (auth.DeployToken, error) {
	var t auth.DeployToken
	var scopes string
	var project, namespace, expires sql.NullInt64
	var created int64
	err := row.Scan(&t.ID, &project, &namespace, &t.Name, &t.Username, &scopes, &t.Revoked, &expires, &t.CreatorID, &created)
	t.ProjectID, t.GroupID = project.Int64, namespace.Int64
	t.Scopes, t.ExpiresAt, t.CreatedAt = splitScopes(scopes), sqldb.OptionalMoment(expires), sqldb.Moment(created)
	return t, sqldb.Classify(err)
}

// ListDeployTokens implements auth.DeployTokens.
func (db *DB) ListDeployTokens(ctx context.Context, f auth.DeployTokenFilter, p page.Request) (page.Of[auth.DeployToken], error) {
	var w sqldb.Where
	if f.ProjectID != 0 {
		w.And("t.project_id = ?", f.ProjectID)
	}
	if f.GroupID != 0 {
		w.And("t.namespace_id = ?", f.GroupID)
	}
	if f.ID != 0 {
		w.And("t.id = ?", f.ID)
	}
	if f.Active {
		w.And("t.revoked = 0 AND (t.expires_at IS NULL OR t.expires_at > ?)", sqldb.Micros(f.Now))
	}
	return listPage(ctx, direct{db}, &w, p, scanDeployToken, "deploy_tokens t", deployColumns, "t.id"+sqldb.Direction(p.Desc))
}

// InsertDeployToken implements auth.DeployTokens.
func (db *DB) InsertDeployToken(ctx context.Context, token auth.DeployToken, d auth.SecretDigest, most fault.Limit, e audit.Event) (auth.DeployToken, error) {
	return writePermission(ctx, db, func(t tx) (auth.DeployToken, error) {
		at := projects.Place{ProjectID: token.ProjectID, GroupID: token.GroupID}
		err := t.room(ctx, deployTokenRows(at), 1, most, placeID(at))
		if err != nil {
			return token, err
		}
		token.ID, err = t.Insert(`INSERT INTO deploy_tokens
				(project_id, namespace_id, name, username, scopes, digest, revoked, expires_at, creator_id, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9) RETURNING id`,
			sqldb.NullID(token.ProjectID), sqldb.NullID(token.GroupID), token.Name, token.Username, joinScopes(token.Scopes), d[:],
			sqldb.OptionalMicros(token.ExpiresAt), token.CreatorID, sqldb.Micros(token.CreatedAt))
		if err != nil {
			return token, err
		}
		if token.Username == "" {
			if err := t.Exec(`UPDATE deploy_tokens SET username = 'gitlab+deploy-token-' || id WHERE id = $1`, token.ID); err != nil {
				return token, err
			}
		}
		if err := t.record(ctx, e.To("DeployToken", token.ID, token.Name)); err != nil {
			return token, err
		}
		return scanDeployToken(t.Row(ctx, `SELECT `+deployColumns+` FROM deploy_tokens t WHERE t.id = $1`, token.ID))
	})
}

// DeleteDeployToken implements auth.DeployTokens.
func (db *DB) DeleteDeployToken(ctx context.Context, tokenID int64, e audit.Event) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		n, err := t.Count(`DELETE FROM deploy_tokens WHERE id = $1`, tokenID)
		if err != nil || n == 0 {
			return struct{}{}, err
		}
		return struct{}{}, t.record(ctx, e)
	})
	return err
}
