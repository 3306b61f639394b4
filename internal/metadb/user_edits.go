package metadb

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// SetBlocked implements auth.Users.
func (db *DB) SetBlocked(ctx context.Context, id int64, blocked bool, e audit.Event) (bool, error) {
	return writePermission(ctx, db, func(t tx) (bool, error) {
		var admin bool
		err := t.Row(ctx, `UPDATE users SET blocked = $1 WHERE id = $2 AND blocked <> $1 AND deleted_at IS NULL RETURNING admin`,
			sqldb.Bool(blocked), id).Scan(&admin)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		if err == nil && blocked {
			err = t.forgetSessions(id) // unblocking brings none back
		}
		if err == nil && blocked && admin {
			err = t.keepAdministrator(ctx)
		}
		if err != nil {
			return false, sqldb.Classify(err)
		}
		return true, t.record(ctx, e)
	})
}

// livingUser is a user who is not deleted.
func livingUser(ctx context.Context, q sqldb.Queries, userID int64) (auth.User, error) {
	return scanUser(q.Row(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = $1 AND u.deleted_at IS NULL`, userID))
}

// keepAdministrator fails if no administrator is left. Transactions that may take away
// the last one call it at their end.
func (t tx) keepAdministrator(ctx context.Context) error {
	var left bool
	err := t.Row(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE admin = 1 AND blocked = 0)`).Scan(&left)
	if err == nil && !left {
		return auth.LastAdministrator()
	}
	return sqldb.Classify(err)
}

// UpdateUser implements auth.Users.
func (db *DB) UpdateUser(ctx context.Context, userID int64, edit func(*auth.User) ([]audit.Event, error)) (auth.User, error) {
	return writePermission(ctx, db, func(t tx) (auth.User, error) {
		u, err := livingUser(ctx, t, userID)
		if err != nil {
			return u, err
		}
		before := u
		done, err := edit(&u)
		if err != nil {
			return u, err
		}
		if err := t.record(ctx, done...); err != nil {
			return u, err
		}
		if err := t.vacant(ctx, u, before); err != nil {
			return u, err
		}
		err = t.Exec(`UPDATE users SET username = $1, username_key = $2, name = $3, email = $4, email_key = $5, admin = $6,
				external = $7, can_create_group = $8, projects_limit = $9, note = $10 WHERE id = $11`,
			u.Username, sqldb.Lower(u.Username), u.Name, u.Email, sqldb.Lower(u.Email), sqldb.Bool(u.Admin),
			sqldb.Bool(u.External), sqldb.Bool(u.CanCreateGroup), u.ProjectsLimit, u.Note, userID)
		if err != nil {
			return u, err
		}
		if err := db.moveOwn(ctx, t, before, u); err != nil {
			return u, err
		}
		if u.Admin || !before.Admin {
			return u, nil
		}
		return u, t.keepAdministrator(ctx)
	})
}

// moveOwn gives the user's own namespace the user's new name and path.
func (db *DB) moveOwn(ctx context.Context, t tx, before, after auth.User) error {
	err := t.Exec(`UPDATE namespaces SET name = $1, path = $2 WHERE id = $3`, after.Name, after.Username, after.NamespaceID)
	if err != nil || after.Username == before.Username {
		return err
	}
	if err := t.moveNamespace(ctx, before.Username, after.Username); err != nil {
		return err
	}
	own := projects.Place{GroupID: after.NamespaceID}
	return t.room(ctx, formerPathRows(own), 0, db.formerPaths, after.NamespaceID)
}

// DeleteUser implements auth.Users. The row stays, under a name that nobody can have,
// because foreign keys refer to it.
func (db *DB) DeleteUser(ctx context.Context, userID int64, withProjects bool, e audit.Event) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		return struct{}{}, t.deleteUser(ctx, userID, withProjects, e)
	})
	return err
}

func (t tx) deleteUser(ctx context.Context, userID int64, withProjects bool, e audit.Event) error {
	u, err := livingUser(ctx, t, userID)
	if err != nil {
		return err
	}
	if err := t.leavesNoGroup(ctx, userID); err != nil {
		return err
	}
	if !withProjects {
		if err := t.leavesNoProject(ctx, u.NamespaceID); err != nil {
			return err
		}
	}
	if err := t.record(ctx, e); err != nil {
		return err
	}
	if err := t.deleteNamespace(u.NamespaceID, e.At); err != nil {
		return err
	}
	for _, table := range []string{"members", "personal_access_tokens"} {
		if err := t.Exec(`DELETE FROM `+table+` WHERE user_id = $1`, userID); err != nil {
			return err
		}
	}
	if err := t.forgetSessions(userID); err != nil {
		return err
	}
	nobody := "~" + strconv.FormatInt(userID, 10) // no name and no address is like it
	err = t.Exec(`UPDATE users SET username = 'ghost', username_key = $1, name = 'Ghost User', email = '', email_key = $1,
			admin = 0, external = 1, blocked = 1, can_create_group = 0, projects_limit = 0, note = '', deleted_at = $2 WHERE id = $3`,
		nobody, sqldb.Micros(e.At), userID)
	if err != nil || !u.Admin {
		return err
	}
	return t.keepAdministrator(ctx)
}

// fewNames is the most groups or projects that a refusal names.
const fewNames = 5

// leavesNoGroup returns Conflict if the user is the only owner of a top-level group. A
// subgroup has the owners of the groups above it.
func (t tx) leavesNoGroup(ctx context.Context, userID int64) error {
	names, err := sqldb.List(ctx, t, sqldb.ScanOne[string],
		`SELECT r.path FROM members m JOIN namespaces n ON n.id = m.namespace_id JOIN routes r ON r.namespace_id = n.id AND r.redirect = 0
		WHERE m.user_id = $1 AND m.access_level = 50 AND n.parent_id IS NULL AND n.deleted_at IS NULL AND NOT EXISTS (
			SELECT 1 FROM members o JOIN users u ON u.id = o.user_id
			WHERE o.namespace_id = n.id AND o.user_id <> $1 AND o.access_level = 50 AND o.expires_at IS NULL AND u.blocked = 0
				AND NOT EXISTS (SELECT 1 FROM bots h WHERE h.user_id = o.user_id))
		ORDER BY r.path LIMIT $2`, userID, fewNames)
	if err != nil || len(names) == 0 {
		return err
	}
	return fault.New(fault.Conflict, "User cannot be removed while is the sole-owner of a group: "+strings.Join(names, ", ")+
		". Make another user an owner first, or delete the group.")
}

// leavesNoProject returns Conflict if the user's own namespace has projects.
func (t tx) leavesNoProject(ctx context.Context, namespaceID int64) error {
	names, err := sqldb.List(ctx, t, sqldb.ScanOne[string],
		`SELECT r.path FROM projects p JOIN routes r ON r.project_id = p.id AND r.redirect = 0
		WHERE p.namespace_id = $1 AND p.deleted_at IS NULL ORDER BY r.path LIMIT $2`, namespaceID, fewNames)
	if err != nil || len(names) == 0 {
		return err
	}
	return fault.New(fault.Conflict, "User cannot be removed while projects are in their namespace: "+strings.Join(names, ", ")+
		". Transfer or delete them first, or set hard_delete=true to delete them and their packages, too.")
}
