package records

import (
	"crypto/sha256"
	"encoding/binary"

	"granary/internal/blob"
)

// A pack is many small bodies in one file, which is named by the SHA-256 of its bytes. All
// numbers are big-endian:
//
//	granary pack 1\n
//	for each body      its digest (32 bytes), its length (4), its bytes
//	end of the bodies  32 zero bytes, ff ff ff ff
//	index              for each body its digest (32), where its bytes begin (4), its length (4)
//	number of bodies (4)
//	SHA-256 of the index and the number (32)
const (
	packMagic = "granary pack 1\n"

	headSize  = sha256.Size + 4
	entrySize = sha256.Size + 8
	tailSize  = 4 + sha256.Size

	noLength = 0xffffffff // the length that ends the bodies
)

const (
	// PackSize is the largest pack in bytes. One is made in memory: its name and its size
	// have to be known before a store takes it.
	PackSize = 16 << 20

	// MaxBody is the largest body in a pack, in bytes: the largest that a setting lets into
	// the database.
	MaxBody = 1 << 20
)

// PackEntry says where a body is in a pack.
type PackEntry struct {
	Digest blob.Digest
	Offset int64 // of its first byte
	Size   int64 // bytes
}

// Packer makes packs, one after the other, in the same memory: PackSize bytes. The zero
// value is ready. It is used by one goroutine.
type Packer struct {
	bodies []byte // with magic and heads
	index  []byte
}

// Add puts a body of at most MaxBody bytes into the pack, and reports whether it had room.
// If not, Finish is due. The caller has made sure that the body has the digest.
func (p *Packer) Add(d blob.Digest, body []byte) bool {
	p.begin()
	after := len(p.bodies) + headSize + len(body) + headSize + len(p.index) + entrySize + tailSize
	if after > PackSize || len(body) > MaxBody {
		return false
	}
	p.bodies = append(p.bodies, d[:]...)
	p.bodies = binary.BigEndian.AppendUint32(p.bodies, uint32(len(body))) //nolint:gosec // at most MaxBody
	p.index = append(p.index, d[:]...)
	p.index = binary.BigEndian.AppendUint32(p.index, uint32(len(p.bodies))) //nolint:gosec // at most PackSize
	p.index = binary.BigEndian.AppendUint32(p.index, uint32(len(body)))     //nolint:gosec // likewise
	p.bodies = append(p.bodies, body...)
	return true
}

// begin begins a pack, unless one has begun.
func (p *Packer) begin() {
	if p.bodies == nil {
		p.bodies = make([]byte, 0, PackSize)
	}
	if len(p.bodies) == 0 {
		p.bodies = append(p.bodies, packMagic...)
	}
}

// Len is the number of bodies in the pack.
func (p *Packer) Len() int { return len(p.index) / entrySize }

// Finish ends the pack and returns its bytes and their digest. The bytes are valid until
// the next Add, which begins another pack.
func (p *Packer) Finish() (blob.Digest, []byte) {
	p.begin()
	number := p.Len()
	pack := append(p.bodies, make([]byte, sha256.Size)...)
	pack = binary.BigEndian.AppendUint32(pack, noLength)
	begins := len(pack)
	pack = append(pack, p.index...)
	pack = binary.BigEndian.AppendUint32(pack, uint32(number)) //nolint:gosec // they fit into PackSize
	sum := sha256.Sum256(pack[begins:])
	pack = append(pack, sum[:]...)
	p.bodies, p.index = p.bodies[:0], p.index[:0]
	return sha256.Sum256(pack), pack
}
