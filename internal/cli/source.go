package cli

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// source is a local file, and what it is called in a package.
type source struct {
	local string
	path  string // with slashes
	size  int64  // in bytes
	info  os.FileInfo
	label string // what people call it, "" for local
}

func (s source) String() string { return onOneLine(cmp.Or(s.label, s.local)) }

var errChanged = errors.New("the file changed since it was checked; it was not published")

// open reads the file from its start. It fails if the file has changed since it was
// found, and checks that again before the last bytes.
func (s source) open() (io.ReadCloser, error) {
	f, err := os.Open(s.local)
	if e, ok := errors.AsType[*os.PathError](err); ok {
		err = fmt.Errorf("open %s: %w", s, e.Err) // on one line
	}
	if err != nil {
		return nil, err
	}
	r := &steadyFile{file: f, found: s.info}
	if err := r.unchanged(); err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	return r, nil
}

// sum is the file's SHA-256 in hex.
func (s source) sum() (string, error) {
	f, err := s.open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, _, err := sumOf(f, s.size)
	return sum, err
}

// read is the bytes of a file that is small.
func (s source) read() ([]byte, error) {
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, s.size+1) // with room to see its end
	n, err := io.ReadFull(f, data)
	switch {
	case err == nil || int64(n) != s.size && (err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)):
		return nil, errChanged
	case err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, err
	}
	return data[:n], nil
}

func sumOfBytes(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// steadyFile is a file that must not change while it is read. A write in place changes
// its time, its length, or both; resetting the time changes the inode's change time.
type steadyFile struct {
	file  *os.File
	found os.FileInfo
	read  int64
}

// Close closes the file.
func (f *steadyFile) Close() error { return f.file.Close() }

func (f *steadyFile) Read(p []byte) (int, error) {
	n, err := f.file.Read(p)
	f.read += int64(n)
	if err == io.EOF || f.read >= f.found.Size() {
		if changed := f.unchanged(); changed != nil {
			return 0, changed
		}
	}
	return n, err
}

func (f *steadyFile) unchanged() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(info, f.found) || info.Size() != f.found.Size() || !info.ModTime().Equal(f.found.ModTime()) || changedInPlace(f.found, info) {
		return errChanged
	}
	return nil
}

// sumOf is the SHA-256 in hex and the length of what is left of a file, which should
// be so many bytes.
func sumOf(r io.Reader, size int64) (string, int64, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, min(256<<10, size+1)))
	return hex.EncodeToString(h.Sum(nil)), n, err
}
