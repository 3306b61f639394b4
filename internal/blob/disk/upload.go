package disk

import (
	"context"
	"os"
	"path/filepath"

	"granary/internal/blob"
)

// Point names a moment of a Commit or a PutNote, for Store.CrashPoint.
type Point string

// The points, in the order in which a Commit reaches them. Up to and including
// BeforeRename the blob is invisible; from BeforeDirSync on it is visible and
// whole; at AfterDirSync it also survives the loss of power.
const (
	BeforeSync    Point = "before-sync"
	BeforeRename  Point = "before-rename"
	BeforeDirSync Point = "before-dirsync"
	AfterDirSync  Point = "after-dirsync"
)

// The points of a PutNote, in its order: the same, of the note that is to be read.
const (
	BeforeNoteSync    Point = "before-note-sync"
	BeforeNoteRename  Point = "before-note-rename"
	BeforeNoteDirSync Point = "before-note-dirsync"
	AfterNoteDirSync  Point = "after-note-dirsync"
)

// behind is how many bytes are written before the kernel is asked to write them to
// disk. Otherwise the kernel keeps all of them until the fsync, and the disk idles
// during the upload: one system call each 8 MiB makes a large upload durable six
// times as fast.
const behind = 8 << 20

// upload is a temporary file that becomes a blob, or a note.
type upload struct {
	s       *Store
	f       *os.File // nil once committed or aborted
	size    int64    // bytes written
	started int64    // bytes that the disk was asked to write
	err     error    // the first failed Write; it forbids the Commit
}

// Create begins an upload in a new temporary file, whatever was declared. ctx is
// not asked again.
func (s *Store) Create(ctx context.Context, _ blob.Declared) (blob.Upload, error) {
	u, err := s.newUpload(ctx)
	if err != nil {
		return nil, err // not a nil *upload
	}
	return u, nil
}

func (s *Store) newUpload(ctx context.Context) (*upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Join(s.dir, tmp), "") // mode 0600
	if err != nil {
		return nil, reason("creating a file", err)
	}
	return &upload{s: s, f: f}, nil
}

// Write appends p to the file. An error is final: the upload can only be
// aborted then.
func (u *upload) Write(p []byte) (int, error) {
	if u.f == nil {
		return 0, os.ErrClosed
	}
	n, err := u.f.Write(p)
	u.size += int64(n)
	if err != nil {
		u.err = reason("writing", err)
		return n, u.err
	}
	if u.size-u.started >= behind {
		startWriting(u.f, u.started, u.size-u.started)
		u.started = u.size
	}
	return n, nil
}

// Commit syncs the file, renames it to its digest and syncs the folder.
//
// It renames even onto a blob that is there: the bytes are the same, readers
// keep the file they have, and the folder's entry is then one that this Commit
// syncs, not one that an earlier, failed Commit may have left unsynced.
func (u *upload) Commit(d blob.Digest) error {
	if u.f == nil {
		return os.ErrClosed
	}
	defer func() { _ = u.Abort() }() // when it was not renamed; a failed fsync must never be tried again
	if u.err != nil {
		return u.err
	}
	u.s.reach(BeforeSync)
	if err := u.f.Sync(); err != nil {
		return reason("syncing "+d.String(), err)
	}
	u.s.reach(BeforeRename)
	if err := u.rename(u.s.path(d)); err != nil {
		return reason("committing "+d.String(), err)
	}
	u.s.reach(BeforeDirSync)
	if err := syncFolder(u.s.folder(d)); err != nil {
		return reason("syncing the folder of "+d.String(), err)
	}
	u.s.reach(AfterDirSync)
	return nil
}

// rename ends the upload if it succeeds. The file is synced by then, so that
// closing it has nothing left to fail at.
func (u *upload) rename(path string) error {
	if err := os.Rename(u.f.Name(), path); err != nil {
		return err
	}
	u.f.Close()
	u.f = nil
	return nil
}

// Abort removes the temporary file. What it cannot remove, the next Open does.
func (u *upload) Abort() error {
	if u.f == nil {
		return nil
	}
	name := u.f.Name()
	u.f.Close()
	u.f = nil
	if err := os.Remove(name); err != nil {
		return reason("aborting an upload", err)
	}
	return nil
}

func (s *Store) reach(p Point) {
	if s.CrashPoint != nil {
		s.CrashPoint(p)
	}
}
