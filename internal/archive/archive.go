// Package archive makes archives of files that are opened when their bytes are read. The
// size of an archive and the place of each file are known before a byte is read.
package archive

import (
	"fmt"
	"io"
	"io/fs"
	"sort"
	"time"
)

// Entry is a file of an archive.
type Entry struct {
	Path    string    // relative, with slashes
	Size    int64     // bytes
	CRC32   uint32    // IEEE; only NewZip needs it
	Changed time.Time // whole seconds are kept
}

// Opener opens the file of the i-th entry at its start. An archive opens one file at a
// time, when it needs a byte of it. It opens no file of 0 bytes.
type Opener func(i int) (io.ReadSeekCloser, error)

// Reader reads an archive from any offset, for one goroutine. Apart from the entries it
// keeps at most three offsets per entry: it makes the bytes between the files when they
// are read.
//
// If a file cannot be opened or read, or has more or fewer bytes than its entry says,
// this Read and all later ones fail.
type Reader struct {
	layout
	entries []Entry
	open    Opener

	at    int64 // of the next byte
	err   error // of all further reads
	frame frame // the last one that was read
	file  file  // the open one
}

// layout divides an archive into segments without gaps. For n entries the segments 1, 3,
// ... 2n-1 are the files; all others are frames: headers, padding, a directory.
type layout struct {
	starts  []int64                  // of each segment; the last number is the archive's size
	frameOf func(segment int) []byte // makes the bytes of a frame
}

// frame holds the bytes of a segment that is no file.
type frame struct {
	segment int
	bytes   []byte
}

// file is an open file; there is none if content is nil.
type file struct {
	segment int
	content io.ReadSeekCloser
	at      int64 // of the next byte
}

// Size is the archive's size in bytes.
func (r *Reader) Size() int64 { return r.starts[len(r.starts)-1] }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, r.err
	}
	for n < len(p) && r.err == nil && r.at < r.Size() {
		var read int
		read, r.err = r.segment(p[n:])
		n += read
		r.at += int64(read)
	}
	if n == 0 && r.err == nil {
		return 0, io.EOF
	}
	return n, r.err
}

// segment reads from the segment that holds the next byte.
func (r *Reader) segment(p []byte) (int, error) {
	s := sort.Search(len(r.starts)-1, func(i int) bool { return r.starts[i+1] > r.at })
	offset := r.at - r.starts[s]
	p = p[:min(int64(len(p)), r.starts[s+1]-r.at)]
	if s%2 == 1 && s < 2*len(r.entries) {
		return r.content(s, offset, p)
	}
	if r.frame.bytes == nil || r.frame.segment != s {
		r.frame = frame{s, r.frameOf(s)}
	}
	return copy(p, r.frame.bytes[offset:]), nil
}

// content fills p from the file of a segment.
func (r *Reader) content(segment int, offset int64, p []byte) (int, error) {
	entry := &r.entries[segment/2]
	if r.file.content == nil || r.file.segment != segment {
		r.closeFile()
		content, err := openEntry(entry, segment/2, r.open)
		if err != nil {
			return 0, inFile(entry, err)
		}
		r.file = file{segment, content, 0}
	}
	if r.file.at != offset {
		if _, err := r.file.content.Seek(offset, io.SeekStart); err != nil {
			return 0, inFile(entry, err)
		}
	}
	n, err := io.ReadFull(r.file.content, p)
	r.file.at = offset + int64(n)
	if r.file.at == entry.Size {
		r.closeFile()
	}
	if err != nil {
		return n, inFile(entry, err)
	}
	return n, nil
}

func (r *Reader) closeFile() {
	if r.file.content != nil {
		_ = r.file.content.Close() // it was only read
	}
	r.file = file{}
}

// Seek implements io.Seeker. It opens nothing.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.Size()
	default:
		return 0, fmt.Errorf("seeking in an archive: %d is no whence", whence)
	}
	if offset < 0 {
		return 0, fmt.Errorf("seeking in an archive: offset %d is before its start", offset)
	}
	r.at = offset
	return offset, nil
}

// Close closes the open file. All later reads fail.
func (r *Reader) Close() error {
	r.closeFile()
	if r.err == nil {
		r.err = fs.ErrClosed
	}
	return nil
}

// openEntry opens a file at its start, and fails if it has another size than its entry.
func openEntry(e *Entry, i int, open Opener) (io.ReadSeekCloser, error) {
	content, err := open(i)
	if err != nil {
		return nil, err
	}
	size, err := content.Seek(0, io.SeekEnd)
	if err == nil && size != e.Size {
		err = fmt.Errorf("it has %d bytes, not %d", size, e.Size)
	}
	if err == nil {
		_, err = content.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = content.Close() // nothing was read
		return nil, err
	}
	return content, nil
}

// inFile wraps an error of an entry's file. io.EOF becomes io.ErrUnexpectedEOF, because
// io.EOF would end the archive.
func inFile(e *Entry, err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%q in an archive: %w", e.Path, err)
}
