package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"granary/internal/filelock"
)

// lockName is the file in every directory that the server writes to. The lock
// is the kernel's: it is gone with the process, however that ends.
const lockName = "granary.lock"

// lock makes sure that this server is the only one in the directory. A
// directory that it has locked already is fine.
func (s *server) lock(dir string) error {
	path, err := filepath.Abs(filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write to the directory %s: %w; --data-dir chooses another directory", dir, plain(err))
	}
	if s.holds(f) {
		return f.Close()
	}
	mine, err := filelock.Try(f)
	if err != nil {
		return errors.Join(fmt.Errorf("cannot lock %s: %w", path, err), f.Close())
	}
	if !mine {
		defer f.Close()
		return heldError{holder(f), dir}
	}
	s.locks = append(s.locks, f)
	text := strconv.Itoa(os.Getpid()) + "\n"
	_, err = f.WriteAt([]byte(text), 0) // before it is cut: so a full disk has room for it
	if err == nil {
		err = f.Truncate(int64(len(text)))
	}
	if err != nil {
		return fmt.Errorf("cannot write to the directory %s: %w; --data-dir chooses another directory", dir, plain(err))
	}
	return nil
}

// heldError says that another process has a directory.
type heldError struct {
	process string // " (process 123)", or "" if that is not known
	dir     string
}

func (e heldError) Error() string {
	return fmt.Sprintf("another granary%s is running on %s; stop it, or choose another --data-dir", e.process, e.dir)
}

// holds reports whether the server has locked the file already, perhaps under
// another name: a directory may be reached through a symbolic link.
func (s *server) holds(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && slices.ContainsFunc(s.locks, func(held *os.File) bool {
		other, err := held.Stat()
		return err == nil && os.SameFile(info, other)
	})
}

// holder names the process that has the lock, if the lock file names it.
func holder(f *os.File) string {
	text := make([]byte, 32)
	n, err := f.ReadAt(text, 0)
	pid := strings.TrimSpace(string(text[:n]))
	if pid == "" || n == 0 && err != nil {
		return ""
	}
	return " (process " + pid + ")"
}

func (s *server) unlock() error {
	var err error
	for _, f := range s.locks {
		err = errors.Join(err, filelock.Close(f))
	}
	s.locks = nil
	return err
}
