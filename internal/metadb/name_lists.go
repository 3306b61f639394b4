package metadb

import (
	"context"
	"errors"
	"strconv"

	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// A list of names has one of these sources.
const (
	orderedNames = iota // the rows of an index of package_name_orders, and the names that changed since
	chosenNames         // up to countLimit names that were looked up, which are sorted
	summedNames         // all versions of the project, while the upkeep has not counted them: slow
)

// nameLister reads one page of names. $1 of all its texts is the project.
type nameLister struct {
	db   *DB
	q    sqldb.Queries
	c    registry.NameChoice
	at   *page.Cursor
	desc bool // the direction in which rows are read

	source int
	chosen func(*sqldb.Where) string // of chosenNames: selects their ids
	until  []any                     // of orderedNames: the last key that is read; nil for all
}

// ListNames implements registry.NameLists.
func (db *DB) ListNames(ctx context.Context, projectID int64, c registry.NameChoice, at *page.Cursor, limit int) (found registry.FoundNames, err error) {
	l := &nameLister{db: db, q: db, c: c, at: at, desc: c.Asc == (at != nil && at.Back)}
	if l.plain() {
		err = l.list(ctx, projectID, limit, &found) // one statement reads rows and total
		return found, err
	}
	err = db.Snapshot(ctx, false, func(q sqldb.Queries) error {
		l.q = q
		return l.list(ctx, projectID, limit, &found)
	})
	return found, err
}

// plain reports a list without filters. Its texts are few, and are prepared; those of others
// vary too much.
func (l *nameLister) plain() bool { return !l.filtered() && l.c.Since == nil && l.c.Until == nil }

func (l *nameLister) list(ctx context.Context, projectID int64, limit int, found *registry.FoundNames) error {
	if err := l.choose(ctx, projectID, found); err != nil {
		return err
	}
	ids, err := l.read(ctx, projectID, limit, found)
	if err != nil {
		return err
	}
	return l.fill(ctx, projectID, ids, found.Rows)
}

// column is the one that the list is ordered by.
func (l *nameLister) column() string {
	return map[registry.NameOrder]string{
		registry.NamesByPublished: "published_at", registry.NamesByName: "name", registry.NamesByVersions: "versions", registry.NamesByStored: "bytes",
	}[l.c.Order]
}

// order is the ORDER BY of the list.
func (l *nameLister) order() string {
	return ` ORDER BY o.` + l.column() + sqldb.Direction(l.desc) + `, o.name_id` + sqldb.Direction(l.desc)
}

// keys are the values of a cursor's keys.
func (l *nameLister) keys(texts []string) ([]any, error) {
	id, err := strconv.ParseInt(texts[1], 10, 64)
	if l.c.Order == registry.NamesByName {
		return []any{texts[0], id}, invalidCursor(err)
	}
	n, bad := strconv.ParseInt(texts[0], 10, 64)
	return []any{n, id}, invalidCursor(errors.Join(err, bad))
}

func invalidCursor(err error) error {
	if err != nil {
		return page.ErrCursor()
	}
	return nil
}

// beyond adds the condition that a row is after the cursor, and not after until.
func (l *nameLister) beyond(w *sqldb.Where) error {
	after, upTo := " > ", " <= "
	if l.desc {
		after, upTo = " < ", " >= "
	}
	row := `(o.` + l.column() + `, o.name_id)`
	if l.at != nil {
		keys, err := l.keys(l.at.Keys)
		if err != nil {
			return err
		}
		w.And(row+after+`(?, ?)`, keys...)
	}
	if l.until != nil {
		w.And(row+upTo+`(?, ?)`, l.until...)
	}
	return nil
}

// filtered reports whether rows of an index may be left out: more may be read than found.
func (l *nameLister) filtered() bool {
	c := l.c
	windowed := (c.Since != nil || c.Until != nil) && c.Order != registry.NamesByPublished
	return windowed || len(c.Name.Terms) > 0 || c.Version != "" || c.Within != nil || c.Status != ""
}

// listed adds the condition that lists show a version of a name o. All names in the index
// have one: for these it would only lead SQLite to another index.
func (l *nameLister) listed(w *sqldb.Where) {
	if l.c.Status == "" || l.c.Status.Listed() {
		w.And("o.versions > 0")
	}
}

// conditions adds the other filters of a name o.
func (l *nameLister) conditions(w *sqldb.Where) {
	c := l.c
	if c.Since != nil {
		w.And("o.published_at >= ?", sqldb.Micros(*c.Since))
	}
	if c.Until != nil {
		w.And("o.published_at < ?", sqldb.Micros(*c.Until))
	}
	hasTerms(w, "o.name", c.Name.Terms)
	if c.Version == "" && c.Within == nil && c.Status == "" {
		return
	}
	v := sqldb.Where{Args: w.Args}
	v.And(`k.project_id = $1 AND k.name = o.name AND k.status <> 'pending_destruction'`)
	if c.Status == "" {
		v.And(isListed)
	} else {
		v.And("k.status = ?", string(c.Status))
	}
	if c.Version != "" {
		from := string(c.Version)
		last := len(from) - 1
		v.And("k.version >= ? AND k.version < ?", from, from[:last]+string(from[last]+1))
	}
	if c.Within != nil {
		v.And("k.prerelease = 0 AND k.version_key >= ? AND k.version_key < ?", c.Within.From, c.Within.Below)
	}
	w.Args = v.Args
	w.And(`EXISTS (SELECT 1 FROM packages k` + v.String() + `)`)
}

// text is the query of the page, with the number of all rows as its last column.
func (l *nameLister) text(w *sqldb.Where, limit int) (string, error) {
	const columns = `o.name_id, o.name, o.versions, o.bytes, o.published_at`
	with, total := l.with(w), `-1`
	rows := `SELECT ` + columns + ` FROM source o`
	if l.source == orderedNames {
		if !l.filtered() {
			total = l.count(w)
		}
		indexed := sqldb.Where{Args: w.Args}
		indexed.And(`o.project_id = $1 AND o.name_id NOT IN (SELECT id FROM changed)`)
		l.conditions(&indexed)
		if err := l.beyond(&indexed); err != nil {
			return "", err
		}
		rows = `SELECT * FROM (SELECT ` + columns + ` FROM package_name_orders o` + indexed.String() + l.order() + indexed.Bind(` LIMIT ?) i`, limit) + ` UNION ALL ` + rows
		w.Args = indexed.Args
	} else {
		counted := sqldb.Where{Args: w.Args}
		l.listed(&counted)
		l.conditions(&counted)
		total, w.Args = `(SELECT COUNT(*) FROM source o`+counted.String()+`)`, counted.Args
	}
	own := sqldb.Where{Args: w.Args}
	l.listed(&own)
	l.conditions(&own)
	if err := l.beyond(&own); err != nil {
		return "", err
	}
	rows += own.String()
	w.Args = own.Args
	return with + `SELECT o.*, ` + total + ` FROM (` + rows + `) o` + l.order() + w.Bind(` LIMIT ?`, limit), nil
}

// count is the number of rows of an unfiltered list: of the names in the index, less those
// that changed since, and of these as they are now.
func (l *nameLister) count(outer *sqldb.Where) string {
	indexed := `COALESCE((SELECT t.names FROM package_name_totals t WHERE t.project_id = $1), 0)
		- (SELECT COUNT(*) FROM changed c JOIN package_name_orders o ON o.name_id = c.id)`
	if l.c.Since != nil || l.c.Until != nil {
		w := sqldb.Where{Args: outer.Args}
		w.And(`o.project_id = $1 AND o.name_id NOT IN (SELECT id FROM changed)`)
		l.conditions(&w)
		indexed = `(SELECT COUNT(*) FROM (SELECT 1 FROM package_name_orders o` + w.String() + w.Bind(` LIMIT ?) few)`, registry.NamesCounted+1)
		outer.Args = w.Args
	}
	own := sqldb.Where{Args: outer.Args}
	l.listed(&own)
	l.conditions(&own)
	outer.Args = own.Args
	return `(` + indexed + ` + (SELECT COUNT(*) FROM source o` + own.String() + `))`
}

// with is the WITH clause: source has the names that are not read by an index.
func (l *nameLister) with(w *sqldb.Where) string {
	exact := `SELECT n.id AS name_id, n.name, ` + l.db.wording.listed + ` AS versions, COALESCE(` + l.db.wording.bytes + `, 0) AS bytes,
		COALESCE(` + l.db.wording.published + `, ` + newestOf("created_at") + `, 0) AS published_at FROM `
	switch l.source {
	case chosenNames:
		return `WITH chosen AS MATERIALIZED (` + l.chosen(w) + `), source AS MATERIALIZED (` + exact + `chosen CROSS JOIN package_names n WHERE n.id = chosen.id) `
	case summedNames:
		return `WITH source AS MATERIALIZED (SELECT n.id AS name_id, n.name, COUNT(*) AS versions, MAX(k.created_at) AS published_at,
				CAST(SUM(COALESCE(k.bytes, (SELECT SUM(b.size) FROM package_files f JOIN blobs b ON b.id = f.blob_id
					WHERE f.package_id = k.id AND f.status <> 'pending_destruction'), 0)) AS BIGINT) AS bytes
			FROM package_names n JOIN packages k ON k.project_id = n.project_id AND k.name = n.name AND k.status <> 'pending_destruction' AND ` + isListed + `
			WHERE n.project_id = $1 GROUP BY n.id, n.name) `
	}
	return `WITH changed AS MATERIALIZED (` + l.db.wording.changed + `), source AS MATERIALIZED (` + exact + `changed CROSS JOIN package_names n WHERE n.id = changed.id) `
}

// read reads the rows of the page, and returns their ids.
func (l *nameLister) read(ctx context.Context, projectID int64, limit int, found *registry.FoundNames) (ids []int64, err error) {
	w := sqldb.Where{Args: []any{projectID}}
	text, err := l.text(&w, limit)
	if err != nil {
		return nil, err
	}
	scan := func(row sqldb.Scanner) (r registry.NameRow, err error) {
		var id, published int64
		err = row.Scan(&id, &r.Name, &r.Versions, &r.Stored, &published, &found.Total)
		r.PublishedAt = sqldb.Moment(published)
		key := map[registry.NameOrder]string{
			registry.NamesByPublished: strconv.FormatInt(published, 10), registry.NamesByName: string(r.Name),
			registry.NamesByVersions: strconv.Itoa(r.Versions), registry.NamesByStored: strconv.FormatInt(r.Stored, 10),
		}[l.c.Order]
		r.Keys = []string{key, strconv.FormatInt(id, 10)}
		ids = append(ids, id)
		return r, err
	}
	if l.plain() {
		found.Rows, err = sqldb.ListFixed(ctx, l.q, scan, text, w.Args...)
	} else {
		found.Rows, err = sqldb.List(ctx, l.q, scan, text, w.Args...)
	}
	return ids, err
}
