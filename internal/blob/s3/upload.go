package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"granary/internal/blob"
)

const (
	mostSending = 3                // parts of one upload on their way at once
	cleanUp     = 15 * time.Second // to undo what was done, whatever became of the caller
)

// upload gathers a body in parts. The first part waits: if it is the whole body, it
// becomes one object under its digest. Else each part is sent as it fills, to the
// declared digest's key or to staging.
type upload struct {
	s    *Store
	ctx  context.Context
	stop context.CancelFunc
	said blob.Declared

	least int64 // bytes of a part
	part  *part // being filled; nil: none is
	n     int   // parts before it
	size  int64 // bytes written
	to    aim   // of the parts, once id is set
	id    string
	whole bool // the parts have been put together
	done  bool // committed or aborted

	slots   chan struct{} // one for each part on its way
	sending sync.WaitGroup
	mu      sync.Mutex
	etags   []string // of the parts sent
	err     error    // the first failure; the upload can only be aborted then
}

// Create begins an upload and asks nothing of the store yet.
func (s *Store) Create(ctx context.Context, d blob.Declared) (blob.Upload, error) {
	u, err := s.newUpload(ctx, d)
	if err != nil {
		return nil, err // not a nil *upload
	}
	return u, nil
}

func (s *Store) newUpload(ctx context.Context, d blob.Declared) (*upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	return &upload{s: s, ctx: ctx, stop: stop, said: d, slots: make(chan struct{}, mostSending)}, nil
}

// Write takes p into memory; if there is no memory for a part, it waits until others
// have been sent.
func (u *upload) Write(p []byte) (written int, err error) {
	if u.done {
		return 0, os.ErrClosed
	}
	for len(p) > 0 {
		if err := u.makeRoom(); err != nil {
			u.fail(doing("uploading", err))
			return written, u.failure()
		}
		n := u.part.fill(p)
		p = p[n:]
		written += n
		u.size += int64(n)
	}
	return written, u.failure()
}

// makeRoom sees to it that there is a part that is not full.
func (u *upload) makeRoom() error {
	if u.part != nil && !u.part.full() {
		return nil
	}
	if u.part != nil {
		if err := u.send(); err != nil {
			return err
		}
	}
	if err := u.failure(); err != nil {
		return err
	}
	if u.n == mostParts {
		return fmt.Errorf("%w: more than %d parts, %d bytes", blob.ErrTooLarge, mostParts, u.size)
	}
	if u.n == 0 {
		u.least = u.s.memory.firstPart()
	}
	most := partSize(u.n, u.said.Size, u.least)
	if u.said.Size >= 0 {
		most = min(most, u.said.Size-u.size)
	}
	if most <= 0 {
		return fmt.Errorf("more than the %d bytes declared", u.said.Size)
	}
	var err error
	u.part, err = u.s.memory.part(u.ctx, most)
	return err
}

// send takes the part on its way. It waits while too many are.
func (u *upload) send() error {
	if u.id == "" {
		if err := u.begin(); err != nil {
			return err
		}
	}
	select {
	case u.slots <- struct{}{}:
	case <-u.ctx.Done():
		return context.Cause(u.ctx)
	}
	p, n := u.part, u.n
	u.part, u.n = nil, u.n+1
	u.mu.Lock()
	u.etags = append(u.etags, "") // which may move those that others fill in
	u.mu.Unlock()
	u.sending.Go(func() {
		defer func() { p.free(); <-u.slots }()
		etag, err := u.s.client.send(u.ctx, u.to.key, u.id, n, p, p.size, p.sum())
		if err != nil {
			u.fail(doing(fmt.Sprintf("sending part %d", n+1), err))
			return
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.etags[n] = etag
	})
	return nil
}

// begin chooses the key of the parts.
func (u *upload) begin() (err error) {
	u.to = aim{key: u.s.prefix + staging + rand.Text()}
	if u.said.Digest != nil {
		u.to = aim{key: u.s.key(*u.said.Digest), blob: true, absent: !u.said.Overwrite}
	}
	u.id, err = u.s.client.begin(u.ctx, u.to)
	return err
}

// fail keeps the first failure, and stops what is on its way.
func (u *upload) fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
		u.stop()
	}
}

