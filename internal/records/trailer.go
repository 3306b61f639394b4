package records

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
)

// A trailer is the last frame of a file: a skippable frame of zstd with the SHA-256 of
// all bytes before it. zstd's own checksum does not cover its headers.
const (
	trailerMagic  = 0x184D2A50
	trailerLength = 8 + sha256.Size
)

func appendTrailer(b []byte, sum []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, trailerMagic)
	b = binary.LittleEndian.AppendUint32(b, sha256.Size)
	return append(b, sum...)
}

// trailing writes, and sums what it writes.
type trailing struct {
	to  io.Writer
	sum hash.Hash
}

func (t *trailing) Write(p []byte) (int, error) {
	n, err := t.to.Write(p)
	t.sum.Write(p[:n])
	return n, err
}

// end writes the trailer.
func (t *trailing) end() error {
	_, err := t.to.Write(appendTrailer(nil, t.sum.Sum(nil)))
	return err
}

// errNotWhole is the error of a file that is not as it was written.
var errNotWhole = errors.New("the file is cut short or damaged: its last bytes are not the checksum of those before them")

// trailed reads what is before the trailer. At the end it compares the trailer, and
// returns errNotWhole in place of io.EOF if it does not fit.
type trailed struct {
	from io.Reader
	sum  hash.Hash
	buf  []byte // read and not yet passed on; the last bytes may be the trailer
	err  error  // of from
}

const trailedBuffer = 64 << 10

func (t *trailed) Read(p []byte) (int, error) {
	for len(t.buf) <= trailerLength {
		if t.err != nil {
			return 0, t.ended()
		}
		t.fill()
	}
	n := copy(p, t.buf[:len(t.buf)-trailerLength])
	t.sum.Write(p[:n])
	t.buf = t.buf[n:]
	return n, nil
}

func (t *trailed) fill() {
	held := len(t.buf)
	buf := make([]byte, trailerLength+trailedBuffer)
	copy(buf, t.buf)
	n, err := t.from.Read(buf[held:])
	t.buf, t.err = buf[:held+n], err
}

func (t *trailed) ended() error {
	if t.err != io.EOF {
		return t.err
	}
	if !bytes.Equal(t.buf, appendTrailer(nil, t.sum.Sum(nil))) {
		return errNotWhole
	}
	return io.EOF
}
