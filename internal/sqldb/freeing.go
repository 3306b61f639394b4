package sqldb

import (
	"context"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite must write to delete: to its log, and an audit event. On a full disk it could
// not, and nothing would ever make room. So a transaction that frees space may use
// Options.Reserve.

// freesSpace is the key under which a context says that its transaction frees space.
type freesSpace struct{}

// Freeing is ctx for a transaction that removes more than it adds.
func Freeing(ctx context.Context) context.Context {
	return context.WithValue(ctx, freesSpace{}, true)
}

// retriesWithReserve reports whether a transaction failed for lack of space, and
// should run once more because the reserve was freed for it.
func (w *writer) retriesWithReserve(ctx context.Context, err error) bool {
	return err != nil && IsFull(err) && ctx.Value(freesSpace{}) != nil && w.reserve != nil && w.reserve()
}

// IsFull reports whether SQLite found no space.
func IsFull(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE)
}
