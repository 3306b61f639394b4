package sqldb

import (
	"context"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// To delete, SQLite writes first: to its log, and an audit event. On a full disk it
// could not, and nothing would ever make room. So what frees space may draw on
// Options.Reserve.

// freesSpace is the key of contexts of what removes more than it adds.
type freesSpace struct{}

// Freeing marks a transaction that removes more than it adds.
func Freeing(ctx context.Context) context.Context {
	return context.WithValue(ctx, freesSpace{}, true)
}

// draws reports whether a transaction that failed should run once more, with the
// space that was held back for it.
func (w *writer) draws(ctx context.Context, err error) bool {
	return err != nil && IsFull(err) && ctx.Value(freesSpace{}) != nil && w.reserve != nil && w.reserve()
}

// IsFull reports that SQLite found no space.
func IsFull(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE)
}
