package metadb

import (
	"context"

	"granary/internal/sqldb"
)

// Copy copies every record of one database into an empty one of the other kind, in one
// transaction, and compares what it wrote. Nothing else may write to either database
// meanwhile. from changes only in that its counters are summed (SumCounters). report
// is called for each table.
func Copy(ctx context.Context, from, to *DB, report func(table string, rows int64)) error {
	if err := from.SumCounters(ctx); err != nil {
		return err
	}
	defer to.forget()
	return sqldb.Copy(ctx, from.DB, to.DB, `SELECT EXISTS (SELECT 1 FROM users)`, report)
}
