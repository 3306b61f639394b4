package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"granary/internal/blob"
)

var _ blob.Notes = (*Store)(nil)

// PutNote writes a new file, syncs it, renames it to the note's name, and syncs the
// folders above: each of them may be new, made by this call or by another that has not
// synced it yet.
func (s *Store) PutNote(ctx context.Context, name string, r io.Reader, size int64) error {
	if err := blob.CheckNoteName(name); err != nil {
		return err
	}
	up, err := s.newUpload(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = up.Abort() }()
	if err := blob.WriteNote(ctx, up, r, size); err != nil {
		return reason("writing the note "+name, err)
	}
	s.reach(BeforeNoteSync)
	if err := up.f.Sync(); err != nil {
		return reason("syncing the note "+name, err)
	}
	s.reach(BeforeNoteRename)
	if err := s.renameNote(up, name); err != nil {
		if isFolderOfNotes(s.notePath(name)) {
			err = fmt.Errorf("a folder that is not empty is in its place; move that away: %w", err)
		}
		return reason("committing the note "+name, err)
	}
	s.reach(BeforeNoteDirSync)
	if err := s.syncFolders(name); err != nil {
		return reason("syncing the folders of the note "+name, err)
	}
	s.reach(AfterNoteDirSync)
	return nil
}

// mostRenames bounds how often a DeleteNote may remove the folder of a note that is
// just being put into it, and how often a folder may be in the place of the note.
const mostRenames = 100

// renameNote makes the folders that are missing.
func (s *Store) renameNote(up *upload, name string) (err error) {
	for range mostRenames {
		err = up.rename(s.notePath(name))
		if errors.Is(err, fs.ErrExist) && os.Remove(s.notePath(name)) == nil {
			continue // an empty folder, of which somebody has removed the notes
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		folders := foldersOf(name)
		slices.Reverse(folders)
		for _, folder := range folders {
			if err := os.Mkdir(s.notePath(folder), 0o700); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return err
}

// syncFolders syncs the folders above a note, the store's too. One that is gone is gone
// with the note, which another call has deleted.
func (s *Store) syncFolders(name string) error {
	for _, folder := range foldersOf(name) {
		if err := syncFolder(s.notePath(folder)); err != nil && !isMissing(err) {
			return err
		}
	}
	return syncFolder(s.dir)
}

// Note opens the note's file.
func (s *Store) Note(_ context.Context, name string) (io.ReadSeekCloser, error) {
	return NoteIn(s.dir, name)
}

// NoteIn opens a note of the store in dir, and creates nothing. ErrNotFound if there is
// no such note, or no store. A folder is one of other notes, if there are any; anything else
// that is no regular file is an error that says what it is.
func NoteIn(dir, name string) (io.ReadSeekCloser, error) {
	if err := blob.CheckNoteName(name); err != nil {
		return nil, err
	}
	doing := "opening the note " + name
	path := filepath.Join(dir, filepath.FromSlash(name))
	f, err := openRegular(path)
	if isMissing(err) || errors.Is(err, blob.ErrUnreadable) && isFolderOfNotes(path) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, reasonRead(doing, err)
	}
	return f, nil
}

// Notes reads one folder at a time, whole. Files that are not named as a note would be
// are no notes. A folder that is empty may be what a PutNote has made and not yet used.
func (s *Store) Notes(ctx context.Context, prefix string) iter.Seq2[blob.NoteInfo, error] {
	return func(yield func(blob.NoteInfo, error) bool) {
		folder := prefix[:strings.LastIndexByte(prefix, '/')+1] // of all that begin so
		if folder == "" || blob.CheckNoteName(strings.TrimSuffix(folder, "/")) == nil {
			s.walkNotes(ctx, folder, prefix, yield)
		}
	}
}

// walkNotes walks below a folder, "" or a name with a slash at its end, and reports
// whether to continue.
func (s *Store) walkNotes(ctx context.Context, folder, prefix string, yield func(blob.NoteInfo, error) bool) bool {
	fail := func(err error) bool {
		yield(blob.NoteInfo{}, reason("listing the notes in "+cmp.Or(folder, s.dir), err))
		return false
	}
	entries, err := os.ReadDir(s.notePath(folder))
	if err != nil && folder == "" {
		return fail(err)
	}
	if err != nil && !isMissing(err) {
		return yield(blob.NoteInfo{Name: folder}, reason("listing the notes in "+folder, fmt.Errorf("%w: %w", blob.ErrUnreadable, err)))
	}
	if name := strings.TrimSuffix(folder, "/"); err == nil && len(entries) == 0 && folder != "" && strings.HasPrefix(name, prefix) {
		return yield(blob.NoteInfo{Name: name, Empty: true}, nil)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(nameOf(a), nameOf(b)) })
	for _, e := range entries {
		if ctx.Err() != nil {
			return fail(context.Cause(ctx))
		}
		name := folder + nameOf(e)
		if !strings.HasPrefix(name, prefix) || blob.CheckNoteName(strings.TrimSuffix(name, "/")) != nil {
			continue
		}
		if e.IsDir() {
			if !s.walkNotes(ctx, name, prefix, yield) {
				return false
			}
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since
		}
		if err != nil {
			return fail(err)
		}
		if !yield(blob.NoteInfo{Name: name, Size: info.Size()}, nil) {
			return false
		}
	}
	return true
}

// nameOf is the name of an entry as it sorts among the names of notes: that of a folder
// is followed by a slash.
func nameOf(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// DeleteNote removes the note's file, and the folders above that are empty then.
func (s *Store) DeleteNote(_ context.Context, name string) error {
	if err := blob.CheckNoteName(name); err != nil {
		return err
	}
	info, err := os.Lstat(s.notePath(name))
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		err = os.Remove(s.notePath(name))
	}
	if err != nil && !isMissing(err) {
		return reason("deleting the note "+name, err)
	}
	// Even when it was missing: the call that removed it may have failed since.
	for _, folder := range foldersOf(name) {
		if os.Remove(s.notePath(folder)) != nil { // most often: it is not empty
			break
		}
	}
	if err := s.syncFolders(name); err != nil {
		return reason("syncing the folders of the note "+name, err)
	}
	return nil
}

func (s *Store) notePath(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// isFolderOfNotes reports a folder that is not empty.
func isFolderOfNotes(path string) bool {
	entries, err := os.ReadDir(path)
	return err == nil && len(entries) > 0
}

// foldersOf are the folders above a note below the store's, the nearest first.
func foldersOf(name string) (folders []string) {
	for name = path.Dir(name); name != "."; name = path.Dir(name) {
		folders = append(folders, name)
	}
	return folders
}

// isMissing reports that there is nothing of the name, or a file in place of a folder.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
