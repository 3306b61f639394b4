package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"
)

const smallSize = 4 << 10

// bodies makes contents that never repeat, in this run or between runs: a
// server that stores by content must not find any of them there already.
type bodies struct {
	noise [smallSize]byte
	next  atomic.Uint64
}

func newBodies() *bodies {
	b := new(bodies)
	_, _ = newNoise().Read(b.noise[:]) // never fails
	b.next.Store(uint64(time.Now().UnixNano()))
	return b
}

// newNoise is random, so that no layer compresses it, and always the same.
func newNoise() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{}) }

// of is a body of so many bytes, at most smallSize more than a head has.
func (b *bodies) of(h *head, size int64) body {
	if size <= smallSize {
		return b.small()
	}
	return body{&head{h.file, size - smallSize}, b.small().tail}
}

// body is what a PUT sends: the head from a file, then the tail.
type body struct {
	head *head // nil: none
	tail []byte
}

// head is a file that many bodies begin with; their tails tell them apart.
type head struct {
	file string
	size int64
}

func (b body) size() int64 {
	if b.head == nil {
		return int64(len(b.tail))
	}
	return b.head.size + int64(len(b.tail))
}

// open is the body, readable at any offset. The caller closes it.
func (b body) open() (*io.SectionReader, io.Closer, error) {
	if b.head == nil {
		return io.NewSectionReader(bytes.NewReader(b.tail), 0, b.size()), io.NopCloser(nil), nil
	}
	f, err := os.Open(b.head.file)
	if err != nil {
		return nil, nil, err
	}
	return io.NewSectionReader(joined{f, b.head.size, b.tail}, 0, b.size()), f, nil
}

// joined is a file and what comes after it.
type joined struct {
	head io.ReaderAt
	size int64 // of the head
	tail []byte
}

// ReadAt implements io.ReaderAt.
func (j joined) ReadAt(p []byte, at int64) (n int, err error) {
	if at < j.size {
		n, err = j.head.ReadAt(p[:min(int64(len(p)), j.size-at)], at)
		if err != nil || n == len(p) {
			return n, err
		}
	}
	end := n
	end += copy(p[n:], j.tail[min(at+int64(n)-j.size, int64(len(j.tail))):])
	if end < len(p) {
		err = io.EOF
	}
	return end, err
}

// small is a new body, without a file.
func (b *bodies) small() body { return body{tail: b.unique()} }

// large is a new body that begins with h.
func (b *bodies) large(h *head) body { return body{head: h, tail: b.unique()} }

func (b *bodies) unique() []byte {
	tail := make([]byte, smallSize)
	copy(tail, b.noise[:])
	binary.LittleEndian.PutUint64(tail, b.next.Add(1))
	return tail
}

// newHead writes the file for bodies of that many bytes in all.
func newHead(file string, bodySize int64) (*head, error) {
	h := &head{file: file, size: bodySize - smallSize}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := io.CopyN(w, newNoise(), h.size); err != nil {
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return h, f.Sync() // so that writing it back is over before anything is timed
}
