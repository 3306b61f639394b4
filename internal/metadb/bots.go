package metadb

import (
	"context"
	"database/sql"
	"errors"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// botRole is a column: the role of the bot that the token t acts as; 0 if t is a
// person's. It is the bot's membership's, or if that has ended, the role at its start.
const botRole = `COALESCE((SELECT COALESCE(m.access_level, b.access_level) FROM bots b
		LEFT JOIN members m ON m.user_id = b.user_id AND (m.project_id = b.project_id OR m.namespace_id = b.namespace_id)
		WHERE b.user_id = t.user_id), 0)`

// InsertBotToken implements auth.Bots. A bot has no namespace of its own: it would
// keep nothing there.
func (db *DB) InsertBotToken(ctx context.Context, a access.Actor, b auth.Bot, token auth.PersonalToken, d auth.SecretDigest, most fault.Limit, check auth.CheckStanding) (auth.PersonalToken, error) {
	return writePermission(ctx, db, func(t tx) (auth.PersonalToken, error) {
		e, err := t.checkStanding(ctx, a, b, check)
		if err != nil {
			return token, err
		}
		at := projects.Place{ProjectID: b.ProjectID, GroupID: b.GroupID}
		err = t.room(ctx, botRows(at), 1, most, placeID(at))
		if err != nil {
			return token, err
		}
		token.UserID, err = t.Insert(`INSERT INTO users (username, username_key, name, email, email_key, admin, external,
				blocked, can_create_group, projects_limit, note, created_at)
			VALUES ($1, $2, $3, $4, $5, 0, $6, 0, 0, 0, '', $7) RETURNING id`,
			b.Username, sqldb.Lower(b.Username), token.Name, b.Email, sqldb.Lower(b.Email), sqldb.Bool(b.External), sqldb.Micros(token.CreatedAt))
		if err != nil {
			return token, err
		}
		err = t.Exec(`INSERT INTO bots (user_id, project_id, namespace_id, access_level) VALUES ($1, $2, $3, $4)`,
			token.UserID, sqldb.NullID(b.ProjectID), sqldb.NullID(b.GroupID), int(token.Role))
		if err != nil {
			return token, err
		}
		err = t.addMember(at, projects.Member{
			UserID: token.UserID, Role: token.Role, CreatedBy: &projects.Creator{UserID: b.CreatorID}, CreatedAt: token.CreatedAt,
		})
		if err != nil {
			return token, err
		}
		return t.addPersonalToken(ctx, token, d, e)
	})
}

// RotateBotToken implements auth.Bots.
func (db *DB) RotateBotToken(ctx context.Context, a access.Actor, b auth.Bot, tokenID int64, successor auth.PersonalToken, d auth.SecretDigest, most fault.Limit, check auth.CheckStanding) (auth.PersonalToken, error) {
	return writePermission(ctx, db, func(t tx) (auth.PersonalToken, error) {
		e, err := t.checkStanding(ctx, a, b, check)
		if err != nil {
			return auth.PersonalToken{}, err
		}
		// The actor holds the secret from now on: the bot sees what the actor may
		// see.
		if err := t.Exec(`UPDATE users SET external = $1 WHERE id = $2`, sqldb.Bool(a.External), successor.UserID); err != nil {
			return auth.PersonalToken{}, err
		}
		return t.rotateToken(ctx, tokenID, successor, d, most, e)
	})
}

// checkStanding calls check with the actor's standing at the bot's place.
func (t tx) checkStanding(ctx context.Context, a access.Actor, b auth.Bot, check auth.CheckStanding) (audit.Event, error) {
	standing, err := t.standingAt(ctx, projects.Place{ProjectID: b.ProjectID, GroupID: b.GroupID}, a)
	if err != nil {
		return audit.Event{}, err
	}
	return check(standing)
}

// ownerOf is the entity of a token's events: its user, or if that is a bot, the bot's
// place.
func (t tx) ownerOf(ctx context.Context, userID int64) (audit.Entity, error) {
	var project, group sql.NullInt64
	err := t.Row(ctx, `SELECT project_id, namespace_id FROM bots WHERE user_id = $1`, userID).Scan(&project, &group)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return audit.Entity{Type: audit.User, ID: userID}, nil
	case project.Valid:
		return audit.Entity{Type: audit.Project, ID: project.Int64}, sqldb.Classify(err)
	}
	return audit.Entity{Type: audit.Group, ID: group.Int64}, sqldb.Classify(err)
}

// retireBot ends the membership of the bot that a revoked token acted as, and blocks
// the bot, if it has no other token.
func (t tx) retireBot(tokenID int64) error {
	const bot = `(SELECT b.user_id FROM bots b JOIN personal_access_tokens t ON t.user_id = b.user_id WHERE t.id = $1
		AND NOT EXISTS (SELECT 1 FROM personal_access_tokens o WHERE o.user_id = b.user_id AND o.revoked = 0))`
	if err := t.Exec(`DELETE FROM members WHERE user_id = `+bot, tokenID); err != nil {
		return err
	}
	return t.Exec(`UPDATE users SET blocked = 1 WHERE id = `+bot, tokenID)
}

// botHasPlace returns NotFound if the project or group of a bot is deleted.
func botHasPlace(ctx context.Context, q sqldb.Queries, userID int64) error {
	var n int
	err := q.Row(ctx, `SELECT COUNT(*) FROM bots b
		LEFT JOIN projects p ON p.id = b.project_id LEFT JOIN namespaces n ON n.id = b.namespace_id
		WHERE b.user_id = $1 AND p.deleted_at IS NULL AND n.deleted_at IS NULL`, userID).Scan(&n)
	if err == nil && n == 0 {
		return fault.New(fault.NotFound, "")
	}
	return sqldb.Classify(err)
}
