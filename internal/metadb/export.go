package metadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"granary/internal/records"
	"granary/internal/sqldb"
)

// WriteRows implements records.Source.
func (db *DB) WriteRows(ctx context.Context, w *records.Writer, o records.ExportOptions) error {
	return db.LongSnapshot(ctx, func(q sqldb.Queries) error {
		h := records.Header{Kind: o.Kind}
		if err := db.describe(ctx, q, &h); err != nil {
			return err
		}
		h.To = max(h.To, o.To)
		if err := w.Begin(h); err != nil {
			return err
		}
		tables := exported(o)
		for _, t := range tables {
			if err := writeTable(ctx, q, w, t); err != nil {
				return fmt.Errorf("table %s: %w", t.name, err)
			}
		}
		return db.writeLast(ctx, q, w, tables)
	})
}

// describe fills in what a header says of the database.
func (db *DB) describe(ctx context.Context, q sqldb.Queries, h *records.Header) (err error) {
	if h.Schema, err = db.SchemaVersion(ctx, q); err != nil {
		return err
	}
	err = q.Row(ctx, `SELECT COALESCE((SELECT identity FROM blob_store WHERE id = 1), ''), COALESCE((SELECT MAX(id) FROM audit_events), 0)`).
		Scan(&h.Identity, &h.To)
	h.To = max(h.To, 0) // a clock before 1970
	return sqldb.Classify(err)
}

// writeTable writes all rows of a table.
func writeTable(ctx context.Context, q sqldb.Queries, w *records.Writer, t recordTable) error {
	return writeRows(ctx, q, w, t.name, `SELECT * FROM `+t.name+` ORDER BY `+t.key)
}

// writeRows writes the rows of a query, which are all the rows of the table in the file.
func writeRows(ctx context.Context, q sqldb.Queries, w *records.Writer, table, query string, args ...any) error {
	rows, err := q.Rows(ctx, query, args...)
	if err != nil {
		return sqldb.Classify(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return sqldb.Classify(err)
	}
	if err := w.Table(table, columns); err != nil {
		return err
	}
	return sqldb.Classify(errors.Join(eachRow(rows, len(columns), w.Row), rows.Close()))
}

// eachRow calls fn with the values of each row; they are valid until it returns.
func eachRow(rows *sql.Rows, columns int, fn func([]any) error) error {
	values, into := make([]any, columns), make([]any, columns)
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			if b, ok := v.([]byte); ok && b == nil {
				values[i] = []byte{} // an empty blob; nil would be NULL
			}
		}
		if err := fn(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// writeLast writes the last ids of the tables of a file.
func (db *DB) writeLast(ctx context.Context, q sqldb.Queries, w *records.Writer, tables []recordTable) error {
	all, err := db.LastIDs(ctx, q)
	if err != nil {
		return err
	}
	last := map[string]int64{}
	for _, t := range tables {
		if id := all[t.name]; id > 0 {
			last[t.name] = id
		}
	}
	return w.Last(last)
}
