package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// mostFaults is how many faults of each kind SelfCheck returns.
const mostFaults = 100

// SelfCheck returns, in words, what SQLite finds wrong with its own file, and rows that
// refer to rows that are not there. It reads the whole file, half a second a gigabyte.
// PostgreSQL looks after both itself, and nothing is returned.
func (db *DB) SelfCheck(ctx context.Context) ([]string, error) {
	if db.Shared() {
		return nil, nil
	}
	found, err := List(ctx, db, ScanOne[string],
		fmt.Sprintf("PRAGMA quick_check(%d)", mostFaults))
	if IsDamaged(err) {
		return append(found, err.Error()), nil
	}
	if err != nil || len(found) != 1 || found[0] != "ok" {
		return found, err
	}
	rows, err := db.Rows(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return nil, Classify(err)
	}
	defer rows.Close()
	found = nil
	for rows.Next() && len(found) < mostFaults {
		var table, parent string
		var id sql.NullInt64
		var key int64
		if err := rows.Scan(&table, &id, &parent, &key); err != nil {
			return found, Classify(err)
		}
		found = append(found, fmt.Sprintf("row %d of %s refers to a row of %s that is not there", id.Int64, table, parent))
	}
	return found, Classify(rows.Err())
}

// IsDamaged reports whether SQLite does not accept its file as a database, or found it damaged.
func IsDamaged(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}
