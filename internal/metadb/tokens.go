package metadb

import (
	"context"
	"reflect"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
)

// FindToken implements auth.Tokens. Tokens are cached until the permission epoch
// changes.
func (db *DB) FindToken(ctx context.Context, d auth.SecretDigest) (auth.Token, error) {
	if err := db.catchUp(ctx); err != nil {
		return auth.Token{}, err
	}
	t, err := db.tokens.get(d, func() (auth.Token, error) { return db.findToken(ctx, d) })
	if err == nil && t.Session != nil {
		return auth.Token{}, fault.New(fault.NotFound, "")
	}
	return t, err
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
	for _, p := range []*auth.PersonalToken{t.Personal, t.Origin} {
		if p != nil {
			sum += allocated(int(reflect.TypeOf(*p).Size())) + texts(p.Name, p.Description) + weighScopes(p.Scopes) + weighTime(p.ExpiresAt) + weighTime(p.LastUsedAt)
		}
	}
	if w := t.Session; w != nil {
		sum += allocated(int(reflect.TypeOf(*w).Size())) + texts(w.Method, w.Address, w.UserAgent) + weighScopes(w.Scopes)
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
