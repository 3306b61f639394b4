package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"granary/internal/blob"
)

// A batch is synced when it has as many files, or bytes, as this. A server beside it waits with
// its own syncs meanwhile: so each file is written out before, by itself, and a sync has little
// left to do.
const (
	batchFiles = 1024
	batchBytes = 64 << 20
)

// batch is a store whose uploads are synced many at a time: the file system writes all of
// them at once, and the sync of each one, which tells whether that went well, has nothing
// left to do. On a disk that nothing else uses, many files of 100 KiB each are written a
// hundred times as fast as by a Store, which syncs each by itself.
type batch struct {
	*Store

	mu      sync.Mutex
	waiting []*batchUpload
	bytes   int64
	err     error // the first failed sync or rename; it ends the batch
}

// Batch implements blob.Batcher.
func (s *Store) Batch() blob.Batch { return &batch{Store: s} }

// Create begins an upload.
func (b *batch) Create(ctx context.Context, d blob.Declared) (blob.Upload, error) {
	u, err := b.newUpload(ctx)
	if err != nil {
		return nil, err
	}
	return &batchUpload{upload: u, batch: b}, nil
}

// batchUpload is an upload that its batch commits.
type batchUpload struct {
	*upload
	batch  *batch
	digest blob.Digest
	given  bool // to the batch, which ends it
}

// Commit gives the file to the batch. It is visible once that has synced it.
func (u *batchUpload) Commit(d blob.Digest) error {
	if u.f == nil || u.given {
		return errors.New("disk: the upload has ended")
	}
	if u.err != nil {
		return errors.Join(u.err, u.Abort())
	}
	writeOut(u.f)
	u.digest, u.given = d, true
	return u.batch.add(u)
}

// Abort does nothing if the batch has the file.
func (u *batchUpload) Abort() error {
	if u.given {
		return nil
	}
	return u.upload.Abort()
}

func (b *batch) add(u *batchUpload) error {
	b.mu.Lock()
	b.waiting, b.bytes = append(b.waiting, u), b.bytes+u.size
	full := len(b.waiting) >= batchFiles || b.bytes >= batchBytes
	b.mu.Unlock()
	if !full {
		return nil
	}
	return b.settle() // others fill the next batch meanwhile
}

// settle syncs what waits, and makes it visible.
func (b *batch) settle() error {
	b.mu.Lock()
	waiting, err := b.waiting, b.err
	b.waiting, b.bytes = nil, 0
	b.mu.Unlock()
	if err == nil && len(waiting) > 0 {
		err = syncAll(b.dir)
	}
	for _, u := range waiting {
		if err == nil {
			err = b.show(u)
		}
		_ = u.upload.Abort() // if it is not renamed: the error says that it is gone
	}
	if err != nil {
		b.mu.Lock()
		b.err = cmp.Or(b.err, err)
		b.mu.Unlock()
	}
	return err
}

// show syncs a file and gives it its name.
func (b *batch) show(u *batchUpload) error {
	b.reach(BeforeSync)
	if err := u.f.Sync(); err != nil {
		return reason("syncing "+u.digest.String(), err)
	}
	dropCached(u.f) // nobody reads it soon, and what others read stays in memory
	b.reach(BeforeRename)
	if err := u.rename(b.path(u.digest)); err != nil {
		return reason("committing "+u.digest.String(), err)
	}
	b.reach(BeforeDirSync)
	return nil
}

// Flush implements blob.Batch. It syncs all folders of the store: a blob that was there already
// may be that of a batch that was killed before its Flush.
func (b *batch) Flush() error {
	if err := b.settle(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	if err := syncAll(b.dir); err != nil {
		return err
	}
	for i := range 256 {
		folder := fmt.Sprintf("%02x", i)
		if err := syncFolder(filepath.Join(b.dir, folder)); err != nil {
			return reason("syncing the folder "+folder, err)
		}
	}
	b.reach(AfterDirSync)
	return nil
}
