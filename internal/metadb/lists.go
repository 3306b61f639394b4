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

// selection is what a list reads: its rows, and the size of each.
type selection struct {
	with    string // a CTE before the query, "" for none; its arguments come first
	from    string // tables
	columns string // the first is the id
	narrow  string // tables that suffice to choose rows and compute bytes; "" for from
	bytes   string // SQL for the size of a row; "" for the sum of its columns
	order   string
}

// listing is a selection, and how a row of it is read. The program has its methods once for
// each T, so what does not ask for T is the selection's.
type listing[T any] struct {
	selection
	scan func(sqldb.Scanner) (T, error)
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
	return countedPage(ctx, q, w, p, listing[T]{selection{from: from, columns: columns, order: order}, scan})
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
	found.Total, err = l.count(ctx, q, all)
	return found, err
}

func (s selection) count(ctx context.Context, q lists, w sqldb.Where) (n int, err error) {
	err = q.Row(ctx, s.with+`SELECT COUNT(*) FROM `+cmp.Or(s.narrow, s.from)+w.String(), w.Args...).Scan(&n)
	return n, sqldb.Classify(err)
}

// readPage reads the rows of a page. If it may be read in steps, and is large, it
// reads only the ids and sizes of the rows.
func (l listing[T]) readPage(ctx context.Context, q lists, w *sqldb.Where, p page.Request, found *page.Of[T]) (err error) {
	if !p.InSteps {
		found.Rows, err = sqldb.List(ctx, q, l.scan, l.query(l.columns, w, p), w.Args...)
		return err
	}
	all := w.Clone()
	if l.bytes == "" { // else its rows are always large
		again := w.Clone()
		small, err := l.readSmall(ctx, q, &again, p)
		if err != nil || small != nil {
			found.Steps = small
			return err
		}
	}
	ids, sizes, err := l.outline(ctx, q, w, p)
	found.Steps = &page.Steps[T]{IDs: ids, Sizes: sizes, Read: l.reader(q, all)}
	return err
}

// reader reads rows of the list by their ids.
func (l listing[T]) reader(q lists, w sqldb.Where) func(context.Context, []int64) ([]T, error) {
	return func(ctx context.Context, ids []int64) ([]T, error) { return l.readRows(ctx, q, w, ids) }
}

// outline is the ids and sizes of the rows of a page.
func (s selection) outline(ctx context.Context, q lists, w *sqldb.Where, p page.Request) (ids, sizes []int64, err error) {
	chosen := s
	if s.bytes != "" {
		chosen.from, chosen.narrow = cmp.Or(s.narrow, s.from), ""
	}
	query := chosen.query(s.id()+`, `+s.size(q), w, p) // it adds to w.Args
	err = each(ctx, q, query, w.Args, func(row sqldb.Scanner) error {
		var id, size int64
		err := row.Scan(&id, &size)
		ids, sizes = append(ids, id), append(sizes, size)
		return err
	})
	return ids, sizes, err
}

// stepsOf is the rows with the ids, in this order, to be read later.
func (l listing[T]) stepsOf(ctx context.Context, q lists, w sqldb.Where, ids []int64) (*page.Steps[T], error) {
	sizes, err := l.sizesOf(ctx, q, w, ids)
	return &page.Steps[T]{IDs: ids, Sizes: sizes, Read: l.reader(q, w)}, err
}

// sizesOf is the sizes of the rows with the ids; 0 for one that the list has no more.
func (s selection) sizesOf(ctx context.Context, q lists, w sqldb.Where, ids []int64) ([]int64, error) {
	sizes := make([]int64, len(ids))
	if len(ids) == 0 {
		return sizes, nil
	}
	chosen := w.Clone()
	chosen.In(s.id(), false, ids)
	of := map[int64]int64{}
	query := `SELECT ` + s.id() + `, ` + s.size(q) + ` FROM ` + cmp.Or(s.narrow, s.from) + chosen.String()
	err := each(ctx, q, query, chosen.Args, func(row sqldb.Scanner) error {
		var id, size int64
		err := row.Scan(&id, &size)
		of[id] = size
		return err
	})
	for i, id := range ids {
		sizes[i] = of[id]
	}
	return sizes, err
}

