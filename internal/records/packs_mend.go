package records

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"granary/internal/blob"
)

// Mend makes a damaged pack again, byte for byte, from the bodies in it that are right, and
// from elsewhere those that are not: body returns the bytes of a digest, or blob.ErrNotFound.
// It is an ErrPack if the pack does not tell any more which bodies it had, or if one is not to
// be had. The Packer has to be empty, and is so afterwards; the bytes are valid until the next
// Add. It takes the memory of two packs.
func (p *Packer) Mend(damaged io.Reader, name blob.Digest, body func(blob.Digest) ([]byte, error)) ([]byte, error) {
	pack, entries, err := packAsItIs(damaged)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		var right []byte
		if end := e.Offset + e.Size; e.Size <= MaxBody && end <= int64(len(pack)) {
			right = pack[e.Offset:end]
		}
		if sha256.Sum256(right) != e.Digest {
			if right, err = body(e.Digest); errors.Is(err, blob.ErrNotFound) {
				err = badPack("the body %s is nowhere else", e.Digest)
			}
		}
		if err == nil && !p.Add(e.Digest, right) {
			err = badPack("the bodies that it names have no room in a pack")
		}
		if err != nil {
			p.bodies, p.index = p.bodies[:0], p.index[:0]
			return nil, err
		}
	}
	found, again := p.Finish()
	if found != name {
		return nil, badPack("it does not tell any more which bodies it had")
	}
	return again, nil
}

// packAsItIs reads a pack, as far as it can be read, and where its bodies are: by its index, or
// if that is damaged by the heads of the bodies.
func packAsItIs(r io.Reader) (pack []byte, entries []PackEntry, err error) {
	pack, err = io.ReadAll(io.LimitReader(r, PackSize+1))
	if err != nil && !errors.Is(err, blob.ErrUnreadable) {
		return nil, nil, fmt.Errorf("reading a pack: %w", err)
	}
	entries, err = ReadPackIndex(bytes.NewReader(pack))
	if errors.Is(err, ErrPack) {
		entries, err = headsOf(pack), nil
	}
	return pack, entries, err
}
