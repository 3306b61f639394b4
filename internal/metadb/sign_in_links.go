package metadb

import (
	"context"
	"database/sql"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/sqldb"
)

// InsertSignInLink implements auth.Sessions.
func (db *DB) InsertSignInLink(ctx context.Context, l auth.SignInLink, d auth.SecretDigest, most int, e audit.Event) error {
	return db.do(ctx, func(t tx) error {
		if err := t.holdSignIn(l.UserID); err != nil {
			return err
		}
		err := t.Exec(`INSERT INTO sign_in_links (digest, user_id, token_id, expires_at) VALUES ($1, $2, $3, $4)`,
			d[:], l.UserID, sqldb.NullID(l.TokenID), sqldb.Micros(l.ExpiresAt))
		if err != nil {
			return err
		}
		err = t.Exec(`DELETE FROM sign_in_links WHERE id IN (`+olderThanTheNewest("sign_in_links")+`)`, l.UserID, most)
		if err != nil {
			return err
		}
		return t.record(ctx, e)
	})
}

// UseSignInLink implements auth.Sessions. It looks first, so that unknown codes, which
// anybody can send, take no turn and clear no cache.
func (db *DB) UseSignInLink(ctx context.Context, link, d auth.SecretDigest, most int, open auth.OpenSession) (auth.Session, error) {
	var id int64
	if err := db.Row(ctx, `SELECT id FROM sign_in_links WHERE digest = $1`, link[:]).Scan(&id); err != nil {
		return auth.Session{}, sqldb.Classify(err)
	}
	return writePermission(ctx, db, func(t tx) (auth.Session, error) {
		l, err := t.takeLink(ctx, link)
		if err != nil {
			return auth.Session{}, err
		}
		u, err := livingUser(ctx, t, l.UserID)
		if err != nil {
			return auth.Session{}, err
		}
		from, err := t.tokenOf(ctx, l)
		if err != nil {
			return auth.Session{}, err
		}
		s, done, err := open(l, u, from)
		if err != nil {
			return auth.Session{}, err
		}
		return t.addSession(ctx, s, d, most, done)
	})
}

// takeLink deletes a link and returns it.
func (t tx) takeLink(ctx context.Context, d auth.SecretDigest) (auth.SignInLink, error) {
	var l auth.SignInLink
	var token sql.NullInt64
	var expires int64
	err := t.Row(ctx, `DELETE FROM sign_in_links WHERE digest = $1 RETURNING user_id, token_id, expires_at`, d[:]).Scan(&l.UserID, &token, &expires)
	l.TokenID, l.ExpiresAt = token.Int64, sqldb.Moment(expires)
	return l, sqldb.Classify(err)
}

// tokenOf is the token that asked for a link: nil if none did, or if it was deleted.
func (t tx) tokenOf(ctx context.Context, l auth.SignInLink) (*auth.PersonalToken, error) {
	if l.TokenID == 0 {
		return nil, nil
	}
	found, err := scanPersonalToken(t.Row(ctx, `SELECT `+personalColumns+` FROM personal_access_tokens t WHERE t.id = $1`, l.TokenID))
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return &found, err
}
