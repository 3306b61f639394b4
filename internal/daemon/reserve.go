package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"granary/internal/trouble"
)

// reserveName is the file next to the database that holds space back. If it is empty,
// its space is in use: a restarted server and granary admin see that, too.
const reserveName = "granary.reserve"

// reserve is space that is held back on the database's disk: when the disk is
// full it is given back to delete with, and made again when there is space.
type reserve struct {
	path    string
	size    int64 // bytes; 0 holds nothing
	out     atomic.Bool
	mu      sync.Mutex // of the file
	log     *slog.Logger
	trouble *trouble.Trouble
}

// newReserve does nothing yet. dir is that of the database.
func newReserve(dir string, size int64, log *slog.Logger) *reserve {
	return &reserve{path: filepath.Join(dir, reserveName), size: size, log: log,
		trouble: trouble.New(log, "cannot hold back space for deletions", "the reserve for deletions is held back")}
}

// isOut reports whether the reserve was freed: then only deletions may write.
func (r *reserve) isOut() bool { return r != nil && r.out.Load() }

// draw frees the reserve, and reports whether it is free now. The sync makes the file
// system release the space at once.
func (r *reserve) draw() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	held, there := r.held()
	if held == 0 {
		r.out.Store(there)
		return there
	}
	f, err := os.OpenFile(r.path, os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(f.Truncate(0), f.Sync(), f.Close())
	}
	if err != nil {
		r.log.Error("cannot free the reserve for deletions", "file", r.path, "error", err)
		return false
	}
	r.out.Store(true)
	r.log.Warn("the disk is full: the reserve is used for deletions; publishing works again when there is space for the reserve", "bytes", held)
	return true
}

// held is the length of the file in bytes, and whether there is one.
func (r *reserve) held() (bytes int64, there bool) {
	info, err := os.Stat(r.path)
	if err != nil {
		return 0, false
	}
	return info.Size(), true
}

// keep fills the reserve if there is space for it and some more. It is called at the
// start and then regularly.
func (r *reserve) keep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size == 0 {
		r.out.Store(false)
		if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.log.Warn("cannot free the reserve for deletions", "file", r.path, "error", err)
		}
		return
	}
	held, there := r.held()
	if held == r.size {
		r.out.Store(false)
		return
	}
	err := r.make(held)
	r.trouble.Saw(err, "bytes", r.size)
	r.out.Store(err != nil && there && held == 0)
}

// make gives the file its size. If that fails, the file is as it was.
func (r *reserve) make(held int64) error {
	if missing := r.size - held; missing > 0 {
		free, err := freeBytes(filepath.Dir(r.path))
		if err != nil {
			return err
		}
		if free < missing+2*leastFree {
			return fmt.Errorf("%d bytes are free on the database's disk, want %d; delete packages, or set a smaller --disk-reserve", free, missing+2*leastFree)
		}
	}
	f, err := os.OpenFile(r.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = f.Truncate(min(held, r.size))
	if err == nil && held < r.size {
		if err = allocate(f, held, r.size-held); err != nil {
			err = errors.Join(err, f.Truncate(held))
		}
	}
	return errors.Join(err, f.Close())
}

// fill takes space by writing, if the file system cannot reserve it.
func fill(f *os.File, from, n int64) error {
	const step = 1 << 20
	zeros := make([]byte, step)
	for at := from; at < from+n; at += step {
		if _, err := f.WriteAt(zeros[:min(step, from+n-at)], at); err != nil {
			return err
		}
	}
	return f.Sync()
}
