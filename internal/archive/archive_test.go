package archive

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// set is the files of a test's archive. It counts what is open.
type set struct {
	entries  []Entry
	contents []*io.SectionReader

	open, most int
	opened     []int
}

// zeros is as many as are asked for.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

var noon = time.Date(2026, time.July, 14, 12, 34, 56, 789, time.UTC)

func (s *set) add(path, text string) *set {
	s.entries = append(s.entries, Entry{path, int64(len(text)), crc32.ChecksumIEEE([]byte(text)), noon})
	s.contents = append(s.contents, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))))
	return s
}

// addZeros adds a file of zeros; only its CRC-32 is not right.
func (s *set) addZeros(path string, size int64) *set {
	s.entries = append(s.entries, Entry{path, size, 0x12345678, noon})
	s.contents = append(s.contents, io.NewSectionReader(zeros{}, 0, size))
	return s
}

func (s *set) opener(i int) (io.ReadSeekCloser, error) {
	s.opened = append(s.opened, i)
	s.open++
	s.most = max(s.most, s.open)
	return &opened{io.NewSectionReader(s.contents[i], 0, s.contents[i].Size()), s}, nil
}

type opened struct {
	*io.SectionReader
	set *set
}

func (o *opened) Close() error {
	o.set.open--
	return nil
}

func (s *set) tar(t testing.TB) *Reader { return made(t)(NewTar(s.entries, s.opener)) }
func (s *set) zip(t testing.TB) *Reader { return made(t)(NewZip(s.entries, s.opener)) }

func made(t testing.TB) func(*Reader, error) *Reader {
	return func(r *Reader, err error) *Reader {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// archives are the two kinds of one set.
func (s *set) archives(t testing.TB) map[string]*Reader {
	return map[string]*Reader{"tar": s.tar(t), "zip": s.zip(t)}
}

func small() *set {
	s := new(set).add("first", "1").add("empty", "").add("block", strings.Repeat("b", 512))
	s.add("d/"+strings.Repeat("long", 40), strings.Repeat("x", 5000)).add("é", "e").add("last", "")
	return s
}

func TestReader(t *testing.T) {
	for name, r := range small().archives(t) {
		want, err := io.ReadAll(r)
		if err != nil || int64(len(want)) != r.Size() {
			t.Fatalf("%s: %d bytes of %d: %v", name, len(want), r.Size(), err)
		}
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRandomRanges(t *testing.T) {
	random := rand.New(rand.NewSource(15))
	s := new(set)
	for i := range 200 {
		text := make([]byte, random.Intn(1<<random.Intn(14)))
		random.Read(text)
		s.add(strings.Repeat("n", random.Intn(150))+fmt.Sprint(i), string(text))
	}
	for name, r := range s.archives(t) {
		whole, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			from := random.Intn(len(whole) + 1)
			want := whole[from:min(len(whole), from+random.Intn(20000))]
			switch random.Intn(3) {
			case 0:
				_, err = r.Seek(int64(from), io.SeekStart)
			case 1:
				_, err = r.Seek(int64(from)-r.at, io.SeekCurrent)
			default:
				_, err = r.Seek(int64(from-len(whole)), io.SeekEnd)
			}
			got := make([]byte, len(want))
			if _, failed := io.ReadFull(r, got); err != nil || failed != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s: bytes %d to %d are others: %v, %v", name, from, from+len(want), err, failed)
			}
		}
		if err := r.Close(); err != nil || s.open != 0 || s.most != 1 {
			t.Errorf("%s: %v, %d are open, %d were", name, err, s.open, s.most)
		}
	}
}

// TestFilesAreOpenedLate: making, seeking and reading frames open nothing; a file is open
// from its first byte to its last, or to Close.
func TestFilesAreOpenedLate(t *testing.T) {
	s := small()
	for name, r := range s.archives(t) {
		s.opened = nil
		read := func(from, n int64, open int, opened ...int) {
			t.Helper()
			if _, err := r.Seek(from, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, r, n); err != nil {
				t.Fatal(err)
			}
			if s.open != open || !slices.Equal(s.opened, opened) {
				t.Errorf("%s: %d are open, opened were %v, want %d, %v", name, s.open, s.opened, open, opened)
			}
			s.opened = nil
		}
		block := r.starts[5]
		read(0, r.starts[1], 0)
		read(r.starts[3], 0, 0)
		read(block, 1, 1, 2)
		read(block+200, 1, 1)
		read(block, 100, 1)
		read(r.starts[4], block-r.starts[4], 1)
		read(r.starts[7], 10, 1, 3)
		read(block, 512, 0, 2)
		read(0, r.Size(), 0, 0, 2, 3, 4)
		read(block, 1, 1, 2)
		if err := r.Close(); err != nil || s.open != 0 {
			t.Error(err, s.open)
		}
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			t.Error(err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, fs.ErrClosed) {
			t.Error(n, err)
		}
	}
}

func TestServeContent(t *testing.T) {
	for name, r := range small().archives(t) {
		whole, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		get := func(rng string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			req.Header.Set("Range", rng)
			http.ServeContent(w, req, name, noon, r)
			return w
		}
		if w := get(""); w.Code != 200 || w.Header().Get("Content-Length") != fmt.Sprint(len(whole)) || !bytes.Equal(w.Body.Bytes(), whole) {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		if w := get("bytes=700-2000"); w.Code != 206 || !bytes.Equal(w.Body.Bytes(), whole[700:2001]) {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		if w := get("bytes=2000-2003,1-600,-50"); w.Code != 206 || !bytes.Contains(w.Body.Bytes(), whole[1:601]) || !bytes.Contains(w.Body.Bytes(), whole[len(whole)-50:]) {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
}
