package blob

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // a sender's choice; what names a blob is its SHA-256
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha512"
	"hash"
	"hash/adler32"
	"hash/crc32"
)

// Algorithm is a way to compute a checksum, by the name that people know it by.
type Algorithm string

// The algorithms of checksums that are compared. SHA256 is that of a Digest.
const (
	SHA256  Algorithm = "SHA-256"
	SHA512  Algorithm = "SHA-512"
	SHA1    Algorithm = "SHA-1"
	MD5     Algorithm = "MD5"
	CRC32C  Algorithm = "CRC-32C"
	Adler32 Algorithm = "Adler-32"
)

// Size is the length of a checksum in bytes.
func (a Algorithm) Size() int {
	switch a {
	case SHA256:
		return len(Digest{})
	case SHA512:
		return sha512.Size
	case SHA1:
		return sha1.Size
	case MD5:
		return md5.Size
	case CRC32C, Adler32:
		return 4
	}
	return 0
}

// Checksum is a digest that a sender declares, by another algorithm than SHA-256.
type Checksum struct {
	Algorithm Algorithm
	Sum       []byte // of the algorithm's size; of 32 bits, the high byte first
}

// checksums computes a body's CRC-32, and the checksums that were declared, in the same
// order.
type checksums struct {
	crc32    uint32
	declared []hash.Hash
}

func newChecksums(declared []Checksum) *checksums {
	s := &checksums{}
	for _, c := range declared {
		s.declared = append(s.declared, c.Algorithm.begin())
	}
	return s
}

func (a Algorithm) begin() hash.Hash {
	switch a {
	case SHA512:
		return sha512.New()
	case SHA1:
		return sha1.New() //nolint:gosec // see above
	case MD5:
		return md5.New() //nolint:gosec // see above
	case CRC32C:
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case Adler32:
		return adler32.New()
	}
	panic("blob: no checksum is called " + string(a))
}

func (s *checksums) write(b []byte) {
	s.crc32 = crc32.Update(s.crc32, crc32.IEEETable, b)
	for _, h := range s.declared {
		h.Write(b)
	}
}

// check is a *DigestError for the first that differs from what was declared.
func (s *checksums) check(declared []Checksum) error {
	for i, c := range declared {
		if sum := s.declared[i].Sum(nil); !bytes.Equal(sum, c.Sum) {
			return &DigestError{Algorithm: c.Algorithm, Declared: c.Sum, Computed: sum}
		}
	}
	return nil
}
