package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"granary/internal/blob"
	"granary/internal/fault"
)

// looked is what a look at stored bytes found.
type looked struct {
	damage *blob.DamageError // nil: they are right
	crc32  uint32            // of right bytes
}

// look reads the stored bytes of a blob, and compares them with its digest. b.Size is -1 if
// it is not known: then wrong bytes are OtherBytes, however many they are. It is an error,
// and no damage, if they cannot be read.
func (m mender) look(ctx context.Context, b StoredBlob) (looked, error) {
	var body io.ReadCloser
	var err error
	if b.Small {
		body, err = m.lookSmall(ctx, b.Digest)
	} else if body, err = blob.OpenOnce(ctx, m.store, b.Digest); errors.Is(err, blob.ErrNotFound) {
		return looked{damage: &blob.DamageError{Damage: blob.Missing, Reason: fmt.Sprintf("the store has no blob %s", b.Digest)}}, nil
	}
	if damage, ok := errors.AsType[*blob.DamageError](err); ok {
		return looked{damage: damage}, nil
	}
	if err != nil {
		return looked{}, err
	}
	var read io.Reader = body
	if m.rate > 0 {
		read = &paced{ctx: ctx, r: body, rate: m.rate, began: time.Now()}
	}
	sum, err := blob.Sum(ctx, read, blob.Limits{Length: -1})
	if err = errors.Join(err, body.Close()); err != nil {
		return looked{}, fmt.Errorf("reading %s: %w", b.Digest, err)
	}
	damage, wrong := errors.AsType[*blob.DamageError](blob.Verify(b.Digest, sum.Digest))
	if wrong && b.Size >= 0 && sum.Size != b.Size {
		damage = &blob.DamageError{Damage: blob.OtherSize, Reason: fmt.Sprintf("the blob %s has %d bytes, not %d", b.Digest, sum.Size, b.Size)}
	}
	return looked{damage: damage, crc32: sum.CRC32}, nil // bytes with this digest are right, whatever size is on record
}

// lookSmall opens bytes that the database keeps. It has compared them.
func (m mender) lookSmall(ctx context.Context, d blob.Digest) (io.ReadCloser, error) {
	small, err := m.records.FindContent(ctx, d)
	if fault.Is(err, fault.NotFound) {
		return nil, &blob.DamageError{Damage: blob.Missing, Reason: fmt.Sprintf("the database has no bytes of %s", d)}
	}
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(small)), nil
}

// paced is a reader of no more than rate bytes a second since it began.
type paced struct {
	ctx   context.Context
	r     io.Reader
	rate  int64
	began time.Time
	read  int64
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	n, err := p.r.Read(b[:min(len(b), 256<<10)])
	p.read += int64(n)
	ahead := time.Duration(float64(p.read)/float64(p.rate)*float64(time.Second)) - time.Since(p.began)
	if ahead > 0 {
		select {
		case <-time.After(ahead):
		case <-p.ctx.Done():
		}
	}
	return n, err
}
