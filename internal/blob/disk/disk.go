// Package disk keeps blobs as files on a local disk.
//
// A store is a folder:
//
//	ab/ab12...   a blob: 64 hexadecimal digits, in the folder of the first two
//	tmp/         uploads that are not committed
//	damaged/     blobs whose bytes are wrong, set aside
//	...          a note: any other file whose path is a note's name
//
// All of it is on one file system, so that a rename commits. Names are made from digests, and
// by the server for notes; nothing that a user says becomes a path. Folders have mode 0700 and
// files 0600.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"granary/internal/blob"
)

const tmp = "tmp"

var _ blob.Store = (*Store)(nil)

// Store is a blob.Store in a folder of a local disk, or of one that servers share.
// Make one with Open or OpenShared.
type Store struct {
	dir  string
	view bool // made by View: folders may be missing

	// CrashPoint, if set, is called when a Commit reaches a Point; the crash tests
	// end the process in it. Set it before the first use of the store.
	CrashPoint func(Point)
}

// Open makes or reopens the store in dir.
//
// The caller must see to it that no other process and no other Store uses dir,
// as granary does with the lock on its data directory: what is found in tmp is
// taken for the remains of a crash and removed.
func Open(dir string) (*Store, error) {
	s, err := OpenShared(dir)
	if err != nil {
		return nil, err
	}
	_, err = s.removeUploads(context.Background(), func(time.Time) bool { return true })
	return s, err
}

// OpenShared is Open for a directory that several servers share: what is in tmp
// may be another's upload. The remains of a crash are left to Tidy.
func OpenShared(dir string) (*Store, error) {
	if err := makeFolder(dir); err != nil {
		return nil, fmt.Errorf("disk: opening the store: %w", err)
	}
	names := []string{tmp}
	for i := range 256 {
		names = append(names, fmt.Sprintf("%02x", i))
	}
	for _, name := range names {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("disk: opening the store: %w", err)
		}
	}
	// Even when all were there: they may be those of a process that was killed
	// before it came to this line.
	if err := syncFolder(dir); err != nil {
		return nil, fmt.Errorf("disk: opening the store: %w", err)
	}
	return &Store{dir: dir}, nil
}

// Open is the blob's *os.File. Anything but a regular file is an error that says what it is.
func (s *Store) Open(_ context.Context, d blob.Digest) (io.ReadSeekCloser, error) {
	f, err := openRegular(s.path(d))
	if err != nil {
		return nil, reasonRead("opening "+d.String(), err)
	}
	return f, nil
}

// Stat is the size of the blob's file. Anything but a regular file is an error, as for Open.
func (s *Store) Stat(_ context.Context, d blob.Digest) (int64, error) {
	fi, err := statRegular(s.path(d))
	if err != nil {
		return 0, reasonRead("looking up "+d.String(), err)
	}
	return fi.Size(), nil
}

// Delete removes the blob's file. It does not sync the folder: a blob that a
// crash of the machine brings back is whole, named by its own digest and
// harmless, whereas a sync for each would slow a sweep a hundredfold.
func (s *Store) Delete(_ context.Context, d blob.Digest) error {
	if err := os.Remove(s.path(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return reason("deleting "+d.String(), err)
	}
	return nil
}

// List walks the folders in order, a few hundred files at a time. A folder that cannot be
// read is a blob.ErrUnreadable; any other error ends it. Files that are not named as a blob
// would be are not listed.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		chosen := func(info blob.Info, err error) bool {
			return err == nil && len(prefix) > 2 && !strings.HasPrefix(info.Digest.String(), prefix) || yield(info, err)
		}
		for i := range 256 {
			folder := fmt.Sprintf("%02x", i)
			if !strings.HasPrefix(folder, prefix[:min(len(prefix), len(folder))]) {
				continue
			}
			if !s.listFolder(ctx, folder, blob.Digest{byte(i)}, chosen) {
				return
			}
		}
	}
}

// listFolder reports whether to continue with the next folder. first is the first digest that
// may be in it.
func (s *Store) listFolder(ctx context.Context, name string, first blob.Digest, yield func(blob.Info, error) bool) bool {
	fail := func(err error) bool {
		yield(blob.Info{}, reason("listing "+name, err))
		return false
	}
	unreadable := func(err error) bool {
		return yield(blob.Info{Digest: first}, reason("listing "+name, fmt.Errorf("%w: %w", blob.ErrUnreadable, err)))
	}
	f, err := os.Open(filepath.Join(s.dir, name))
	if s.view && errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		return unreadable(err)
	}
	defer f.Close()
	for {
		if ctx.Err() != nil {
			return fail(context.Cause(ctx))
		}
		entries, err := f.ReadDir(256)
		for _, e := range entries {
			info, ok, err := info(f, name, e)
			if err != nil {
				return fail(err)
			}
			if ok && !yield(info, nil) {
				return false
			}
		}
		if err == io.EOF {
			return true
		}
		if err != nil {
			return unreadable(err)
		}
	}
}

// NotFiles are the digests whose place something else than a regular file has, such as a symbolic
// link. List passes them by.
func (s *Store) NotFiles(ctx context.Context) (found []blob.Digest, err error) {
	for i := range 256 {
		folder := fmt.Sprintf("%02x", i)
		entries, err := os.ReadDir(filepath.Join(s.dir, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return found, reason("listing "+folder, err)
		}
		for _, e := range entries {
			if d, is := digestOf(e.Name()); is && e.Name()[:2] == folder && !e.Type().IsRegular() {
				found = append(found, d)
			}
		}
		if ctx.Err() != nil {
			return found, context.Cause(ctx)
		}
	}
	return found, nil
}

// info returns false if the entry is not a blob of the folder, which has the first two digits, or not any more.
func info(folder *os.File, first string, e fs.DirEntry) (blob.Info, bool, error) {
	d, ok := digestOf(e.Name())
	if !ok || e.Name()[:2] != first || !e.Type().IsRegular() {
		return blob.Info{}, false, nil
	}
	size, changed, err := sizeOf(folder, e.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return blob.Info{}, false, nil // deleted since
	}
	if err != nil {
		return blob.Info{}, false, err
	}
	return blob.Info{Digest: d, Size: size, Changed: changed}, true, nil
}

func (s *Store) folder(d blob.Digest) string { return filepath.Join(s.dir, d.String()[:2]) }

func (s *Store) path(d blob.Digest) string { return filepath.Join(s.folder(d), d.String()) }

// digestOf reads the name of a file that holds a blob.
func digestOf(name string) (blob.Digest, bool) {
	d, err := blob.ParseDigest(name)
	return d, err == nil && !strings.ContainsAny(name, "ABCDEF")
}