func (u *upload) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// Commit puts the object together under its digest. It does not replace bytes that are
// there already, so that their readers are not disturbed, unless it is to overwrite them.
func (u *upload) Commit(d blob.Digest) error {
	if u.done {
		return os.ErrClosed
	}
	defer func() { _ = u.Abort() }() // of what is left
	err := u.failure()
	switch {
	case err != nil:
	case u.id == "":
		err = u.commitOne(d)
	default:
		err = u.commitParts(d)
	}
	if err == nil {
		return nil
	}
	return doing("committing "+d.String(), err)
}

// commitOne puts a body of one part straight to its digest.
func (u *upload) commitOne(d blob.Digest) error {
	body := u.only()
	to := aim{key: u.s.key(d), blob: true, absent: !u.said.Overwrite}
	err := u.s.client.put(u.ctx, to, body, body.size, d)
	if err == nil || !u.said.Overwrite && u.present(d) { // the answer was lost, or another upload was first
		return nil
	}
	// More than once, because versitygw refuses a key for a moment while it is deleted.
	to.absent = false
	for n := 0; n < tries && refusesCondition(err); n++ {
		err = u.s.client.put(u.ctx, to, body, body.size, d)
	}
	return err
}

// only is the part of a body of one part.
func (u *upload) only() *part {
	if u.part == nil { // of no bytes
		return &part{}
	}
	return u.part
}

func (u *upload) commitParts(d blob.Digest) error {
	if u.to.blob && d != *u.said.Digest {
		return errors.New("another digest was declared")
	}
	if err := u.sendLast(); err != nil {
		return err
	}
	if !u.said.Overwrite && u.present(d) {
		return nil // and the parts are forgotten
	}
	if err := u.finish(); err != nil {
		return err
	}
	if u.to.blob {
		return nil
	}
	return u.s.copy(u.ctx, u.to.key, aim{key: u.s.key(d), blob: true}, u.size)
}

// sendLast sends the last part, which there always is, and waits for all.
func (u *upload) sendLast() error {
	if err := u.send(); err != nil {
		return err
	}
	u.sending.Wait()
	return u.failure()
}

// finish puts the parts together under the key that they were sent to.
func (u *upload) finish() error {
	err := u.s.client.finish(u.ctx, u.to, u.id, u.etags)
	if refusesCondition(err) && !u.isThere(u.to.key) {
		to := u.to
		to.absent = false
		err = u.s.client.finish(u.ctx, to, u.id, u.etags)
	}
	u.whole = err == nil
	if err == nil || !u.said.Overwrite && u.isThere(u.to.key) { // the answer was lost, or another upload was first
		return nil
	}
	return err
}

// present reports whether the whole blob is in the store.
func (u *upload) present(d blob.Digest) bool { return u.isThere(u.s.key(d)) }

// isThere reports whether an object of the upload's size is at the key.
func (u *upload) isThere(key string) bool {
	o, err := u.s.client.head(u.ctx, key)
	return err == nil && o.size == u.size
}

// Abort forgets all parts. What it cannot remove now, Tidy will.
func (u *upload) Abort() error {
	if u.done {
		return nil
	}
	u.done = true
	u.stop()
	u.sending.Wait()
	if u.part != nil {
		u.part.free()
		u.part = nil
	}
	if u.id == "" || u.whole && u.to.blob {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), cleanUp)
	defer cancel()
	var err error
	if u.whole {
		err = u.s.client.remove(ctx, u.to.key)
	} else {
		err = u.s.client.forget(ctx, u.to.key, u.id)
	}
	if err != nil {
		return doing("aborting an upload", err)
	}
	return nil
}

// sum is the digest of the part alone.
func (p *part) sum() (d [sha256.Size]byte) {
	h := sha256.New()
	left := p.size
	for _, s := range p.slabs {
		n := min(left, slabSize)
		h.Write(s[:n])
		left -= n
	}
	return [sha256.Size]byte(h.Sum(nil))
}
