package metadb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// choose chooses the source of the list. A list that is filtered in the order of an index
// reads a limited number of names.
func (l *nameLister) choose(ctx context.Context, projectID int64, found *registry.FoundNames) error {
	if waiting, err := l.waiting(ctx, projectID); err != nil || waiting {
		l.source = summedNames
		return err
	}
	if !l.filtered() {
		return nil
	}
	w := sqldb.Where{Args: []any{projectID}}
	pick, number := l.picked(), `SELECT `+strconv.Itoa(countLimit+1)+` AS n`
	if pick != nil {
		number = `SELECT COUNT(*) AS n FROM (` + pick(&w) + w.Bind(` LIMIT ?) few`, countLimit+1)
	}
	last, err := l.last(&w)
	if err != nil {
		return err
	}
	var n int
	var id sql.NullInt64
	var key any
	err = l.q.Row(ctx, `SELECT p.n, b.`+l.column()+`, b.name_id FROM (`+number+`) p
		LEFT JOIN package_name_orders b ON b.name_id = CASE WHEN p.n > `+strconv.Itoa(countLimit)+` THEN (`+last+`) END`, w.Args...).Scan(&n, &key, &id)
	switch {
	case err != nil:
		return sqldb.Classify(err)
	case n <= countLimit:
		l.source, l.chosen = chosenNames, pick
	case id.Valid:
		l.until = []any{key, id.Int64}
		found.Resume = &page.Cursor{Keys: []string{fmt.Sprint(key), strconv.FormatInt(id.Int64, 10)}}
	}
	return nil
}

// last selects the name_id of the last name that is read.
func (l *nameLister) last(w *sqldb.Where) (string, error) {
	read := sqldb.Where{Args: w.Args}
	read.And("o.project_id = $1")
	err := l.beyond(&read)
	text := `SELECT o.name_id FROM package_name_orders o` + read.String() + l.order() + read.Bind(` LIMIT 1 OFFSET ?`, countLimit-1)
	w.Args = read.Args
	return text, err
}

// waiting reports whether the upkeep has to count names of the project yet.
func (l *nameLister) waiting(ctx context.Context, projectID int64) (waiting bool, err error) {
	if l.db.counted.Load() {
		return false, nil
	}
	var any bool
	if err := l.q.Row(ctx, `SELECT EXISTS (SELECT 1 FROM package_names WHERE changed = 1 AND bytes IS NULL)`).Scan(&any); err != nil {
		return false, sqldb.Classify(err)
	}
	if !any { // and never again: every new name has its bytes
		l.db.counted.Store(true)
		return false, nil
	}
	err = l.q.Row(ctx, `SELECT EXISTS (SELECT 1 FROM package_names WHERE project_id = $1 AND changed = 1 AND bytes IS NULL)`, projectID).Scan(&waiting)
	return waiting, sqldb.Classify(err)
}

// picked returns what selects ids among which are all names of the list, if an index has
// them; else nil.
func (l *nameLister) picked() func(*sqldb.Where) string {
	c := l.c
	switch {
	case slices.ContainsFunc(c.Name.Terms, impossible):
		return func(*sqldb.Where) string {
			return `SELECT n.id FROM package_names n WHERE n.project_id = $1 AND n.id < 0`
		}
	case len(c.Name.Terms) > 0:
		longest := slices.MaxFunc(c.Name.Terms, func(a, b string) int { return len(a) - len(b) })
		return func(outer *sqldb.Where) string {
			w := sqldb.Where{Args: outer.Args}
			w.And("s.project_id = $1")
			hasPart(&w, "s.part", longest)
			outer.Args = w.Args
			return `SELECT DISTINCT s.name_id AS id FROM package_name_parts s` + w.String()
		}
	case c.Status != "" && c.Status != registry.StatusDefault:
		return func(w *sqldb.Where) string {
			return `SELECT DISTINCT n.id FROM packages k CROSS JOIN package_names n ` + w.Bind(`WHERE k.project_id = $1 AND k.status = ? AND k.status <> 'default'
				AND n.project_id = k.project_id AND n.name = k.name`, string(c.Status))
		}
	case (c.Since != nil || c.Until != nil) && c.Order != registry.NamesByPublished:
		return func(outer *sqldb.Where) string {
			w := sqldb.Where{Args: outer.Args}
			w.And("o.project_id = $1")
			if c.Since != nil {
				w.And("o.published_at >= ?", sqldb.Micros(*c.Since))
			}
			if c.Until != nil {
				w.And("o.published_at < ?", sqldb.Micros(*c.Until))
			}
			outer.Args = w.Args
			return `SELECT o.name_id AS id FROM package_name_orders o` + w.String() + ` UNION ` + l.db.wording.changed
		}
	}
	return nil
}