// each calls read with each row of a query.
func each(ctx context.Context, q sqldb.Queries, query string, args []any, read func(sqldb.Scanner) error) error {
	_, err := sqldb.List(ctx, q, func(row sqldb.Scanner) (none struct{}, err error) { return none, read(row) }, query, args...)
	return err
}

// readSmall reads the rows of a page if they have at most page.Large bytes together;
// else it returns nil.
func (l listing[T]) readSmall(ctx context.Context, q lists, w *sqldb.Where, p page.Request) (*page.Steps[T], error) {
	small := &page.Steps[T]{}
	at := map[int64]T{}
	var err error
	var whole bool
	small.IDs, small.Sizes, whole, err = l.weigh(ctx, q, w, p, func(id *int64, row sqldb.Scanner) error {
		v, err := l.scan(row)
		at[*id] = v
		return err
	})
	if err != nil || !whole {
		return nil, err
	}
	small.Read = func(_ context.Context, ids []int64) ([]T, error) {
		found := make([]T, len(ids))
		for i, id := range ids {
			found[i] = at[id]
		}
		return found, nil
	}
	return small, nil
}

// weigh reads the rows of a page until they have more than page.Large bytes together; then
// whole is false.
func (s selection) weigh(ctx context.Context, q lists, w *sqldb.Where, p page.Request, read func(id *int64, row sqldb.Scanner) error) (ids, sizes []int64, whole bool, err error) {
	rows, err := q.Rows(ctx, s.query(s.id()+`, `+s.columns, w, p), w.Args...)
	if err != nil {
		return nil, nil, false, sqldb.Classify(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err returns the same error
	sum := int64(0)
	for rows.Next() {
		row := weighed{Scanner: rows}
		if err := read(&row.id, after{&row, []any{&row.id}}); err != nil {
			return nil, nil, false, sqldb.Classify(err)
		}
		if sum += row.bytes; sum > page.Large {
			return nil, nil, false, nil
		}
		ids, sizes = append(ids, row.id), append(sizes, row.bytes)
	}
	return ids, sizes, true, sqldb.Classify(rows.Err())
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

// id is the column of the id.
func (s selection) id() string {
	id, _, _ := strings.Cut(s.columns, ",")
	return id
}

// query selects columns of a page. The narrow tables choose its rows, so that rows of
// earlier pages are not joined.
func (s selection) query(columns string, w *sqldb.Where, p page.Request) string {
	chosen := w.String() + ` ORDER BY ` + s.order + w.Limit(p)
	if s.narrow != "" {
		chosen = ` WHERE ` + s.id() + ` IN (SELECT ` + s.id() + ` FROM ` + s.narrow + chosen + `) ORDER BY ` + s.order
	}
	return s.with + `SELECT ` + columns + ` FROM ` + s.from + chosen
}

// readRows reads those rows with the ids that the list still has, in the order of ids.
func (l listing[T]) readRows(ctx context.Context, q lists, w sqldb.Where, ids []int64) ([]T, error) {
	w = w.Clone()
	w.In(l.id(), false, ids)
	at := make(map[int64]T, len(ids))
	query := l.with + `SELECT ` + l.id() + `, ` + l.columns + ` FROM ` + l.from + w.String()
	err := each(ctx, q, query, w.Args, func(row sqldb.Scanner) error {
		var id int64
		v, err := l.scan(after{row, []any{&id}})
		at[id] = v
		return err
	})
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
func (s selection) size(q lists) string {
	if s.bytes != "" {
		return s.bytes
	}
	var parts []string
	for _, column := range splitColumns(s.columns)[1:] {
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
