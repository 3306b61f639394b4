package client

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

const (
	markPrefix = "granary-"
	markLength = 16 // of what follows it in a partial file's mark, and says what it belongs to
	listPrefix = ".granary-pull-"
	listSuffix = ".json"

	// PullLock is held by the one pull that is at work in its directory.
	PullLock = ".granary-pull.lock"
)

// partialName is hidden and in the file's directory: a rename cannot cross file
// systems. It names this program, because a sweep removes files with such names, and
// other programs, too, call their files .NAME.DIGITS.part.
func partialName(name, mark string) string {
	dir, base := path.Split(filepath.ToSlash(name))
	return filepath.FromSlash(dir + "." + base[:min(len(base), 150)] + "." + markPrefix + mark + ".part")
}

// resumableName is the partial file of these bytes, which a later download takes
// up. The others are marked with letters of rand.Text.
func resumableName(name, sha256 string) string {
	return partialName(name, sha256[:min(markLength, len(sha256))])
}

// PullListName is the name of a directory's list of pulled files. key identifies the
// package.
func PullListName(key string) string { return listPrefix + key + listSuffix }

// IsOwn reports whether a file, by its name or path, is the client's own: a partial
// file of a download, or a list of pulled files or its lock. Such a file is never
// content of a package.
func IsOwn(name string) bool {
	base := path.Base(filepath.ToSlash(name))
	return isPartial(base) || IsPullList(base) || base == PullLock
}

// IsPullList reports whether a file at the top of a directory is a list of pulled
// files.
func IsPullList(name string) bool {
	return strings.HasPrefix(name, listPrefix) && strings.HasSuffix(name, listSuffix)
}

// LockPullLists keeps other pulls from a directory and its lists of pulled files until
// unlock. It waits for another holder, and calls waiting once if that takes more than
// a second.
func LockPullLists(ctx context.Context, root *os.Root, waiting func()) (unlock func(), err error) {
	const short, long = 20 * time.Millisecond, 200 * time.Millisecond
	p := &partial{root: root, name: PullLock}
	began, pause := time.Now(), short
	for {
		mine, err := p.lock()
		if err != nil {
			return nil, local(err)
		}
		if mine {
			return func() {
				_ = root.Remove(PullLock) // one that stays is taken up by the next
				p.close()
			}, nil
		}
		if pause == short && time.Since(began) > time.Second {
			pause = long
			waiting()
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// isPartial knows what partialName makes: .NAME.granary-MARK.part.
func isPartial(base string) bool {
	rest, ok := strings.CutSuffix(base, ".part")
	dot := strings.LastIndexByte(rest, '.')
	if !ok || dot < 1 || rest[0] != '.' {
		return false
	}
	mark, ours := strings.CutPrefix(rest[dot+1:], markPrefix)
	return ours && len(mark) == markLength && (strings.Trim(mark, "0123456789abcdef") == "" || strings.Trim(mark, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == "")
}

// Sweep removes from a directory below root ("." for itself) the partial files
// that no process holds and that none of the files in keep, by path below root,
// could be taken up from or is. A directory that is not there is swept. It returns
// what it removed.
func Sweep(root *os.Root, dir string, keep []File) (removed []string, err error) {
	entries, err := fs.ReadDir(root.FS(), filepath.ToSlash(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, local(err)
	}
	var kept map[string]bool
	for _, e := range entries {
		if !e.Type().IsRegular() || !isPartial(e.Name()) {
			continue
		}
		if kept == nil {
			kept = keptNames(keep)
		}
		name := filepath.Join(dir, e.Name())
		if kept[name] {
			continue
		}
		gone, err := removeUnheld(root, name)
		if err != nil {
			return removed, local(err)
		}
		if gone {
			removed = append(removed, name)
		}
	}
	return removed, nil
}

func keptNames(keep []File) map[string]bool {
	names := map[string]bool{}
	for _, f := range keep {
		name := filepath.Clean(filepath.FromSlash(f.Path))
		names[name] = true
		names[resumableName(name, f.SHA256)] = true
	}
	return names
}

// removeUnheld locks a partial file while it removes it, so that no other process
// resumes it meanwhile.
func removeUnheld(root *os.Root, name string) (bool, error) {
	p := &partial{root: root, name: name}
	mine, err := p.lockAs(os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return false, nil // it has its final name now, or belongs to another process
	}
	if err != nil || !mine {
		return false, err
	}
	defer p.close()
	return true, root.Remove(name)
}

// CanWrite makes a file in a directory below root, and removes it: the directory's
// mode does not show whether that works.
func CanWrite(root *os.Root, dir string) error {
	p, err := newPartial(root, filepath.Join(dir, "probe"), 0)
	if err != nil {
		return local(err)
	}
	defer p.close()
	if err := root.Remove(p.name); err != nil {
		return local(err)
	}
	return nil
}

// WriteFile puts a small file in the place of what has its name below root: whole,
// or not at all.
func WriteFile(root *os.Root, name string, data []byte) error {
	p, err := newPartial(root, name, int64(len(data)))
	if err != nil {
		return local(err)
	}
	defer p.close()
	if _, err = p.f.Write(data); err == nil {
		err = root.Rename(p.name, name)
	}
	if err != nil {
		_ = root.Remove(p.name) // the error says more
		return local(err)
	}
	return nil
}
