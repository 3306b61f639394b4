package sqldb

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"granary/internal/fault"
)

// ErrReplaced says that the SQLite file is no longer at its path: what is written to it is
// lost with the process.
var ErrReplaced = errors.New("the database's file was removed, or another is in its place, and nothing more is written; " +
	"stop the server, and then put the file back if it was moved, or restore a backup")

// place watches that the path of a database leads to the file that is open.
type place struct {
	path string
	open os.FileInfo
	log  *slog.Logger
	lost atomic.Bool
}

// newPlace takes the file that is at the path for the one that is open.
func newPlace(path string, log *slog.Logger) (*place, error) {
	open, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	return &place{path: path, open: open, log: log}, nil
}

// look looks, until the file is lost: new connections may have taken away the log that belongs
// to it, so it does not count if somebody puts it back. A path that cannot be looked at says
// nothing.
func (p *place) look() {
	if p.lost.Load() {
		return
	}
	now, err := os.Stat(p.path)
	if err == nil && os.SameFile(now, p.open) || err != nil && !errors.Is(err, os.ErrNotExist) {
		return
	}
	p.lost.Store(true)
	p.log.Error("database: "+ErrReplaced.Error(), "path", p.path)
}

// check is the refusal of a write to a file that is not in its place.
func (p *place) check() error {
	if p == nil || !p.lost.Load() {
		return nil
	}
	return fault.Wrap(fault.Unavailable, "", ErrReplaced)
}
