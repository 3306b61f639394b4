package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"granary/internal/blob"
	"granary/internal/fault"
)

// Elsewhere is a place that may have right bytes of blobs: another store, a place of
// backups, another server. It is used by several goroutines.
type Elsewhere interface {
	// Copies returns where bytes of a blob may be, the likeliest first. It fails if the place
	// does not answer.
	Copies(ctx context.Context, b Wanted) ([]Copy, error)
}

// Wanted is a blob whose right bytes are looked for.
type Wanted struct {
	Digest blob.Digest
	Size   int64 // bytes
	Uses   []Use // the newest files that have it, at most a hundred
}

// Copy is where bytes of a blob may be. They may be wrong.
type Copy struct {
	Where string // in the place, for people; "" if there is no more to say than which place
	Open  func(ctx context.Context) (io.ReadCloser, error)
}

const (
	usesAsked    = 100     // of a blob, for its copies
	reasonsTold  = 5       // why copies were of no use
	largestSmall = 1 << 20 // bytes of a body that the database keeps: the most that the setting takes
)

var (
	errNotThere   = errors.New("it has no such bytes")
	errAlsoWrong  = errors.New("its bytes are damaged, too")
	errStillWrong = errors.New("they were written, and do not read back")
)

// repair puts right bytes of a blob where a reader looks for them, and removes its mark. It
// asks one copy after the other, and returns where the right one was. The error says what
// was wrong with each, or what failed here.
func (m mender) repair(ctx context.Context, from Elsewhere, k KeptBlob, damage blob.Damage) (where string, err error) {
	uses, err := m.records.BlobUses(ctx, k.ID, usesAsked)
	if err != nil {
		return "", err
	}
	copies, err := from.Copies(ctx, Wanted{k.Digest, k.Size, uses})
	if err != nil {
		return "", err
	}
	var refused []string
	for _, c := range copies {
		received, theirs, err := m.receive(ctx, k.BlobRow, damage, c)
		if err == nil {
			return c.Where, m.put(ctx, k.BlobRow, damage, received)
		}
		if ctx.Err() != nil || !theirs {
			return "", err
		}
		text := err.Error()
		if c.Where != "" {
			text = c.Where + ": " + text
		}
		refused = append(refused, text)
	}
	if len(refused) == 0 {
		return "", errNotThere
	}
	if more := len(refused) - reasonsTold; more > 0 {
		refused = append(refused[:reasonsTold], fmt.Sprintf("and %d more copies were of no use", more))
	}
	return "", errors.New(strings.Join(refused, "; "))
}

// receive reads a copy to its end, and compares it with the digest. theirs says that an
// error is the copy's.
func (m mender) receive(ctx context.Context, k BlobRow, damage blob.Damage, c Copy) (_ *blob.Received, theirs bool, err error) {
	r, err := c.Open(ctx)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, true, errNotThere
	}
	if err != nil {
		return nil, true, err
	}
	defer r.Close()
	l := blob.Limits{Length: k.Size, Digest: &k.Digest, Overwrite: damage != blob.Missing}
	if k.inline() {
		l.Inline = max(1, min(k.Size, largestSmall))
	}
	received, err := blob.Receive(ctx, m.store, r, l)
	if errors.Is(err, blob.ErrDigestMismatch) || errors.Is(err, blob.ErrShort) {
		return nil, true, errAlsoWrong
	}
	return received, errors.Is(err, blob.ErrBody), err
}

// put stores right bytes of a blob. It marks the blob first and removes the mark last, so that
// the bytes under the digest change only while there is a mark. What does not read back is
// set aside again.
func (m mender) put(ctx context.Context, k BlobRow, damage blob.Damage, received *blob.Received) (err error) {
	defer func() { err = errors.Join(err, received.Abort()) }()
	b := StoredBlob{Digest: k.Digest, Size: k.Size, Small: k.inline()}
	mark := markOf(b, damage)
	if _, err := m.mark(ctx, mark); err != nil {
		return err
	}
	if b.Small {
		err = m.putSmall(ctx, received)
	} else if err = m.setAside(ctx, k.Digest); err == nil {
		err = received.Commit()
	}
	if err != nil {
		return err
	}
	seen, err := m.look(ctx, b)
	if err != nil {
		return err
	}
	if seen.damage != nil {
		right, err := m.condemn(ctx, b, seen.damage.Damage)
		if right {
			return err
		}
		return errors.Join(errStillWrong, err)
	}
	mark.Aside = true
	return m.unmark(ctx, mark)
}

// putSmall is for bytes that the database keeps.
func (m mender) putSmall(ctx context.Context, received *blob.Received) error {
	if received.Small == nil {
		return fmt.Errorf("%d bytes are too many for the database", received.Size)
	}
	err := m.records.MendContent(ctx, received.Digest, received.Small)
	if fault.Is(err, fault.NotFound) {
		return fmt.Errorf("the database keeps none any more: %w", err)
	}
	return err
}
