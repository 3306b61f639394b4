package metadb

import (
	"context"
	"database/sql"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

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
