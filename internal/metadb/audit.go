package metadb

import (
	"context"
	"database/sql"
	"errors"
	"time"
	"unicode/utf8"

	"granary/internal/audit"
	"granary/internal/page"
	"granary/internal/sqldb"
	"granary/internal/trail"
)

// eventColumns are the columns of an event. The target's id is last: the same
// statement may make it.
const eventColumns = `id, name, entity_type, entity_id, entity_path,
	author_id, author_username, author_name, credential, credential_id, address, sudo_id, sudo_username,
	target_type, target_details, change, change_from, change_to, target_id`

const insertEvent = `INSERT INTO audit_events (` + eventColumns + `)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
	ON CONFLICT (id) DO NOTHING`

// Bounds of an event's texts, so that a row stays small.
const (
	maxEventText = 255  // characters
	maxEventPath = 1024 // characters
)

// record inserts events in the transaction of their deed. A deed that deletes a
// project, group or user records it first, while it has its path.
func (t tx) record(ctx context.Context, events ...audit.Event) error {
	for _, e := range events {
		if err := t.recordOne(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// recordOne inserts an event with its time as the id, or the next free id. It asks for
// no other id, so that publishers on several nodes conflict only if they have the same
// one.
func (t tx) recordOne(ctx context.Context, e audit.Event) error {
	values, err := eventValues(ctx, t, e)
	if err != nil {
		return err
	}
	for id := sqldb.Micros(e.At); ; id++ {
		values[0] = id
		n, err := t.Count(insertEvent, values...)
		if err != nil || n == 1 {
			return err
		}
	}
}

// eventValues are the values of eventColumns.
func eventValues(ctx context.Context, q sqldb.Queries, e audit.Event) ([]any, error) {
	if e.Entity.Path == "" {
		var err error
		if e.Entity.Path, err = entityPath(ctx, q, e.Entity); err != nil {
			return nil, err
		}
	}
	by := e.Author
	return []any{
		sqldb.Micros(e.At), string(e.Name), string(e.Entity.Type), e.Entity.ID, cut(e.Entity.Path, maxEventPath),
		by.UserID, cut(by.Username, maxEventText), cut(by.Name, maxEventText), string(by.Credential), by.CredentialID,
		cut(by.Address, maxEventText), by.SudoID, cut(by.SudoUsername, maxEventText),
		e.Target.Type, cut(e.Target.Details, maxEventText),
		cut(e.Change.What, maxEventText), cut(e.Change.From, maxEventText), cut(e.Change.To, maxEventText), e.Target.ID,
	}, nil
}

// entityPath is the full path of a project or group, or a user's name.
func entityPath(ctx context.Context, q sqldb.Queries, in audit.Entity) (path string, err error) {
	switch in.Type {
	case audit.Project:
		err = q.Row(ctx, `SELECT path FROM routes WHERE project_id = $1 AND redirect = 0`, in.ID).Scan(&path)
	case audit.Group:
		err = q.Row(ctx, `SELECT path FROM routes WHERE namespace_id = $1 AND redirect = 0`, in.ID).Scan(&path)
	case audit.User:
		err = q.Row(ctx, `SELECT username FROM users WHERE id = $1`, in.ID).Scan(&path)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil // it was deleted before the deed: the event has its id
	}
	return path, sqldb.Classify(err)
}

// cut is the text as valid UTF-8 of at most so many characters.
func cut(s string, most int) string {
	if len(s) <= most && utf8.ValidString(s) {
		return s
	}
	runes := []rune(s)
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}

func scanEvent(row sqldb.Scanner) (audit.Event, error) {
	var e audit.Event
	by, in, to, c := &e.Author, &e.Entity, &e.Target, &e.Change
	err := row.Scan(&e.ID, &e.Name, &in.Type, &in.ID, &in.Path,
		&by.UserID, &by.Username, &by.Name, &by.Credential, &by.CredentialID, &by.Address, &by.SudoID, &by.SudoUsername,
		&to.Type, &to.Details, &c.What, &c.From, &c.To, &to.ID)
	e.At = sqldb.Moment(e.ID)
	return e, sqldb.Classify(err)
}

// chosenEvents is the conditions of a filter. An id is a time, so that both bounds are
// a range of the index.
func chosenEvents(f trail.Filter) *sqldb.Where {
	var w sqldb.Where
	switch kind := string(f.EntityType); {
	case f.EntityID != 0:
		w.And("e.entity_type = ? AND e.entity_id = ?", kind, f.EntityID)
	case f.EntityType == audit.Project: // nearly all events: reading the list in order is fastest
		w.And("e.entity_type || '' = ?", kind)
	case f.EntityType != "": // repeats the condition of the partial index
		w.And("e.entity_type <> 'Project' AND e.entity_type = ?", kind)
	}
	if !f.After.IsZero() {
		w.And("e.id >= ?", sqldb.Micros(f.After))
	}
	if !f.Before.IsZero() {
		w.And("e.id <= ?", sqldb.Micros(f.Before))
	}
	if f.OlderThan != 0 {
		w.And("e.id < ?", f.OlderThan)
	}
	return &w
}

// countedEvents is where counting stops: the answer has no larger total.
const countedEvents = 10000

// ListEvents implements trail.Store.
func (db *DB) ListEvents(ctx context.Context, f trail.Filter, p page.Request) (page.Of[audit.Event], error) {
	var found page.Of[audit.Event]
	query, args := countEventsQuery(f, p)
	if err := db.RowOnce(ctx, query, args...).Scan(&found.Total); err != nil {
		return found, sqldb.Classify(err)
	}
	err := eventRows().readPage(ctx, direct{db}, chosenEvents(f), p, &found)
	return found, err
}

func eventRows() listing[audit.Event] {
	return listing[audit.Event]{selection{from: "audit_events e", columns: eventColumns, order: "e.id DESC"}, scanEvent}
}

// countEventsQuery counts up to that, and one more, so that a page knows whether
// another follows.
func countEventsQuery(f trail.Filter, p page.Request) (string, []any) {
	w := chosenEvents(f)
	most := max(countedEvents, p.Offset()+p.Size) + 1
	query := `SELECT COUNT(*) FROM (SELECT 1 FROM audit_events e` + w.String() + w.Bind(` LIMIT ?) AS counted`, most)
	return query, w.Args
}

// WalkEvents implements trail.Store.
func (db *DB) WalkEvents(ctx context.Context, f trail.Filter, limit, depth int) (found []audit.Event, next int64, err error) {
	query, args := walkEventsQuery(f, limit, depth)
	if found, err = sqldb.List(ctx, db, scanEvent, query, args...); err != nil {
		return nil, 0, err
	}
	if len(found) > limit {
		found = found[:limit]
		return found, found[limit-1].ID, nil
	}
	if f.AuthorID == 0 {
		return found, 0, nil
	}
	w := chosenEvents(f)
	query = `SELECT e.id FROM audit_events e` + w.String() + w.Bind(` ORDER BY e.id DESC LIMIT 1 OFFSET ?`, depth-1)
	err = db.RowOnce(ctx, query, w.Args...).Scan(&next)
	if errors.Is(err, sql.ErrNoRows) {
		return found, 0, nil
	}
	return found, next, sqldb.Classify(err)
}

// walkEventsQuery looks at the first depth events that the filter chooses without its
// author. Without an author no depth is needed.
func walkEventsQuery(f trail.Filter, limit, depth int) (string, []any) {
	w := chosenEvents(f)
	query := `SELECT ` + eventColumns + ` FROM audit_events e` + w.String()
	if f.AuthorID != 0 {
		query = `SELECT ` + eventColumns + ` FROM (SELECT * FROM audit_events e` + w.String() + w.Bind(` ORDER BY e.id DESC LIMIT ?) AS e`, depth) +
			w.Bind(` WHERE e.author_id = ?`, f.AuthorID)
	}
	query += w.Bind(` ORDER BY e.id DESC LIMIT ?`, limit+1)
	return query, w.Args
}

// FindEvent implements trail.Store.
func (db *DB) FindEvent(ctx context.Context, f trail.Filter, id int64) (audit.Event, error) {
	w := chosenEvents(f)
	w.And("e.id = ?", id)
	return scanEvent(db.RowOnce(ctx, `SELECT `+eventColumns+` FROM audit_events e`+w.String(), w.Args...))
}

// PurgeEvents implements trail.Store.
func (db *DB) PurgeEvents(ctx context.Context, before time.Time, limit int) (int, error) {
	return write(sqldb.Freeing(ctx), db, func(t tx) (int, error) {
		n, err := t.Count(`DELETE FROM audit_events WHERE id IN (SELECT e.id FROM audit_events e WHERE e.id < $1 ORDER BY e.id LIMIT $2)`,
			sqldb.Micros(before), limit)
		return int(n), err
	})
}
