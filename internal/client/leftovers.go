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

// partialName is hidden and beside the file: a rename between two file systems
// is none. It names this program, for a sweep removes what has such a name: other
// programs, too, call their files .NAME.DIGITS.part.
func partialName(name, mark string) string {
	dir, base := path.Split(filepath.ToSlash(name))
	return filepath.FromSlash(dir + "." + base[:min(len(base), 150)] + "." + markPrefix + mark + ".part")
}

// resumableName is the partial file of these bytes, which a later download takes
// up. The others are marked with letters of rand.Text.
func resumableName(name, sha256 string) string {
	return partialName(name, sha256[:min(markLength, len(sha256))])
}

// PullListName is what the list of the files that were pulled into a directory
// is called, there. key tells a package from others.
func PullListName(key string) string { return listPrefix + key + listSuffix }

// IsOwn reports whether a file, by its name or path, is one that this client keeps
// for itself: a partial file of a download, or a list of pulled files or its lock.
// Such a file is nobody's content.
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
// unlock. It waits for who has it, and calls waiting once when that takes more than a
// second.
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

// removeUnheld holds a partial file itself while it removes it, so that nobody
// takes it up meanwhile.
func removeUnheld(root *os.Root, name string) (bool, error) {
	p := &partial{root: root, name: name}
	mine, err := p.lockAs(os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return false, nil // it has got its name, or is somebody else's
	}
	if err != nil || !mine {
		return false, err
	}
	defer p.close()
	return true, root.Remove(name)
}

// CanWrite makes a file in a directory below root, and removes it: whether that
// works, no mode of a directory tells.
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
