package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"granary/internal/config"
	"granary/internal/filelock"
)

// lockName is the file in every directory that the server writes to. The lock
// is the kernel's: it is gone with the process, however that ends.
const lockName = "granary.lock"

// What chooses a directory, as messages name it.
const (
	dataDirFlag = "--data-dir"
	toFlag      = "--to"
	fromFlag    = "--from"
)

// databaseFlag is what chooses the directory of a SQLite database.
func databaseFlag(cfg config.Config) string {
	return flagOf(cfg, filepath.Dir(cfg.Database.Path), "--database")
}

// blobsFlag is what chooses the directory of blobs.
func blobsFlag(cfg config.Config) string { return flagOf(cfg, cfg.Blobs.Path, "--blobs") }

// flagOf is own, or --data-dir for what is in the data directory.
func flagOf(cfg config.Config, dir, own string) string {
	dir, err := filepath.Abs(dir)
	data, failed := filepath.Abs(cfg.DataDir)
	if err == nil && failed == nil && (dir == data || within(dir, data)) {
		return dataDirFlag
	}
	return own
}

// lock makes sure that this server is the only one in the directory, which by chooses. A
// directory that it has locked already is fine.
func (s *server) lock(dir, by string) error {
	return s.lockBy(filelock.Try, strconv.Itoa(os.Getpid())+"\n", dir, by)
}

// share makes sure that nobody has locked the directory: others may share it. A file system
// without locks keeps nobody away.
func (s *server) share(dir, by string) error {
	err := s.lockBy(filelock.TryShared, "", dir, by)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// lockBy locks a directory, and writes who has it into the file.
func (s *server) lockBy(try func(*os.File) (bool, error), text, dir, by string) error {
	path, err := filepath.Abs(filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write to the directory %s: %w; %s chooses another directory", dir, plain(err), by)
	}
	if s.holds(f) {
		return f.Close()
	}
	mine, err := try(f)
	if err != nil {
		return errors.Join(fmt.Errorf("cannot lock %s: %w", path, err), f.Close())
	}
	if !mine {
		defer f.Close()
		return heldError{holder(f), dir, by}
	}
	s.locks = append(s.locks, f)
	_, err = f.WriteAt([]byte(text), 0) // before it is cut: so a full disk has room for it
	if err == nil {
		err = f.Truncate(int64(len(text)))
	}
	if err != nil {
		return fmt.Errorf("cannot write to the directory %s: %w; %s chooses another directory", dir, plain(err), by)
	}
	return nil
}

// heldError says that another process has a directory.
type heldError struct {
	process string // " (process 123)", or "" if that is not known
	dir     string
	by      string // what chooses the directory
}

func (e heldError) Error() string {
	return fmt.Sprintf("another granary%s is running on %s; stop it, or choose another %s", e.process, e.dir, e.by)
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
