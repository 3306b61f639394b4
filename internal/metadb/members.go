package metadb

import (
	"context"
	"database/sql"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
)

const memberColumns = `u.id, u.username, u.name, u.blocked, m.access_level, m.created_at, m.expires_at,
	c.id, c.username, c.name, c.blocked`

const memberTables = `members m JOIN users u ON u.id = m.user_id LEFT JOIN users c ON c.id = m.created_by`

func scanMember(row scanner) (projects.Member, error) {
	var m projects.Member
	var created int64
	var expires sql.NullInt64
	var by sql.NullInt64
	var byUsername, byName sql.NullString
	var byBlocked sql.NullBool
	err := row.Scan(&m.UserID, &m.Username, &m.Name, &m.Blocked, &m.Role, &created, &expires,
		&by, &byUsername, &byName, &byBlocked)
	if by.Valid {
		m.CreatedBy = &projects.Creator{UserID: by.Int64, Username: byUsername.String, Name: byName.String, Blocked: byBlocked.Bool}
	}
	m.CreatedAt, m.ExpiresAt = moment(created), optionalMoment(expires)
	return m, classify(err)
}

// placed is the condition that a membership is in the place.
func placed(w *where, at projects.Place) string {
	if at.ProjectID != 0 {
		return w.bind("m.project_id = ?", at.ProjectID)
	}
	return w.bind("m.namespace_id = ?", at.GroupID)
}

// ListMembers implements projects.Members.
func (db *DB) ListMembers(ctx context.Context, f projects.MemberFilter, p page.Request) (page.Of[projects.Member], error) {
	var w where
	now := time.Now()
	if f.Inherited {
		if err := db.inheritedMembers(ctx, &w, f.Place, now); err != nil {
			return page.Of[projects.Member]{}, err
		}
	} else {
		w.and(placed(&w, f.Place))
	}
	w.and("(m.expires_at IS NULL OR m.expires_at > ?)", micros(now))
	if f.UserID != 0 {
		w.and("u.id = ?", f.UserID)
	}
	w.in("u.id", false, f.UserIDs)
	w.in("u.id", true, f.SkipUsers)
	if f.Query != "" {
		w.and(w.matching(f.Query, "u.name", "u.username"))
	}
	return listPage(ctx, direct{db}, &w, p, scanMember, memberTables, memberColumns, "u.id")
}

// direct reads with query texts that vary, which are not worth preparing.
type direct struct{ *DB }

func (d direct) row(ctx context.Context, query string, args ...any) *sql.Row {
	return d.reads.QueryRowContext(ctx, query, d.dialect.passing(query, args)...)
}

// inheritedMembers chooses, of the memberships of a user in the place and
// above, the highest.
func (db *DB) inheritedMembers(ctx context.Context, w *where, at projects.Place, now time.Time) error {
	namespace := at.GroupID
	if at.ProjectID != 0 {
		err := db.row(ctx, `SELECT namespace_id FROM projects WHERE id = $1`, at.ProjectID).Scan(&namespace)
		if err != nil {
			return classify(err)
		}
	}
	line, err := lineage(ctx, db, namespace, 0)
	if err != nil {
		return err
	}
	var ids []int64
	for _, a := range line {
		ids = append(ids, a.id)
	}
	scope := func(alias string) string {
		inside := where{args: w.args}
		inside.in(alias+".namespace_id", false, ids)
		condition := inside.conditions[0]
		if at.ProjectID != 0 {
			condition = "(" + condition + " OR " + inside.bind(alias+".project_id = ?", at.ProjectID) + ")"
		}
		w.args = inside.args
		return condition
	}
	w.and(scope("m"))
	higher := scope("o")
	w.and(`NOT EXISTS (SELECT 1 FROM members o WHERE o.user_id = m.user_id AND ` + higher +
		` AND ` + w.bind("(o.expires_at IS NULL OR o.expires_at > ?)", micros(now)) +
		` AND (o.access_level > m.access_level OR o.access_level = m.access_level AND o.id > m.id))`)
	return nil
}

