package archive

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// badly is a file that goes wrong in one way.
type badly struct {
	*io.SectionReader
	closed  *bool
	seekErr error // of every Seek
	readErr error // after size bytes, instead of more
	size    int64
}

func (b badly) Close() error { *b.closed = true; return nil }

func (b badly) Seek(offset int64, whence int) (int64, error) {
	if b.seekErr != nil {
		return 0, b.seekErr
	}
	return b.SectionReader.Seek(offset, whence)
}

func (b badly) Read(p []byte) (int, error) {
	at, _ := b.SectionReader.Seek(0, io.SeekCurrent)
	if at >= b.size && b.readErr != nil {
		return 0, b.readErr
	}
	return b.SectionReader.Read(p[:min(int64(len(p)), max(1, b.size-at))])
}

// TestBadFiles: an archive ends with an error at a file that is not what its entry says,
// whatever is asked for later.
func TestBadFiles(t *testing.T) {
	broken := errors.New("broken")
	section := func(size int64) *io.SectionReader { return io.NewSectionReader(zeros{}, 0, size) }
	for name, tc := range map[string]struct {
		file   badly
		failed error // of opening
		is     error
		says   string
		good   int64 // bytes that still come
	}{
		"missing":       {failed: fs.ErrNotExist, is: fs.ErrNotExist},
		"shorter":       {file: badly{SectionReader: section(999)}, says: `"bad" in an archive: it has 999 bytes, not 1000`},
		"longer":        {file: badly{SectionReader: section(1001)}, says: `"bad" in an archive: it has 1001 bytes, not 1000`},
		"empty":         {file: badly{SectionReader: section(0)}, says: `"bad" in an archive: it has 0 bytes, not 1000`},
		"cannot seek":   {file: badly{SectionReader: section(1000), seekErr: broken}, is: broken},
		"breaks off":    {file: badly{SectionReader: section(1000), readErr: broken, size: 600}, is: broken, good: 600},
		"ends early":    {file: badly{SectionReader: section(1000), readErr: io.EOF, size: 600}, is: io.ErrUnexpectedEOF, good: 600},
		"ends at once":  {file: badly{SectionReader: section(1000), readErr: io.EOF}, is: io.ErrUnexpectedEOF},
		"io.EOF opened": {failed: io.EOF, is: io.ErrUnexpectedEOF},
	} {
		closed := false
		tc.file.closed = &closed
		s := small()
		entries := append(slices.Clone(s.entries), Entry{"bad", 1000, 0, noon}, Entry{"after", 5, 0, noon})
		open := func(i int) (io.ReadSeekCloser, error) {
			if i < len(s.entries) {
				return s.opener(i)
			}
			if i > len(s.entries) {
				t.Error("the next file was opened")
			}
			if tc.failed != nil {
				return nil, tc.failed
			}
			return tc.file, nil
		}
		fits := func(err error) bool {
			return err != nil && err != io.EOF && (tc.is == nil || errors.Is(err, tc.is)) && strings.Contains(err.Error(), tc.says)
		}
		for kind, r := range map[string]*Reader{"tar": made(t)(NewTar(entries, open)), "zip": made(t)(NewZip(entries, open))} {
			closed = false
			got, err := io.ReadAll(r)
			if want := r.starts[2*len(s.entries)+1] + tc.good; !fits(err) || int64(len(got)) != want {
				t.Errorf("%s, %s: %d bytes, want %d: %v", name, kind, len(got), want, err)
			}
			for _, from := range []int64{0, r.at, r.Size()} {
				if _, err := r.Seek(from, io.SeekStart); err != nil {
					t.Error(err)
				}
				if n, again := r.Read(make([]byte, 100)); n != 0 || again != err {
					t.Errorf("%s, %s: a later read at %d: %d, %v", name, kind, from, n, again)
				}
			}
			if err := r.Close(); err != nil || s.open != 0 || !closed && tc.failed == nil {
				t.Errorf("%s, %s: %v, %d are open, closed %v", name, kind, err, s.open, closed)
			}
		}
		closed = false
		if _, err := CRC32(&entries[len(s.entries)], len(s.entries), open); !fits(err) || s.open != 0 || !closed && tc.failed == nil {
			t.Errorf("%s, its CRC-32: %v", name, err)
		}
	}
}

// TestBrokenZstd: a tar that breaks off leaves a tar.zst that no reader takes for whole.
func TestBrokenZstd(t *testing.T) {
	text := make([]byte, 1<<20)
	rand.New(rand.NewSource(15)).Read(text)
	s := new(set).add("first", string(text)).add("missing", "missing")
	r := made(t)(NewTar(s.entries, func(i int) (io.ReadSeekCloser, error) {
		if i == 1 {
			return nil, fs.ErrNotExist
		}
		return s.opener(i)
	}))
	var compressed bytes.Buffer
	if err := StreamZstd(&compressed, r); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	z, err := zstd.NewReader(&compressed)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if n, err := io.Copy(io.Discard, z); n == 0 || err == nil {
		t.Errorf("%d bytes and no error", n)
	}
}

// TestWriteErrors: a reader that went away ends the stream.
func TestWriteErrors(t *testing.T) {
	if err := StreamZstd(&limited{left: 10}, small().tar(t)); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// limited takes some bytes and fails at the next.
type limited struct{ left int }

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return l.left, io.ErrClosedPipe
	}
	l.left -= len(p)
	return len(p), nil
}

func TestNoHeaderHolds(t *testing.T) {
	for name, e := range map[string]Entry{"negative": {Path: "a", Size: -1}, "long": {Path: strings.Repeat("a", 1<<16)}} {
		if _, err := NewZip([]Entry{e}, nil); err == nil {
			t.Errorf("%s: NewZip takes it", name)
		}
		if _, err := NewTar([]Entry{e}, nil); err == nil && name == "negative" {
			t.Errorf("%s: NewTar takes it", name)
		}
	}
	if _, err := NewTar([]Entry{{Path: "a\x00b"}}, nil); err == nil {
		t.Error("a path with a zero: NewTar takes it")
	}
}
