package client

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"os"
	"sync"

	"granary/internal/filelock"
)

// noteEvery is how many bytes of a part arrive between two notes.
const noteEvery = 8 << 20

// partial is an incomplete file. After its last byte it records, in 8 bytes for each
// part, how far that part has come. A record is written after its bytes, so that it
// never claims too much to a download that resumes.
type partial struct {
	root *os.Root
	name string
	f    *os.File
	size int64

	mu    sync.Mutex
	more  *sync.Cond // a part has grown, or the download ended
	parts []span
	ended bool
}

// span is a part of a file, of which all before at has arrived.
type span struct{ from, at, to, noted int64 }

// openPartial opens the partial file of an earlier download of the same bytes, or
// makes one. If another process uses it now, openPartial makes a separate one.
func openPartial(root *os.Root, name string, of File) (*partial, error) {
	p := &partial{root: root, size: of.Size, name: resumableName(name, of.SHA256)}
	p.more = sync.NewCond(&p.mu)
	p.divide()
	for range 3 {
		mine, err := p.lock()
		if err != nil {
			return nil, err
		}
		if mine {
			return p, p.resume()
		}
	}
	p, err := newPartial(root, name, of.Size)
	if err != nil {
		return nil, err
	}
	p.divide()
	return p, p.resume()
}

// newPartial makes a file that no other process resumes.
func newPartial(root *os.Root, name string, size int64) (*partial, error) {
	p := &partial{root: root, size: size}
	p.more = sync.NewCond(&p.mu)
	for range 100 {
		p.name = partialName(name, rand.Text()[:markLength])
		mine, err := p.lock()
		if mine || err != nil {
			return p, err
		} // a sweep removed it before the lock
	}
	return nil, fmt.Errorf("other processes keep removing %s", p.name)
}

func (p *partial) divide() {
	n := max(1, min(mostParts, p.size/segment))
	for i := range n {
		p.parts = append(p.parts, span{from: p.size / n * i, at: p.size / n * i, to: p.size / n * (i + 1)})
	}
	p.parts[n-1].to = p.size
}

// lock opens the file and makes sure that no other process writes to it: one
// that is about to give it its final name, say.
func (p *partial) lock() (mine bool, err error) { return p.lockAs(os.O_RDWR | os.O_CREATE) }

func (p *partial) lockAs(flags int) (mine bool, err error) {
	if p.f, err = p.root.OpenFile(p.name, flags, 0o666); err != nil {
		return false, err
	}
	opened, err := p.f.Stat()
	if err == nil && !opened.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", p.name)
	}
	if err != nil {
		return false, errors.Join(err, p.f.Close())
	}
	mine, err = filelock.Try(p.f)
	if err != nil {
		return false, errors.Join(fmt.Errorf("cannot lock %s: %w", p.name, err), p.f.Close())
	}
	if mine {
		named, statErr := p.root.Stat(p.name)
		if statErr == nil && os.SameFile(opened, named) {
			return true, nil
		}
	}
	return false, p.f.Close()
}

// resume reads the notes. A file without them is begun anew.
func (p *partial) resume() error {
	notes := make([]byte, 8*len(p.parts))
	info, err := p.f.Stat()
	if err == nil && info.Size() == p.size+int64(len(notes)) {
		if _, err = p.f.ReadAt(notes, p.size); err == nil && p.believe(notes) {
			return nil
		}
	}
	if err == nil && info.Size() > 0 { // ext4 writes a file that was cut to nothing down when it is closed
		err = p.f.Truncate(0)
	}
	if err == nil {
		err = p.note()
	}
	if err != nil {
		return errors.Join(err, p.f.Close())
	}
	return nil
}

func (p *partial) believe(notes []byte) bool {
	for i, s := range p.parts {
		at := int64(binary.LittleEndian.Uint64(notes[8*i:]))
		if at < s.from || at > s.to {
			return false
		}
	}
	for i := range p.parts {
		p.parts[i].at = int64(binary.LittleEndian.Uint64(notes[8*i:]))
		p.parts[i].noted = p.parts[i].at
	}
	return true
}

// note writes down how far the parts have come.
func (p *partial) note() error {
	p.mu.Lock()
	notes := make([]byte, 0, 8*len(p.parts))
	for i := range p.parts {
		notes = binary.LittleEndian.AppendUint64(notes, uint64(p.parts[i].at))
		p.parts[i].noted = p.parts[i].at
	}
	p.mu.Unlock()
	_, err := p.f.WriteAt(notes, p.size)
	return err
}

// write adds to a part.
func (p *partial) write(i int, b []byte) (int, error) {
	n, err := p.f.WriteAt(b, p.parts[i].at) // only this goroutine moves it
	p.mu.Lock()
	p.parts[i].at += int64(n)
	due := p.parts[i].at-p.parts[i].noted >= noteEvery
	p.more.Broadcast()
	p.mu.Unlock()
	if err == nil && due {
		err = p.note()
	}
	return n, err
}

// missing is what of a part has not arrived.
func (p *partial) missing(i int) (from, to int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.parts[i].at, p.parts[i].to
}

// arrived is how many bytes have.
func (p *partial) arrived() (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.parts {
		n += s.at - s.from
	}
	return n
}

// end wakes the followers: no more bytes come.
func (p *partial) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.more.Broadcast()
}

// follow hashes the file from its beginning as it arrives, and returns at its end, or
// when no more bytes come.
func (p *partial) follow(sum hash.Hash) error {
	buffer := make([]byte, 256<<10)
	for at := int64(0); at < p.size; {
		n := min(p.await(at)-at, int64(len(buffer)))
		if n == 0 {
			return nil
		}
		if _, err := p.f.ReadAt(buffer[:n], at); err != nil {
			return err
		}
		sum.Write(buffer[:n])
		at += n
	}
	return nil
}

// await waits until the byte at an offset is there, and returns up to where all bytes
// are there. It returns the offset itself if no more bytes come.
func (p *partial) await(offset int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for _, s := range p.parts {
			if s.from <= offset && offset < s.at {
				return s.at
			}
		}
		if p.ended {
			return offset
		}
		p.more.Wait()
	}
}

func (p *partial) close() { _ = p.f.Close() } // what it holds has been checked, or will be
