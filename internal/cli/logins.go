package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"granary/internal/filelock"
)

// logins is what granary login has stored.
type logins struct {
	Default string            `json:"default"` // the API of the server that was logged in to last
	Servers map[string]string `json:"servers"` // a token for the API at each address

	Profiles map[string]profile `json:"profiles,omitempty"` // by name
}

// profile is a server and a token for it, under a name.
type profile struct {
	Server string `json:"server"` // its API
	Token  string `json:"token"`
}

// loginsPath is in the user's configuration directory (XDG).
func loginsPath(env Env) (string, error) {
	dir := env.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := env.home()
		if home == "" {
			return "", errors.New("neither XDG_CONFIG_HOME nor HOME is set: there is no directory for logins")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "granary", "logins.json"), nil
}

// readLogins reads the stored logins. It refuses a file that others can read, so that
// the user learns it at once and can replace the tokens.
func readLogins(env Env) (logins, error) {
	l := logins{Servers: map[string]string{}}
	path, err := loginsPath(env)
	if err != nil {
		return l, nil // without a directory nothing is stored
	}
	f, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return l, err
	}
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" { // on Windows modes do not say who may read
		return l, usagef("%s holds tokens and others can read it; run chmod 600 on it, and make new tokens if others had access", path)
	}
	if err := json.NewDecoder(f).Decode(&l); err != nil {
		return l, fmt.Errorf("%s cannot be read: %w; remove it and run granary login", path, err)
	}
	if l.Servers == nil {
		l.Servers = map[string]string{}
	}
	return l, nil
}

// stored is the logins, read at their first use: a damaged file does not affect a
// command that has its server and its token from elsewhere.
type stored struct {
	env  Env
	kept *logins // once they are read
}

func (s *stored) read() (logins, error) {
	if s.kept == nil {
		l, err := readLogins(s.env)
		if err != nil {
			return l, err
		}
		s.kept = &l
	}
	return *s.kept, nil
}

// updateLogins reads, changes and writes the logins under a lock: of two concurrent
// logins both are kept. It writes nothing if change fails.
func updateLogins(env Env, change func(*logins) error) (path string, err error) {
	unlock, err := lockLogins(env)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	l, err := readLogins(env)
	if err != nil {
		return "", err
	}
	if err := change(&l); err != nil {
		return "", err
	}
	return l.write(env)
}

// lockLogins waits until no other process changes the logins. The lock is on a separate
// file, because every change replaces that of the logins. The lock's file stays: removing
// it could pull it from under a process that has just opened it. On a file system
// without locks the logins work without protection.
func lockLogins(env Env) (unlock func() error, err error) {
	const longest, pause = 10 * time.Second, 10 * time.Millisecond // a change takes no time
	path, err := loginsPath(env)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(longest); ; time.Sleep(pause) {
		mine, err := filelock.Try(f)
		if mine {
			return f.Close, nil
		}
		if err == nil && time.Now().Before(end) {
			continue
		}
		if errors.Is(err, errors.ErrUnsupported) {
			env.notice("%s cannot be locked (%v): if two commands log in or out now, one may undo the other", path, err)
			return f.Close, nil
		}
		if err == nil {
			err = errors.New("another process has held the lock for too long")
		}
		return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", f.Name(), err), f.Close())
	}
}

// write stores the logins, whole or not at all.
func (l logins) write(env Env) (path string, err error) {
	if path, err = loginsPath(env); err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".logins-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return path, nil
}
