package metadb

import (
	"context"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// InsertMember implements projects.Members.
func (db *DB) InsertMember(ctx context.Context, at projects.Place, a access.Actor, m projects.Member, most fault.Limit, decide projects.Decide) (projects.Member, error) {
	return writePermission(ctx, db, func(t tx) (projects.Member, error) {
		standing, err := t.standingAt(ctx, at, a)
		if err != nil {
			return m, err
		}
		user, err := t.candidate(ctx, at, m.UserID, m.Username)
		if err != nil {
			return m, err
		}
		e, err := decide(standing, user)
		if err != nil {
			return m, err
		}
		m.UserID = user.UserID
		if err := t.dropExpired(at, m.UserID); err != nil {
			return m, err
		}
		if err := t.addMember(at, m); err != nil {
			return m, err
		}
		if err := t.room(ctx, memberRows(at), 0, most, placeID(at)); err != nil {
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

// dropExpired deletes a membership that has ended, so that a new one can be inserted.
func (t tx) dropExpired(at projects.Place, userID int64) error {
	var w sqldb.Where
	condition := placed(&w, at) + w.Bind(" AND m.user_id = ? AND m.expires_at <= ?", userID, sqldb.Micros(t.Now()))
	return t.Exec(`DELETE FROM members WHERE id IN (SELECT m.id FROM members m WHERE `+condition+`)`, w.Args...)
}

// UpdateMember implements projects.Members. An end in the past ends the membership at
// once.
func (db *DB) UpdateMember(ctx context.Context, at projects.Place, a access.Actor, userID int64, edit func(access.Resource, *projects.Member) (audit.Event, error)) (projects.Member, error) {
	return writePermission(ctx, db, func(t tx) (projects.Member, error) {
		standing, err := t.standingAt(ctx, at, a)
		if err != nil {
			return projects.Member{}, err
		}
		before, err := t.livingMember(ctx, at, userID)
		if err != nil {
			return before, err
		}
		m := before
		e, err := edit(standing, &m)
		if err != nil {
			return m, err
		}
		if err := t.keepOwner(ctx, at, before, m); err != nil {
			return m, err
		}
		var w sqldb.Where
		set := w.Bind("access_level = ?, expires_at = ?", int(m.Role), sqldb.OptionalMicros(m.ExpiresAt))
		condition := placed(&w, at) + w.Bind(" AND m.user_id = ?", userID)
		err = t.Exec(`UPDATE members SET `+set+` WHERE id IN (SELECT m.id FROM members m WHERE `+condition+`)`, w.Args...)
		if err != nil || m.Standing() == before.Standing() {
			return m, err
		}
		return m, t.record(ctx, aboutMember(e, m).With("access_level", before.Standing(), m.Standing()))
	})
}

// DeleteMember implements projects.Members.
func (db *DB) DeleteMember(ctx context.Context, at projects.Place, a access.Actor, userID int64, decide projects.Decide) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		standing, err := t.standingAt(ctx, at, a)
		if err != nil {
			return struct{}{}, err
		}
		m, err := t.livingMember(ctx, at, userID)
		if err != nil {
			return struct{}{}, err
		}
		e, err := decide(standing, m)
		if err != nil {
			return struct{}{}, err
		}
		if err := t.keepOwner(ctx, at, m, projects.Member{}); err != nil {
			return struct{}{}, err
		}
		var w sqldb.Where
		condition := placed(&w, at) + w.Bind(" AND m.user_id = ?", userID)
		err = t.Exec(`DELETE FROM members WHERE id IN (SELECT m.id FROM members m WHERE `+condition+`)`, w.Args...)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.record(ctx, aboutMember(e, m).With("access_level", m.Standing(), ""))
	})
	return err
}

// keepOwner checks a change of a member of a top-level group with projects.KeepOwner.
// A subgroup has the owners of the groups above it.
func (t tx) keepOwner(ctx context.Context, at projects.Place, before, after projects.Member) error {
	if at.GroupID == 0 || before.Role != access.Owner {
		return nil
	}
	var top bool
	err := t.Row(ctx, `SELECT EXISTS (SELECT 1 FROM namespaces WHERE id = $1 AND parent_id IS NULL)`, at.GroupID).Scan(&top)
	if err != nil || !top {
		return sqldb.Classify(err)
	}
	kept, err := t.keptByAnother(ctx, at.GroupID, before.UserID)
	if err != nil {
		return err
	}
	return projects.KeepOwner(before, after, kept)
}

// permanentOwners are the members m of the group $1 of which Member.Keeps is true.
const permanentOwners = `members m JOIN users u ON u.id = m.user_id
	WHERE m.namespace_id = $1 AND m.access_level = $2 AND m.expires_at IS NULL AND u.blocked = 0
		AND NOT EXISTS (SELECT 1 FROM bots h WHERE h.user_id = m.user_id)`

// keptByAnother reports Member.Keeps of any member of the group except the user.
func (t tx) keptByAnother(ctx context.Context, groupID, userID int64) (kept bool, err error) {
	err = t.Row(ctx, `SELECT EXISTS (SELECT 1 FROM `+permanentOwners+` AND m.user_id <> $3)`, groupID, int(access.Owner), userID).Scan(&kept)
	return kept, sqldb.Classify(err)
}

// LastOwner implements projects.Members.
func (db *DB) LastOwner(ctx context.Context, groupID int64) (int64, error) {
	owners, err := sqldb.List(ctx, db, sqldb.ScanOne[int64],
		`SELECT m.user_id FROM `+permanentOwners+` AND EXISTS (SELECT 1 FROM namespaces n WHERE n.id = $1 AND n.parent_id IS NULL) LIMIT 2`,
		groupID, int(access.Owner))
	if err != nil || len(owners) != 1 {
		return 0, err
	}
	return owners[0], nil
}
