package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"

	"granary/internal/fault"
)

// ErrReplaced says that the SQLite file is no longer at its path: what is written to it is
// lost with the process. The fault that has it as its cause says what to do.
var ErrReplaced = errors.New("the file of the database is not at its path")

// place watches that the path of a database leads to the file that is open.
type place struct {
	path     string
	open     os.FileInfo
	log      *slog.Logger
	whenLost func() string // Options.WhenLost
	lost     atomic.Bool
}

// look looks, until the file is lost: new connections may have taken away the log that belongs
// to it, so it does not count if somebody puts it back. A path that cannot be looked at says
// nothing.
func (p *place) look() {
	if p.lost.Load() {
		return
	}
	now, err := os.Stat(p.path)
	if err == nil && os.SameFile(now, p.open) || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if !p.lost.Swap(true) {
		p.log.Error("database: "+p.message(), "path", p.path)
	}
}

// message says what happened, and what to do.
func (p *place) message() string {
	text := "the database's file was removed, or another is in its place, and nothing more is read or written; " +
		"stop the server, and then put the file back if it was moved"
	if p.whenLost == nil {
		return text
	}
	return text + "; if it is gone for good, " + p.whenLost()
}

// check looks, and refuses to read and write a file that is not in its place.
func (p *place) check() error {
	p.look()
	if !p.lost.Load() {
		return nil
	}
	return fault.Wrap(fault.Unavailable, p.message(), ErrReplaced)
}

// narrow takes the file, and its log, from everybody but their owner. It is for a file that is
// filled: to whom others gave a file that has records already is theirs to say.
func (p *place) narrow() {
	for _, end := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(p.path + end)
		if err != nil || info.Mode().Perm()&0o077 == 0 {
			continue
		}
		if err := os.Chmod(p.path+end, info.Mode().Perm()&^0o077); err != nil {
			p.log.Warn("database: others may read its file, and that cannot be changed", "path", p.path+end, "mode", info.Mode().Perm().String(), "error", err)
		}
	}
}

// guarded opens connections to the file that is in its place, and to no other.
type guarded struct {
	driver.Connector // whose connections have read nothing yet
	place            *place
	pragmas          string
}

// Connect looks before, so that the error says what is wrong, and after, because the file may
// have been replaced meanwhile. Only then the pragmas read and write: they would begin to fill an
// empty file, and take away the log at its path.
func (c guarded) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.place.check(); err != nil {
		return nil, err
	}
	conn, err := c.Connector.Connect(ctx)
	if lost := c.place.check(); lost != nil && err != nil {
		return nil, lost // which is why
	} else if err == nil {
		err = lost
	}
	if err == nil {
		_, err = conn.(driver.ExecerContext).ExecContext(ctx, c.pragmas, nil)
	}
	if err != nil && conn != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, err
}

// end closes the connections that read, once the file is lost: what they read is no longer what
// is at the path, and no new one is opened.
func (p *place) end(reads *sql.DB) {
	if p.lost.Load() {
		reads.SetMaxIdleConns(0)
	}
}
