package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"

	"granary/internal/blob"
	"granary/internal/records"
)

// chosenBlobs is a store as blob.Copy sees it: it has only the blobs that records name and
// that each passes on. A blob that cannot be had whole is left out and told, and does not
// stop the others.
type chosenBlobs struct {
	blob.Source               // as blob.Readable makes it
	file        io.ReadSeeker // the records
	each        func(ctx context.Context, copy func(records.BlobRow) error) error
	lost        func(row records.BlobRow, why string)
	pace        *pace

	// mostUnread is how many blobs that cannot be read end the copy, if none was had before:
	// then nothing of the store can be read. 0: none does.
	mostUnread int

	failed error // of each

	mu      sync.Mutex
	copying map[blob.Digest]records.BlobRow
	unread  int // blobs

	had atomic.Bool // bytes of a blob, or a blob that need not be read
}

// copyTo copies the blobs to a store.
func (c *chosenBlobs) copyTo(ctx context.Context, to blob.Store, o blob.CopyOptions) (blob.Copied, error) {
	c.copying = map[blob.Digest]records.BlobRow{}
	o.There = func(d blob.Digest) {
		c.had.Store(true)
		c.forget(d)
	}
	copied, err := blob.Copy(ctx, to, c, o)
	if c.failed != nil && errors.Is(err, c.failed) {
		err = c.failed // without the words for a list
	}
	if err != nil || len(copied.Damaged) == 0 {
		return copied, err
	}
	damaged := map[blob.Digest]bool{}
	for _, d := range copied.Damaged {
		damaged[d] = true
	}
	// What the records say of those is forgotten by now.
	return copied, blobsOf(c.file, func(row records.BlobRow) error {
		if damaged[row.Digest] {
			c.lost(row, "its bytes in the store are others")
		}
		return ctx.Err()
	})
}

// List implements blob.Source.
func (c *chosenBlobs) List(ctx context.Context, _ string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		err := c.each(ctx, func(row records.BlobRow) error {
			c.mu.Lock()
			c.copying[row.Digest] = row
			c.mu.Unlock()
			if !yield(blob.Info{Digest: row.Digest, Size: row.Size}, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			c.failed = err
			yield(blob.Info{}, err)
		}
	}
}

// errEnough says that a copy has failed, and wants no more blobs.
var errEnough = errors.New("nobody wants more")

// Why a blob is lost.
const whyMissing = "missing"

// whySize is of a blob that has another number of bytes than on record. They are read: they may be
// right, and the record wrong.
func whySize(ctx context.Context, from blob.Source, d blob.Digest, found, want int64) string {
	digest, _, err := blob.Hash(ctx, from, d, make([]byte, checkBuffer))
	if err == nil && digest == d {
		return whyRecord(found, want)
	}
	return fmt.Sprintf("it has %d bytes in the store instead of %d", found, want)
}

func whyRecord(found, want int64) string {
	return fmt.Sprintf("its %d bytes are right, and their number on record, %d, is wrong: granary fsck calls that RECORD", found, want)
}

func whyUnreadable(u *blob.UnreadableError) string { return "it " + u.Error() }

// Open implements blob.Source. For a blob that is lost the error is ErrNotFound.
func (c *chosenBlobs) Open(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, error) {
	r, err := c.Source.Open(ctx, d)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, c.lose(d, whyMissing)
	}
	if err != nil {
		return nil, c.unreadable(d, err)
	}
	size, err := r.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = r.Seek(0, io.SeekStart)
	}
	if err != nil {
		err = c.unreadable(d, err)
	} else if want := c.row(d).Size; size != want {
		err = c.lose(d, whySize(ctx, c.Source, d, size, want))
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return chosenBlob{r, c.pace.reader(ctx, r), c, d}, nil
}

// chosenBlob is a blob that is copied.
type chosenBlob struct {
	io.ReadSeekCloser
	paced io.Reader
	c     *chosenBlobs
	d     blob.Digest
}

func (r chosenBlob) Read(p []byte) (int, error) {
	n, err := r.paced.Read(p)
	if err != nil && err != io.EOF {
		return n, r.c.unreadable(r.d, err)
	}
	r.c.had.Store(true)
	return n, err
}

// Close also forgets the row of the blob.
func (r chosenBlob) Close() error {
	r.c.forget(r.d)
	return r.ReadSeekCloser.Close()
}

// unreadable is the error of reading a blob. One that cannot be read though its store answers
// is lost; any other trouble may be over when the copy is run again.
func (c *chosenBlobs) unreadable(d blob.Digest, err error) error {
	u, is := errors.AsType[*blob.UnreadableError](err)
	if !is {
		return err
	}
	c.mu.Lock()
	c.unread++
	none := c.mostUnread > 0 && !c.had.Load() && c.unread >= c.mostUnread
	c.mu.Unlock()
	if none {
		return fmt.Errorf("none of the first %d files can be read; may this user read them? %w", c.mostUnread, err)
	}
	return c.lose(d, whyUnreadable(u))
}

// lose tells a blob as lost, once. The error is one for which blob.Copy leaves it out.
func (c *chosenBlobs) lose(d blob.Digest, why string) error {
	if row, has := c.forget(d); has {
		c.lost(row, why)
	}
	return blob.ErrNotFound
}

func (c *chosenBlobs) forget(d blob.Digest) (row records.BlobRow, has bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, has = c.copying[d]
	delete(c.copying, d)
	return row, has
}

func (c *chosenBlobs) row(d blob.Digest) records.BlobRow {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.copying[d]
}
