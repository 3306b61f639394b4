package metadb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"granary/internal/records"
	"granary/internal/sqldb"
)

// Fill implements records.Target. No server may run on the database.
func (db *DB) Fill(ctx context.Context, schema int64, fn func(records.Filler) error) error {
	return db.fill(ctx, schema, fn, func(tx) error { return nil })
}

// fill is Fill that calls end with the complete database, in the same transaction.
func (db *DB) fill(ctx context.Context, schema int64, fn func(records.Filler) error, end func(tx) error) error {
	defer db.changedElsewhere()
	return db.Load(ctx, func(l *sqldb.Loading) error {
		if err := unused(ctx, l); err != nil {
			return err
		}
		if err := l.Start(ctx, schema); err != nil {
			return err
		}
		f := &filler{Loading: l, ctx: ctx, last: map[string]int64{}}
		if err := f.begin(); err != nil {
			return err
		}
		if err := fn(f); err != nil {
			return err
		}
		if err := l.Finish(ctx, func() error { return db.derive(tx{l.Tx}) }); err != nil {
			return err
		}
		if err := end(tx{l.Tx}); err != nil {
			return sqldb.Classify(err)
		}
		return l.Number(ctx, f.last)
	})
}

// unused refuses a database that has records. An empty one has the rows of its schema.
func unused(ctx context.Context, l *sqldb.Loading) error {
	for _, table := range []string{"users", "namespaces", "projects", "packages", "blobs", "audit_events"} {
		var used bool
		if err := l.Row(ctx, `SELECT EXISTS (SELECT 1 FROM `+table+`)`).Scan(&used); err != nil {
			return sqldb.Classify(err)
		}
		if used {
			return fmt.Errorf("it already has records (in table %s); the target must be an empty database", table)
		}
	}
	return nil
}

// filler is a database that is being filled.
type filler struct {
	*sqldb.Loading
	ctx    context.Context        //nolint:containedctx // of one call of Fill
	tables map[string]recordTable // of the schema, that go into records
	last   map[string]int64
}

// begin removes the rows that belong to an empty schema.
func (f *filler) begin() error {
	if err := f.look(); err != nil {
		return err
	}
	for table := range f.tables {
		if err := f.Empty(table); err != nil {
			return err
		}
	}
	return nil
}

// look finds the tables of the schema. A table of an older schema, which this granary
// has no more, takes its rows as they are.
func (f *filler) look() error {
	names, err := f.Tables(f.ctx)
	if err != nil {
		return err
	}
	f.tables = map[string]recordTable{}
	for _, name := range names {
		f.tables[name] = recordTable{name: name}
	}
	for _, t := range recordTables() {
		if _, there := f.tables[t.name]; !there {
			continue
		}
		if f.tables[t.name] = t; t.class == derived || t.class == own {
			delete(f.tables, t.name)
		}
	}
	return nil
}

// table is a table that rows go into.
func (f *filler) table(name string) (recordTable, error) {
	t, ok := f.tables[name]
	if !ok {
		return t, fmt.Errorf("there is no table %q for records in this schema", name)
	}
	return t, nil
}

// Upgrade implements records.Filler.
func (f *filler) Upgrade(ctx context.Context, schema int64) error {
	if err := f.Loading.Upgrade(ctx, schema); err != nil {
		return err
	}
	return f.look()
}

// inTable is a database's error, with the table.
func inTable(table string, err error) error {
	return fmt.Errorf("table %s: %w", table, sqldb.Classify(err))
}

// Insert implements records.Filler.
func (f *filler) Insert(table string, columns []string, rows records.Rows) error {
	if _, err := f.table(table); err != nil {
		return err
	}
	if err := f.Loading.Insert(table, columns, rows); err != nil {
		return inTable(table, err)
	}
	return nil
}

// Remove implements records.Filler.
func (f *filler) Remove(table string, columns []string, rows records.Rows) error {
	t, err := f.table(table)
	if err != nil {
		return err
	}
	if t.key == "" {
		return fmt.Errorf("table %s: this granary does not know the key of its rows, which cannot be replaced", table)
	}
	key := t.columns()
	places, conditions := make([]int, len(key)), make([]string, len(key))
	for i, column := range key {
		if places[i] = slices.Index(columns, column); places[i] < 0 {
			return fmt.Errorf("table %s: a row without %s cannot be replaced", table, column)
		}
		conditions[i] = fmt.Sprintf("%s = $%d", column, i+1)
	}
	args := make([]any, len(key))
	err = f.Each(`DELETE FROM `+table+` WHERE `+strings.Join(conditions, " AND "), func() ([]any, error) {
		values, err := rows()
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			args[i] = values[place]
		}
		return args, nil
	})
	if err != nil {
		return inTable(table, err)
	}
	return nil
}

// Empty implements records.Filler.
func (f *filler) Empty(table string) error {
	if _, err := f.table(table); err != nil {
		return err
	}
	return f.Exec(`DELETE FROM ` + table)
}

// Number implements records.Filler.
func (f *filler) Number(last map[string]int64) error {
	for table, id := range last {
		if _, err := f.table(table); err != nil {
			return err
		}
		f.last[table] = max(f.last[table], id)
	}
	return nil
}

// Sum implements records.Filler.
func (f *filler) Sum(table string, columns []string) (sum records.Checksum, err error) {
	if _, err := f.table(table); err != nil {
		return sum, err
	}
	rows, err := f.Rows(f.ctx, `SELECT `+sqldb.Columns(columns)+` FROM `+table)
	if err != nil {
		return sum, sqldb.Classify(err)
	}
	defer rows.Close()
	return sum, sqldb.Classify(errors.Join(eachRow(rows, len(columns), sum.Add), rows.Close()))
}
