package records

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"granary/internal/blob"
)

// packing brings the packs of a journal up to date with the small bodies of the database.
type packing struct {
	*Journal
	retired map[string]time.Time

	bodies *Known   // in packs; the place is the pack's number
	packs  []*pack  // number 1 is the first
	made   []string // digests of new packs
}

// pack is a pack in the store.
type pack struct {
	digest blob.Digest
	alive  int64 // bytes of bodies that are still in the database
	keep   bool
}

// run packs the bodies that are in no pack, and again those of packs that are less than half
// full of bodies that are still needed. It returns the digests of all packs that have a body
// of the database.
func (p *packing) run(ctx context.Context) (digests []string, err error) {
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	err = eachSmall(ctx, p.Database, func(row BlobRow) error {
		if pack := p.packOf(row); pack != nil {
			pack.alive += row.Size
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, pack := range p.packs {
		if pack.keep = pack.alive >= PackSize/2; pack.keep {
			digests = append(digests, pack.digest.String())
		}
	}
	if err := p.packRest(ctx); err != nil {
		return nil, err
	}
	return append(digests, p.made...), nil
}

// look reads the indexes of the packs. One that is damaged, also if only Renew says so, or was
// retired, does not count.
func (p *packing) look(ctx context.Context) error {
	p.bodies = NewKnown()
	for note, err := range p.Store.Notes(ctx, packPrefix) {
		if err != nil {
			return err
		}
		digest, ok := packIn(note.Name)
		if _, retired := p.retired[note.Name]; retired || !ok || slices.Contains(p.damage.Packs, digest.String()) {
			continue
		}
		index, err := PackIndexIn(ctx, p.Store, note.Name)
		if errors.Is(err, ErrPack) || errors.Is(err, blob.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("the note %s: %w", note.Name, err)
		}
		p.packs = append(p.packs, &pack{digest: digest})
		for _, e := range index {
			p.bodies.Add(e.Digest, e.Size, int64(len(p.packs)))
		}
	}
	return nil
}

// PackIndexIn reads the index of the pack in a note: ErrPack if it is damaged or cannot be read,
// blob.ErrNotFound if there is no such note.
func PackIndexIn(ctx context.Context, from Notes, name string) ([]PackEntry, error) {
	note, err := from.Note(ctx, name)
	if err != nil {
		return nil, worn(err)
	}
	index, err := ReadPackIndex(note)
	return index, errors.Join(worn(err), note.Close())
}

// packOf is the pack that has a body; nil if none has.
func (p *packing) packOf(row BlobRow) *pack {
	number, has := p.bodies.Has(row.Digest, row.Size)
	if !has {
		return nil
	}
	return p.packs[number-1]
}

const smallAtOnce = 1000 // blobs in a query

// eachSmall passes on the blobs whose bytes are in the database.
func eachSmall(ctx context.Context, database Keeper, do func(BlobRow) error) error {
	for after := int64(0); ; {
		rows, err := database.SmallBlobs(ctx, after, smallAtOnce)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := do(row); err != nil {
				return err
			}
		}
		if len(rows) < smallAtOnce {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// bodiesBytes is how many bytes of bodies one query reads, unless it reads one body.
const bodiesBytes = 2 << 20

// packRest packs the bodies that are in no pack that is kept. Neighbours are read together.
func (p *packing) packRest(ctx context.Context) error {
	var run []BlobRow
	var size int64
	flush := func() error {
		err := p.packRun(ctx, run)
		run, size = run[:0], 0
		return err
	}
	err := eachSmall(ctx, p.Database, func(row BlobRow) error {
		kept := false
		if pack := p.packOf(row); pack != nil {
			kept = pack.keep
		}
		if kept || size+row.Size > bodiesBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		if !kept {
			run, size = append(run, row), size+row.Size
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err == nil && p.Journal.packer.Len() > 0 {
		err = p.finish(ctx)
	}
	return err
}

// packRun packs blobs that are neighbours in the database. Bytes in the database that are
// not what their digest says are left out: fsck tells.
func (p *packing) packRun(ctx context.Context, run []BlobRow) error {
	if len(run) == 0 {
		return nil
	}
	bodies, err := p.Database.Bodies(ctx, run[0].ID, run[len(run)-1].ID)
	if err != nil {
		return err
	}
	for _, row := range run {
		for len(bodies) > 0 && bodies[0].BlobID < row.ID {
			bodies = bodies[1:]
		}
		if len(bodies) == 0 || bodies[0].BlobID != row.ID || sha256.Sum256(bodies[0].Bytes) != row.Digest {
			continue // it was swept meanwhile, or is damaged
		}
		if err := p.add(ctx, row.Digest, bodies[0].Bytes); err != nil {
			return err
		}
	}
	return nil
}

func (p *packing) add(ctx context.Context, d blob.Digest, body []byte) error {
	if p.Journal.packer.Add(d, body) {
		return nil
	}
	if err := p.finish(ctx); err != nil {
		return err
	}
	if !p.Journal.packer.Add(d, body) {
		return fmt.Errorf("the body %s has %d bytes, and no pack has room for it", d, len(body))
	}
	return nil
}

// finish puts the pack into the store.
func (p *packing) finish(ctx context.Context) error {
	digest, pack := p.Journal.packer.Finish()
	if err := p.Store.PutNote(ctx, packName(digest), bytes.NewReader(pack), int64(len(pack))); err != nil {
		return err
	}
	p.made = append(p.made, digest.String())
	p.at.wrote(packName(digest), int64(len(pack)))
	p.crashPoint("pack")
	return nil
}
