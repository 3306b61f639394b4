package metadb

import (
	"cmp"
	"context"
	"database/sql"
	"reflect"
	"slices"
	"strings"

	"granary/internal/page"
	"granary/internal/sqldb"
)

// listing is how the rows of a list are read.
type listing[T any] struct {
	with    string // a CTE before the query, "" for none; its arguments come first
	from    string // tables
	columns string // the first is the id
	narrow  string // tables that suffice to choose rows and compute bytes; "" for from
	bytes   string // SQL for the size of a row; "" for the sum of its columns
	order   string
	scan    func(sqldb.Scanner) (T, error)
}

// lists is a database to read lists from.
type lists interface {
	sqldb.Queries
	bytesOf(column string) string
}

// bytesOf is a column as an argument of octet_length. PostgreSQL takes only texts;
// SQLite knows a column's length, but would read the text to cast it.
func (db *DB) bytesOf(column string) string {
	if db.Shared() {
		return `CAST(` + column + ` AS TEXT)`
	}
	return column
}

// listPage reads one page of a table and the total.
func listPage[T any](ctx context.Context, q lists, w *sqldb.Where, p page.Request, scan func(sqldb.Scanner) (T, error), from, columns, order string) (page.Of[T], error) {
	return countedPage(ctx, q, w, p, listing[T]{from: from, columns: columns, order: order, scan: scan})
}

func countedPage[T any](ctx context.Context, q lists, w *sqldb.Where, p page.Request, l listing[T]) (page.Of[T], error) {
	var found page.Of[T]
	all := w.Clone()
	err := l.readPage(ctx, q, w, p, &found)
	if err != nil {
		return found, err
	}
	rows := len(found.Rows)
	if found.Steps != nil {
		rows = len(found.Steps.IDs)
	}
	if p.NoTotal || p.Number == 1 && rows < p.Size {
		found.Total = rows // there are no others to count, or nobody asks
		return found, nil
	}
	err = q.Row(ctx, l.with+`SELECT COUNT(*) FROM `+cmp.Or(l.narrow, l.from)+all.String(), all.Args...).Scan(&found.Total)
	return found, sqldb.Classify(err)
}

// readPage reads the rows of a page. If it may be read in steps, and is large, it
// reads only the ids and sizes of the rows.
func (l listing[T]) readPage(ctx context.Context, q lists, w *sqldb.Where, p page.Request, found *page.Of[T]) (err error) {
	if !p.InSteps {
		found.Rows, err = sqldb.List(ctx, q, l.scan, l.query(l.columns, w, p), w.Args...)
		return err
	}
	all := w.Clone()
	id, _, _ := strings.Cut(l.columns, ",")
	if l.bytes == "" { // else its rows are always large
		again := w.Clone()
		small, err := l.readSmall(ctx, q, &again, p, id)
		if err != nil || small != nil {
			found.Steps = small
			return err
		}
	}
	outline := l
	if l.bytes != "" {
		outline.from, outline.narrow = cmp.Or(l.narrow, l.from), ""
	}
	steps := &page.Steps[T]{}
	_, err = sqldb.List(ctx, q, func(row sqldb.Scanner) (struct{}, error) {
		var id, size int64
		err := row.Scan(&id, &size)
		steps.IDs, steps.Sizes = append(steps.IDs, id), append(steps.Sizes, size)
		return struct{}{}, err
	}, outline.query(id+`, `+l.size(q), w, p), w.Args...)
	steps.Read = func(ctx context.Context, ids []int64) ([]T, error) { return l.readRows(ctx, q, all, id, ids) }
	found.Steps = steps
	return err
}

// stepsOf is the rows with the ids, in this order, to be read later.
func (l listing[T]) stepsOf(ctx context.Context, q lists, w sqldb.Where, id string, ids []int64) (*page.Steps[T], error) {
	steps := &page.Steps[T]{IDs: ids, Sizes: make([]int64, len(ids))}
	steps.Read = func(ctx context.Context, ids []int64) ([]T, error) { return l.readRows(ctx, q, w, id, ids) }
	if len(ids) == 0 {
		return steps, nil
	}
	chosen := w.Clone()
	chosen.In(id, false, ids)
	sizes := map[int64]int64{}
	_, err := sqldb.List(ctx, q, func(row sqldb.Scanner) (struct{}, error) {
		var id, size int64
		err := row.Scan(&id, &size)
		sizes[id] = size
		return struct{}{}, err
	}, `SELECT `+id+`, `+l.size(q)+` FROM `+cmp.Or(l.narrow, l.from)+chosen.String(), chosen.Args...)
	for i, id := range ids {
		steps.Sizes[i] = sizes[id]
	}
	return steps, err
}

