package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"granary/internal/blob"
)

// Limits of Amazon's multipart uploads; others have the same.
const (
	leastPart = 5 << 20 // bytes, but for the last part
	mostParts = 10_000
)

// largePart is the largest part of an upload if memory is free. Each part costs the
// store a request, and many stores a sync; beyond this size there is little to save.
const largePart = 16 << 20

// partSize is how many bytes the n-th part of an upload takes, n from 0, if its first
// one takes least and the sender declared size (negative for unknown).
//
// A declared size is cut evenly if ten thousand parts of least are not enough;
// without one, parts grow by 2 MiB every thousand, which ends at 136 GiB.
func partSize(n int, size, least int64) int64 {
	if size < 0 {
		return max(least, leastPart+int64(n/1000)*(2<<20))
	}
	return max(least, (size+mostParts-1)/mostParts)
}

// memory is what all uploads of a store may hold at once. A part takes memory for
// its full size before its first byte, and an upload that waits for memory holds only
// parts that are being sent: so no upload waits for ever, and each gets its turn.
type memory struct {
	room  *semaphore.Weighted
	total int64        // bytes
	taken atomic.Int64 // bytes, by all parts
	slabs chan *slab   // not in use now; kept, so that garbage does not double them
}

// slab is the unit in which memory is handed out, so that a small body in a large part
// costs little.
type slab [slabSize]byte

const (
	slabSize = 256 << 10
	mostWait = time.Minute // for room; slow senders may hold it for long
)

var errBusy = errors.New("no memory for another upload; try again, or raise upload_memory")

func newMemory(total int64) *memory {
	if total == 0 {
		total = defaultMemory
	}
	return &memory{room: semaphore.NewWeighted(total), total: total, slabs: make(chan *slab, total/slabSize)}
}

// firstPart is how many bytes the first part of an upload should take: a third of the
// free memory, so that one part fills while two are being sent. So a single upload is
// fast, and many concurrent ones get the smallest parts.
func (m *memory) firstPart() int64 {
	third := (m.total - m.taken.Load()) / 3
	return min(max(third/(1<<20)*(1<<20), leastPart), largePart)
}

// part takes room for a part of up to most bytes, and waits for it.
func (m *memory) part(ctx context.Context, most int64) (*part, error) {
	room := (most + slabSize - 1) / slabSize * slabSize
	if room > m.total {
		return nil, fmt.Errorf("%w: parts of %d bytes do not fit into upload_memory", blob.ErrTooLarge, most)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, mostWait, errBusy)
	defer cancel()
	if err := m.room.Acquire(ctx, room); err != nil {
		return nil, context.Cause(ctx)
	}
	m.taken.Add(room)
	return &part{memory: m, room: room, most: most}, nil
}

func (m *memory) slab() *slab {
	select {
	case s := <-m.slabs:
		return s
	default:
		return new(slab)
	}
}

// part is a piece of a body in memory: written, then read as often as it is
// sent, then freed.
type part struct {
	memory *memory
	room   int64 // bytes it took from memory
	most   int64 // bytes it may hold
	size   int64 // bytes written
	at     int64 // bytes read
	slabs  []*slab
}

// fill appends what fits of p and reports how much that was.
func (p *part) fill(b []byte) (n int) {
	for n < len(b) && p.size < p.most {
		if p.size == int64(len(p.slabs))*slabSize {
			p.slabs = append(p.slabs, p.memory.slab())
		}
		into := p.slabs[p.size/slabSize][p.size%slabSize:]
		m := copy(into[:min(int64(len(into)), p.most-p.size)], b[n:])
		n += m
		p.size += int64(m)
	}
	return n
}

func (p *part) full() bool { return p.size == p.most }

// Read implements io.Reader.
func (p *part) Read(b []byte) (int, error) {
	if p.at == p.size {
		return 0, io.EOF
	}
	from := p.slabs[p.at/slabSize][p.at%slabSize:]
	n := copy(b, from[:min(int64(len(from)), p.size-p.at)])
	p.at += int64(n)
	return n, nil
}

// Seek goes back to the start, for another try at sending; it can do no more.
func (p *part) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, errors.New("a part can be read only from its start")
	}
	p.at = 0
	return 0, nil
}

// free gives the memory back. No reader may use the part any more.
func (p *part) free() {
	for _, s := range p.slabs {
		select {
		case p.memory.slabs <- s:
		default: // full: the total is no whole number of slabs
		}
	}
	p.slabs = nil
	p.memory.taken.Add(-p.room)
	p.memory.room.Release(p.room)
}
