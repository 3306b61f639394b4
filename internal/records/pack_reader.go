package records

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"granary/internal/blob"
)

// ErrPack is what every error about the bytes of a pack is to errors.Is. An error of the
// store that the pack comes from is not.
var ErrPack = errors.New("the pack is damaged")

func badPack(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrPack}, args...)...)
}

// ReadPack reads the pack of a name to its end and passes on each body, valid until the
// next, after comparing it with its digest. What is passed on is right even if the pack
// turns out later to be damaged; which is an ErrPack. An error of each ends the reading.
func ReadPack(r io.Reader, name blob.Digest, each func(d blob.Digest, body []byte) error) error {
	p := &packReading{all: sha256.New(), index: sha256.New()}
	p.r = bufio.NewReaderSize(r, 64<<10)
	magic, err := p.take(len(packMagic))
	if err != nil {
		return err
	}
	if string(magic) != packMagic {
		return badPack("it begins with %q instead of %q", magic, packMagic)
	}
	if err := p.bodies(each); err != nil {
		return err
	}
	if err := p.compareIndex(); err != nil {
		return err
	}
	if _, err := p.r.ReadByte(); err != io.EOF {
		if err != nil {
			return fmt.Errorf("reading a pack: %w", err)
		}
		return badPack("something follows its end")
	}
	if found := blob.Digest(p.all.Sum(nil)); found != name {
		return badPack("its bytes have the SHA-256 %s, not %s as in its name", found, name)
	}
	return nil
}

// packReading is a pack that is read from its start.
type packReading struct {
	r     *bufio.Reader
	at    int64
	buf   []byte
	all   hash.Hash // of all bytes so far
	index hash.Hash // of the index as the bodies say that it should be
	count uint32    // bodies
}

// take reads so many bytes, valid until the next take.
func (p *packReading) take(n int) ([]byte, error) {
	if cap(p.buf) < n {
		p.buf = make([]byte, n)
	}
	b := p.buf[:n]
	read, err := io.ReadFull(p.r, b)
	p.at += int64(read)
	switch {
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, badPack("it ends after %d bytes, in the middle", p.at)
	case err != nil:
		return nil, fmt.Errorf("reading a pack: %w", err)
	}
	p.all.Write(b)
	return b, nil
}

func (p *packReading) bodies(each func(blob.Digest, []byte) error) error {
	for {
		head, err := p.take(headSize)
		if err != nil {
			return err
		}
		d, size := blob.Digest(head[:sha256.Size]), binary.BigEndian.Uint32(head[sha256.Size:])
		if size == noLength && d == (blob.Digest{}) {
			return nil
		}
		if size > MaxBody || p.at > PackSize {
			return badPack("at byte %d it has a body of %d bytes; at most %d are possible, %d in a pack", p.at, size, MaxBody, PackSize)
		}
		p.expect(d, size)
		body, err := p.take(int(size))
		if err != nil {
			return err
		}
		if found := blob.Digest(sha256.Sum256(body)); found != d {
			return badPack("the body %s has the SHA-256 %s", d, found)
		}
		if err := each(d, body); err != nil {
			return err
		}
	}
}

// expect adds to the index the body that begins here.
func (p *packReading) expect(d blob.Digest, size uint32) {
	entry := append(make([]byte, 0, entrySize), d[:]...)
	entry = binary.BigEndian.AppendUint32(entry, uint32(p.at)) //nolint:gosec // at most PackSize
	p.index.Write(binary.BigEndian.AppendUint32(entry, size))
	p.count++
}

// compareIndex reads the index and the tail. It needs no memory for them: their checksum
// has to be that of the bodies that were read.
func (p *packReading) compareIndex() error {
	for range p.count {
		if _, err := p.take(entrySize); err != nil {
			return err
		}
	}
	tail, err := p.take(tailSize)
	if err != nil {
		return err
	}
	p.index.Write(binary.BigEndian.AppendUint32(nil, p.count))
	if number := binary.BigEndian.Uint32(tail); number != p.count || !bytes.Equal(tail[4:], p.index.Sum(nil)) {
		return badPack("its index is not that of its %d bodies", p.count)
	}
	return nil
}

// ReadPackIndex reads where the bodies of a pack are, in the order of the pack. It reads no
// body: whether one is right shows when it is read. A pack whose index is not whole is an
// ErrPack.
func ReadPackIndex(r io.ReadSeeker) ([]PackEntry, error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("reading a pack: %w", err)
	}
	least := int64(len(packMagic) + headSize + tailSize)
	if size < least || size > PackSize {
		return nil, badPack("it has %d bytes; a pack has %d to %d", size, least, PackSize)
	}
	tail, err := readAt(r, size-tailSize, tailSize)
	if err != nil {
		return nil, err
	}
	number := int64(binary.BigEndian.Uint32(tail))
	begins := size - tailSize - number*entrySize
	if begins < int64(len(packMagic)+headSize) {
		return nil, badPack("its index of %d bodies is larger than the pack", number)
	}
	index, err := readAt(r, begins, number*entrySize)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	sum.Write(index)
	sum.Write(tail[:4])
	if !bytes.Equal(sum.Sum(nil), tail[4:]) {
		return nil, badPack("its index is not what its checksum says")
	}
	return entriesOf(index), nil
}

func readAt(r io.ReadSeeker, offset, size int64) ([]byte, error) {
	b := make([]byte, size)
	_, err := r.Seek(offset, io.SeekStart)
	if err == nil {
		_, err = io.ReadFull(r, b)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a pack: %w", err)
	}
	return b, nil
}

func entriesOf(index []byte) []PackEntry {
	entries := make([]PackEntry, 0, len(index)/entrySize)
	for len(index) > 0 {
		rest := index[sha256.Size:]
		entries = append(entries, PackEntry{
			Digest: blob.Digest(index[:sha256.Size]),
			Offset: int64(binary.BigEndian.Uint32(rest)),
			Size:   int64(binary.BigEndian.Uint32(rest[4:])),
		})
		index = index[entrySize:]
	}
	return entries
}