// readSmall reads the rows of a page if they have at most page.Large bytes together;
// else it returns nil.
func (l listing[T]) readSmall(ctx context.Context, q lists, w *sqldb.Where, p page.Request, id string) (*page.Steps[T], error) {
	rows, err := q.Rows(ctx, l.query(id+`, `+l.columns, w, p), w.Args...)
	if err != nil {
		return nil, sqldb.Classify(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err returns the same error
	small, sum := &page.Steps[T]{}, int64(0)
	at := map[int64]T{}
	for rows.Next() {
		row := weighed{Scanner: rows}
		v, err := l.scan(after{&row, []any{&row.id}})
		if err != nil {
			return nil, sqldb.Classify(err)
		}
		if sum += row.bytes; sum > page.Large {
			return nil, nil
		}
		small.IDs, small.Sizes, at[row.id] = append(small.IDs, row.id), append(small.Sizes, row.bytes), v
	}
	small.Read = func(_ context.Context, ids []int64) ([]T, error) {
		found := make([]T, len(ids))
		for i, id := range ids {
			found[i] = at[id]
		}
		return found, nil
	}
	return small, sqldb.Classify(rows.Err())
}

// weighed is a row that counts the bytes of its texts.
type weighed struct {
	sqldb.Scanner
	id    int64
	bytes int64
}

func (w *weighed) Scan(dest ...any) error {
	err := w.Scanner.Scan(dest...)
	for _, d := range dest {
		switch d := d.(type) {
		case *[]byte:
			w.bytes += int64(len(*d))
		case *sql.NullString:
			w.bytes += int64(len(d.String))
		case *sql.Null[string]:
			w.bytes += int64(len(d.V))
		default:
			if v := reflect.ValueOf(d).Elem(); v.Kind() == reflect.String {
				w.bytes += int64(v.Len())
			}
		}
	}
	return err
}

// query selects columns of a page. The narrow tables choose its rows, so that rows of
// earlier pages are not joined.
func (l listing[T]) query(columns string, w *sqldb.Where, p page.Request) string {
	chosen := w.String() + ` ORDER BY ` + l.order + w.Limit(p)
	if l.narrow != "" {
		id, _, _ := strings.Cut(l.columns, ",")
		chosen = ` WHERE ` + id + ` IN (SELECT ` + id + ` FROM ` + l.narrow + chosen + `) ORDER BY ` + l.order
	}
	return l.with + `SELECT ` + columns + ` FROM ` + l.from + chosen
}

// readRows reads those rows with the ids that the list still has, in the order of ids.
func (l listing[T]) readRows(ctx context.Context, q lists, w sqldb.Where, id string, ids []int64) ([]T, error) {
	w = w.Clone()
	w.In(id, false, ids)
	at := make(map[int64]T, len(ids))
	_, err := sqldb.List(ctx, q, func(row sqldb.Scanner) (struct{}, error) {
		var id int64
		v, err := l.scan(after{row, []any{&id}})
		at[id] = v
		return struct{}{}, err
	}, l.with+`SELECT `+id+`, `+l.columns+` FROM `+l.from+w.String(), w.Args...)
	rows := make([]T, 0, len(ids))
	for _, id := range ids {
		if v, there := at[id]; there {
			rows = append(rows, v)
		}
	}
	return rows, err
}

// after is a row that begins with other columns.
type after struct {
	sqldb.Scanner
	others []any
}

func (b after) Scan(dest ...any) error {
	return b.Scanner.Scan(append(slices.Clip(b.others), dest...)...)
}

// size is SQL for the size of a row.
func (l listing[T]) size(q lists) string {
	if l.bytes != "" {
		return l.bytes
	}
	var parts []string
	for _, column := range splitColumns(l.columns)[1:] {
		if !strings.Contains(column, "SELECT") { // subqueries are numbers
			parts = append(parts, `COALESCE(octet_length(`+q.bytesOf(column)+`), 0)`)
		}
	}
	return `CAST(` + strings.Join(parts, " + ") + ` AS BIGINT)`
}

// splitColumns splits at commas outside parentheses.
func splitColumns(columns string) (parts []string) {
	depth, from := 0, 0
	for i, c := range columns {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, strings.TrimSpace(columns[from:i]))
			from = i + 1
		}
	}
	return append(parts, strings.TrimSpace(columns[from:]))
}
