package registry

import (
	"context"
	"fmt"
	"io"
	"sync"

	"granary/internal/blob"
	"granary/internal/fault"
)

// notAsideMost is how many blobs are known to be marked and not aside: at most a megabyte.
// If there are more, each read asks for the mark of its blob.
const notAsideMost = 10_000

// notAside knows the blobs whose wrong bytes may still be in the store, though they are
// marked: setting them aside takes a while, or fails. Nobody reads them, and no other read
// asks the database for a mark. It may know too many, for each read asks for the mark itself.
type notAside struct {
	mu    sync.Mutex
	round int                 // counts the calls of learn
	known map[blob.Digest]int // to the round in which it was added
	more  bool                // there are others
}

func (n *notAside) has(d blob.Digest) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, known := n.known[d]
	return known || n.more
}

// add adds a blob; to nil it adds nothing.
func (n *notAside) add(d blob.Digest) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = map[blob.Digest]int{}
	}
	if len(n.known) < notAsideMost {
		n.known[d] = n.round
		return
	}
	n.more = true
}

func (n *notAside) forget(d blob.Digest) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, d)
}

// learn replaces what is known by what read returns, at most limit blobs; but what was added
// since it was called stays, for read may have come before.
func (n *notAside) learn(read func(limit int) ([]blob.Digest, error)) error {
	n.mu.Lock()
	n.round++
	now := n.round
	n.mu.Unlock()
	found, err := read(notAsideMost + 1)
	if err != nil {
		return err
	}
	n.mu.Lock()
	for d, round := range n.known {
		if round < now {
			delete(n.known, d)
		}
	}
	n.more = false
	n.mu.Unlock()
	for _, d := range found {
		n.add(d)
	}
	return nil
}

// LearnMarks learns from the records which blobs are marked while their wrong bytes are still
// in the store: they are not served. The server calls it before it serves, and every few
// seconds, because other nodes and commands mark blobs, too.
func (r *Registry) LearnMarks(ctx context.Context) error {
	return r.notAside.learn(func(limit int) ([]blob.Digest, error) { return r.Records.NotAside(ctx, limit) })
}

// openStored opens bytes of the store. A *blob.DamageError if they are known to be wrong.
func (r *Registry) openStored(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, error) {
	if r.notAside.has(d) {
		if err := r.refuseMarked(ctx, d); err != nil {
			return nil, err
		}
	}
	return r.Blobs.Open(ctx, d)
}

// refuseMarked asks for the mark of a blob.
func (r *Registry) refuseMarked(ctx context.Context, d blob.Digest) error {
	mark, err := r.Records.FindMark(ctx, d)
	switch {
	case err == nil && !mark.Aside:
		return &blob.DamageError{Damage: mark.Kind, Reason: fmt.Sprintf("the blob %s is marked, and its wrong bytes are not set aside yet", d)}
	case err == nil || fault.Is(err, fault.NotFound):
		r.notAside.forget(d)
		return nil
	}
	return err
}
