package metadb

import (
	"context"
	"database/sql"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

const memberColumns = userOfMember + `, m.access_level, m.created_at, m.expires_at,
	c.id, c.username, c.name, c.blocked, (h.project_id = m.project_id OR h.namespace_id = m.namespace_id) IS TRUE,
	m.namespace_id, m.project_id`

const userOfMember = `u.id, u.username, u.name, u.blocked, h.user_id IS NOT NULL`

const memberTables = `members m JOIN users u ON u.id = m.user_id LEFT JOIN users c ON c.id = m.created_by
	LEFT JOIN bots h ON h.user_id = m.user_id`

// counted is the condition that a membership m counts: a bot's counts only in the
// bot's own place. Every query for a role has it.
const counted = ` NOT EXISTS (SELECT 1 FROM bots h WHERE h.user_id = m.user_id
	AND (h.project_id = m.project_id OR h.namespace_id = m.namespace_id) IS NOT TRUE)`

func scanMember(row sqldb.Scanner) (projects.Member, error) {
	var m projects.Member
	var created int64
	var expires sql.NullInt64
	var by sql.NullInt64
	var byUsername, byName sql.NullString
	var byBlocked sql.NullBool
	var group, project sql.NullInt64
	err := row.Scan(&m.UserID, &m.Username, &m.Name, &m.Blocked, &m.Bot, &m.Role, &created, &expires,
		&by, &byUsername, &byName, &byBlocked, &m.Home, &group, &project)
	m.In = projects.Place{GroupID: group.Int64, ProjectID: project.Int64}
	if by.Valid {
		m.CreatedBy = &projects.Creator{UserID: by.Int64, Username: byUsername.String, Name: byName.String, Blocked: byBlocked.Bool}
	}
	m.CreatedAt, m.ExpiresAt = sqldb.Moment(created), sqldb.OptionalMoment(expires)
	return m, sqldb.Classify(err)
}

// placed is the condition that a membership m is one of the place.
func placed(w *sqldb.Where, at projects.Place) string {
	if at.ProjectID != 0 {
		return w.Bind("m.project_id = ?", at.ProjectID)
	}
	return w.Bind("m.namespace_id = ?", at.GroupID)
}

// ListMembers implements projects.Members.
func (db *DB) ListMembers(ctx context.Context, f projects.MemberFilter, p page.Request) (page.Of[projects.Member], error) {
	var w sqldb.Where
	now := db.Now()
	if f.Inherited || f.Above {
		inheritedMembers(&w, f, now)
	} else {
		w.And(placed(&w, f.Place))
	}
	w.And("(m.expires_at IS NULL OR m.expires_at > ?) AND"+counted, sqldb.Micros(now))
	if f.UserID != 0 {
		w.And("u.id = ?", f.UserID)
	}
	w.In("u.id", false, f.UserIDs)
	w.In("u.id", true, f.SkipUsers)
	if f.Query != "" {
		w.And(w.Matching(f.Query, "u.name", "u.username"))
	}
	return listPage(ctx, direct{db}, &w, p, scanMember, memberTables, memberColumns, "u.id")
}

// direct reads with query texts that vary, and are not kept prepared.
type direct struct{ *DB }

func (d direct) Row(ctx context.Context, query string, args ...any) *sql.Row {
	return d.RowOnce(ctx, query, args...)
}

// inheritedMembers chooses the highest membership of each user above the place and,
// unless the filter says so, in it. A bot has only one that counts.
func inheritedMembers(w *sqldb.Where, f projects.MemberFilter, now time.Time) {
	from, id := `SELECT p.namespace_id FROM projects p WHERE p.id = ?`, f.Place.ProjectID
	if f.Place.GroupID != 0 {
		from, id = `SELECT n.id FROM namespaces n WHERE n.id = ?`, f.Place.GroupID
		if f.Above {
			from = `SELECT n.parent_id FROM namespaces n WHERE n.id = ? AND n.parent_id IS NOT NULL`
		}
	}
	scope := func(alias string) string {
		condition := w.Bind(alias+`.namespace_id IN (WITH RECURSIVE up (id) AS (`+from+`
			UNION SELECT n.parent_id FROM up JOIN namespaces n ON n.id = up.id WHERE n.parent_id IS NOT NULL) SELECT id FROM up)`, id)
		if f.Place.ProjectID != 0 && !f.Above {
			condition = "(" + condition + " OR " + w.Bind(alias+".project_id = ?", f.Place.ProjectID) + ")"
		}
		return condition
	}
	w.And(scope("m"))
	w.And(`NOT EXISTS (SELECT 1 FROM members o WHERE o.user_id = m.user_id AND ` + scope("o") +
		` AND ` + w.Bind("(o.expires_at IS NULL OR o.expires_at > ?)", sqldb.Micros(now)) +
		` AND NOT EXISTS (SELECT 1 FROM bots h WHERE h.user_id = o.user_id)` +
		` AND (o.access_level > m.access_level OR o.access_level = m.access_level AND o.id > m.id))`)
}

// addMember inserts a membership.
func (t tx) addMember(at projects.Place, m projects.Member) error {
	var by int64
	if m.CreatedBy != nil {
		by = m.CreatedBy.UserID
	}
	return t.Exec(`INSERT INTO members (user_id, namespace_id, project_id, access_level, created_by, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		m.UserID, sqldb.NullID(at.GroupID), sqldb.NullID(at.ProjectID), int(m.Role), by, sqldb.Micros(m.CreatedAt), sqldb.OptionalMicros(m.ExpiresAt))
}

// standingAt is the actor's standing at the place. Hidden if that is deleted.
func (t tx) standingAt(ctx context.Context, at projects.Place, a access.Actor) (access.Resource, error) {
	if at.ProjectID == 0 {
		g, err := findGroup(ctx, t, at.GroupID, a)
		if fault.Is(err, fault.NotFound) {
			err = fault.New(fault.Hidden, "Group")
		}
		return g.Standing, err
	}
	found, err := findProjectSpot(ctx, t, projects.Reference{ID: at.ProjectID}, a)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Hidden, "Project")
	}
	return found.place.Standing, err
}

// findMember reads a membership, even one that has ended or does not count.
func (t tx) findMember(ctx context.Context, at projects.Place, userID int64) (projects.Member, error) {
	var w sqldb.Where
	w.And(placed(&w, at))
	w.And("m.user_id = ?", userID)
	return scanMember(t.Row(ctx, `SELECT `+memberColumns+` FROM `+memberTables+w.String(), w.Args...))
}

// livingMember is findMember, but NotFound if the membership has ended.
func (t tx) livingMember(ctx context.Context, at projects.Place, userID int64) (projects.Member, error) {
	m, err := t.findMember(ctx, at, userID)
	if err == nil && m.ExpiresAt != nil && !m.ExpiresAt.After(t.Now()) {
		err = fault.New(fault.NotFound, "")
	}
	return m, err
}

// candidate finds a user by id, or by user name if the id is 0, with NoRole if the user
// is no member.
func (t tx) candidate(ctx context.Context, at projects.Place, userID int64, username string) (projects.Member, error) {
	var u projects.Member
	err := t.Row(ctx, `SELECT `+userOfMember+` FROM users u LEFT JOIN bots h ON h.user_id = u.id
		WHERE (u.id = $1 OR $1 = 0 AND u.username_key = $2) AND u.deleted_at IS NULL`, userID, sqldb.Lower(username)).Scan(&u.UserID, &u.Username, &u.Name, &u.Blocked, &u.Bot)
	if err != nil {
		return u, sqldb.Classify(err)
	}
	m, err := t.livingMember(ctx, at, u.UserID)
	if fault.Is(err, fault.NotFound) {
		return u, nil
	}
	return m, err
}