// addMember inserts a membership.
func (t *tx) addMember(at projects.Place, m projects.Member) error {
	var by int64
	if m.CreatedBy != nil {
		by = m.CreatedBy.UserID
	}
	return t.exec(`INSERT INTO members (user_id, namespace_id, project_id, access_level, created_by, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		m.UserID, id(at.GroupID), id(at.ProjectID), int(m.Role), by, micros(m.CreatedAt), optionalMicros(m.ExpiresAt))
}

// findMember reads one membership, one that has expired too.
func (t *tx) findMember(ctx context.Context, at projects.Place, userID int64) (projects.Member, error) {
	var w where
	w.and(placed(&w, at))
	w.and("m.user_id = ?", userID)
	return scanMember(t.row(ctx, `SELECT `+memberColumns+` FROM `+memberTables+w.String(), w.args...))
}

// InsertMember implements projects.Members.
func (db *DB) InsertMember(ctx context.Context, at projects.Place, m projects.Member, e audit.Event) (projects.Member, error) {
	return change(ctx, db, func(t *tx) (projects.Member, error) {
		err := t.row(ctx, `SELECT id FROM users WHERE id = $1 OR username_key = $2`, m.UserID, fold(m.Username)).Scan(&m.UserID)
		if err != nil {
			return m, classify(err)
		}
		if err := t.dropExpired(at, m.UserID); err != nil {
			return m, err
		}
		if err := t.addMember(at, m); err != nil {
			return m, err
		}
		if m, err = t.findMember(ctx, at, m.UserID); err != nil {
			return m, err
		}
		return m, t.record(ctx, aboutMember(e, m).With("access_level", "", m.Standing()))
	})
}

func aboutMember(e audit.Event, m projects.Member) audit.Event {
	return e.To("User", m.UserID, m.Username)
}

// dropExpired makes room for a new membership where an old one is over.
func (t *tx) dropExpired(at projects.Place, userID int64) error {
	var w where
	condition := placed(&w, at) + w.bind(" AND m.user_id = ? AND m.expires_at <= ?", userID, micros(time.Now()))
	return t.exec(`DELETE FROM members WHERE id IN (SELECT m.id FROM members m WHERE `+condition+`)`, w.args...)
}

// UpdateMember implements projects.Members.
func (db *DB) UpdateMember(ctx context.Context, at projects.Place, userID int64, role access.Role, expires projects.Setting[time.Time], e audit.Event) (projects.Member, error) {
	return change(ctx, db, func(t *tx) (projects.Member, error) {
		m, err := t.findMember(ctx, at, userID)
		if err != nil {
			return m, err
		}
		before := m.Standing()
		if expires.Given {
			m.ExpiresAt = expires.Value
		}
		var w where
		set := w.bind("access_level = ?, expires_at = ?", int(role), optionalMicros(m.ExpiresAt))
		condition := placed(&w, at) + w.bind(" AND m.user_id = ?", userID)
		err = t.exec(`UPDATE members SET `+set+` WHERE id IN (SELECT m.id FROM members m WHERE `+condition+`)`, w.args...)
		if err != nil {
			return m, err
		}
		if err := t.checkOwners(ctx, at, m.Role); err != nil {
			return m, err
		}
		if m, err = t.findMember(ctx, at, userID); err != nil || m.Standing() == before {
			return m, err
		}
		return m, t.record(ctx, aboutMember(e, m).With("access_level", before, m.Standing()))
	})
}

// DeleteMember implements projects.Members.
func (db *DB) DeleteMember(ctx context.Context, at projects.Place, userID int64, e audit.Event) error {
	_, err := change(ctx, db, func(t *tx) (struct{}, error) {
		m, err := t.findMember(ctx, at, userID)
		if err != nil {
			return struct{}{}, err
		}
		var w where
		condition := placed(&w, at) + w.bind(" AND m.user_id = ?", userID)
		err = t.exec(`DELETE FROM members WHERE id IN (SELECT m.id FROM members m WHERE `+condition+`)`, w.args...)
		if err != nil {
			return struct{}{}, err
		}
		if err := t.checkOwners(ctx, at, m.Role); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.record(ctx, aboutMember(e, m).With("access_level", m.Standing(), ""))
	})
	return err
}

// checkOwners keeps the last owner of a group at the top in it. was is the
// role that somebody had before.
func (t *tx) checkOwners(ctx context.Context, at projects.Place, was access.Role) error {
	if at.GroupID == 0 || was != access.Owner {
		return nil
	}
	var owners, top int
	err := t.row(ctx, `SELECT (SELECT COUNT(*) FROM members
			WHERE namespace_id = $1 AND access_level = 50 AND (expires_at IS NULL OR expires_at > $2)),
		(SELECT COUNT(*) FROM namespaces WHERE id = $1 AND parent_id IS NULL)`, at.GroupID, micros(time.Now())).Scan(&owners, &top)
	if err == nil && owners == 0 && top == 1 {
		return fault.New(fault.Denied, "a group keeps its last owner: make somebody else an owner first")
	}
	return classify(err)
}

var _ projects.Members = (*DB)(nil)
