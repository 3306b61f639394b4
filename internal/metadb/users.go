package metadb

import (
	"context"
	"database/sql"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

const userColumns = `u.id, u.username, u.name, u.email, u.admin, u.external, u.blocked, u.can_create_group,
	u.projects_limit, u.note, u.created_at, (SELECT n.id FROM namespaces n WHERE n.owner_id = u.id),
	COALESCE((SELECT COALESCE(o.project_id, -o.namespace_id) FROM bots o WHERE o.user_id = u.id), 0)`

func scanUser(row sqldb.Scanner) (auth.User, error) {
	var u auth.User
	var created int64
	var namespace sql.NullInt64
	err := row.Scan(&u.ID, &u.Username, &u.Name, &u.Email, &u.Admin, &u.External, &u.Blocked, &u.CanCreateGroup,
		&u.ProjectsLimit, &u.Note, &created, &namespace, &u.Home)
	u.Bot = u.Home != 0
	u.CreatedAt, u.NamespaceID = sqldb.Moment(created), namespace.Int64
	return u.Bounded(), sqldb.Classify(err)
}

// FindUser implements auth.Users.
func (db *DB) FindUser(ctx context.Context, ref string) (auth.User, error) {
	r, err := projects.ParseReference(ref, projects.LeastOfGroup)
	switch {
	case err != nil:
		return auth.User{}, err
	case r.ID != 0:
		return livingUser(ctx, db, r.ID)
	}
	return scanUser(db.Row(ctx, `SELECT `+userColumns+` FROM users u WHERE u.username_key = $1 AND u.deleted_at IS NULL`, r.Path))
}

// ListUsers implements auth.Users.
func (db *DB) ListUsers(ctx context.Context, f auth.UserFilter, p page.Request) (page.Of[auth.User], error) {
	var w sqldb.Where
	w.And("u.deleted_at IS NULL")
	if f.Username != "" {
		w.And("u.username_key = ?", sqldb.Lower(f.Username))
	}
	if f.Search != "" {
		found := w.Matching(f.Search, "u.name", "u.username")
		if f.ByEmail {
			found = "(" + found + w.Bind(" OR u.email_key = ?", sqldb.Lower(f.Search)) + ")"
		}
		w.And(found)
	}
	if f.Active {
		w.And("u.blocked = 0")
	}
	if f.Blocked {
		w.And("u.blocked = 1")
	}
	order := map[string]string{"name": "lower(u.name)", "username": "u.username_key", "created_at": "u.created_at"}[p.OrderBy]
	if order == "" {
		order = "u.id"
	}
	order += sqldb.Direction(p.Desc) + ", u.id" + sqldb.Direction(p.Desc)
	return listPage(ctx, direct{db}, &w, p, scanUser, "users u", userColumns, order)
}

// InsertUser implements auth.Users.
func (db *DB) InsertUser(ctx context.Context, u auth.User, e audit.Event) (auth.User, error) {
	return writePermission(ctx, db, func(t tx) (auth.User, error) {
		if err := t.vacant(ctx, u, auth.User{}); err != nil {
			return auth.User{}, err
		}
		var err error
		u.ID, err = t.Insert(`INSERT INTO users (username, username_key, name, email, email_key, admin, external,
				blocked, can_create_group, projects_limit, note, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11) RETURNING id`,
			u.Username, sqldb.Lower(u.Username), u.Name, u.Email, sqldb.Lower(u.Email), sqldb.Bool(u.Admin), sqldb.Bool(u.External),
			sqldb.Bool(u.CanCreateGroup), u.ProjectsLimit, u.Note, sqldb.Micros(u.CreatedAt))
		if err != nil {
			return auth.User{}, err
		}
		u.NamespaceID, err = t.Insert(`INSERT INTO namespaces (owner_id, name, path, description, visibility, created_at, updated_at)
			VALUES ($1, $2, $3, '', $4, $5, $5) RETURNING id`,
			u.ID, u.Name, u.Username, access.Public, sqldb.Micros(u.CreatedAt))
		if err != nil {
			return auth.User{}, err
		}
		e.Entity.ID = u.ID
		if err := t.record(ctx, e.To("User", u.ID, u.Username)); err != nil {
			return auth.User{}, err
		}
		return u, t.addRoute(u.Username, u.NamespaceID, 0)
	})
}

// vacant returns Conflict if another user has the email or, else, the user name. The
// user's own former ones are no conflict.
func (t tx) vacant(ctx context.Context, u, before auth.User) error {
	var n int
	if sqldb.Lower(u.Email) != sqldb.Lower(before.Email) {
		err := t.Row(ctx, `SELECT COUNT(*) FROM users WHERE email_key = $1`, sqldb.Lower(u.Email)).Scan(&n)
		if err != nil {
			return sqldb.Classify(err)
		}
		if n > 0 {
			return fault.Taken("Email", nil)
		}
	}
	if sqldb.Lower(u.Username) == sqldb.Lower(before.Username) {
		return nil
	}
	err := t.Row(ctx, `SELECT COUNT(*) FROM routes WHERE path_key = $1 AND redirect = 0`, sqldb.Lower(u.Username)).Scan(&n)
	if err == nil && n > 0 {
		return fault.Taken("Username", nil)
	}
	return sqldb.Classify(err)
}
