package daemon

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"granary/internal/blob"
	"granary/internal/records"
)

// packedBodies says where small bodies are in the packs of a store, in 16 bytes for each.
type packedBodies struct {
	notes   []string // of the packs, the likeliest first
	bodies  []packedBody
	damaged int // packs that have no index
}

// packedBody is where a body is: it may be one of another digest that begins alike.
type packedBody struct {
	begin  uint64 // of the digest
	pack   uint32 // index of its note
	offset uint32 // a pack has at most records.PackSize bytes
}

func beginOf(d blob.Digest) uint64 { return binary.BigEndian.Uint64(d[:]) }

// readPacked reads the indexes of all packs.
func readPacked(ctx context.Context, from blob.Source) (*packedBodies, error) {
	notes, err := packNotes(ctx, from)
	if err != nil {
		return nil, err
	}
	p := &packedBodies{notes: notes}
	for i, note := range notes {
		index, err := records.PackIndexIn(ctx, from, note)
		if errors.Is(err, records.ErrPack) || errors.Is(err, blob.ErrNotFound) {
			p.damaged++
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", packName(note), err)
		}
		for _, e := range index {
			p.bodies = append(p.bodies, packedBody{beginOf(e.Digest), uint32(i), uint32(e.Offset)}) //nolint:gosec // as many packs are not in a store, nor so many bytes in a pack
		}
	}
	slices.SortFunc(p.bodies, func(a, b packedBody) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.pack, b.pack))
	})
	return p, nil
}

// copies are where a body may be, the newest first.
func (p *packedBodies) copies(from blob.Source, b Wanted) (all []Copy) {
	begin := beginOf(b.Digest)
	at, _ := slices.BinarySearchFunc(p.bodies, begin, func(body packedBody, begin uint64) int { return cmp.Compare(body.begin, begin) })
	for ; at < len(p.bodies) && p.bodies[at].begin == begin; at++ {
		body := p.bodies[at]
		note := p.notes[body.pack]
		all = append(all, Copy{Where: packName(note), Open: func(ctx context.Context) (io.ReadCloser, error) {
			return bodyIn(ctx, from, note, int64(body.offset), b.Size)
		}})
	}
	if p.damaged > 0 && len(all) == 0 {
		all = append(all, Copy{Where: fmt.Sprintf("%d packs", p.damaged), Open: func(context.Context) (io.ReadCloser, error) {
			return nil, errors.New("their indexes are damaged or missing")
		}})
	}
	return all
}
