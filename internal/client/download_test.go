package client_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/client"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b) // it cannot fail
	return b
}

// store serves one file, and breaks connections after so many bytes.
type store struct {
	data     []byte
	tag      string
	noRanges bool
	mu       sync.Mutex
	cuts     []int // of the answers to come
	ranges   []string
	sent     int
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	cut := -1
	if len(s.cuts) > 0 {
		cut, s.cuts = s.cuts[0], s.cuts[1:]
	}
	s.mu.Unlock()
	if s.tag != "" {
		w.Header().Set("ETag", s.tag)
	}
	if s.noRanges {
		r.Header.Del("Range")
	}
	http.ServeContent(&cutter{ResponseWriter: w, s: s, left: cut}, r, "", time.Time{}, bytes.NewReader(s.data))
}

type cutter struct {
	http.ResponseWriter
	s    *store
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	if c.left >= 0 && len(b) > c.left {
		_, _ = c.ResponseWriter.Write(b[:c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		c.add(c.left)
		panic(http.ErrAbortHandler)
	}
	if c.left >= 0 {
		c.left -= len(b)
	}
	c.add(len(b))
	return c.ResponseWriter.Write(b)
}

func (c *cutter) add(n int) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.sent += n
}

func download(t *testing.T, s *store) (client.Download, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return client.Download{Coordinates: file(), Root: root,
		File: client.File{Path: file().Path, Size: int64(len(s.data)), SHA256: sumOf(s.data)}}, dir
}

// holds wants the file whole, and nothing beside it.
func holds(t *testing.T, dir string, data []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, file().Path))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, want %d, %v", len(got), len(data), err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "dir", ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Downloads of every size arrive whole over connections that break, without
// bytes that had arrived being sent again.
func TestDownload(t *testing.T) {
	for _, size := range []int{0, 1, 5 << 20, 18 << 20} {
		for _, tag := range []string{"", `"tag"`} {
			s := &store{data: randomBytes(size), tag: tag, cuts: []int{size / 3, size / 7}}
			c := serve(t, s.ServeHTTP)
			d, dir := download(t, s)
			var moved atomic.Int64
			d.Progress = func(n int64) { moved.Add(n) }
			verified, err := c.Download(t.Context(), d)
			if err != nil || !verified || moved.Load() != int64(size) {
				t.Errorf("%d bytes: verified %v, %d moved, %v", size, verified, moved.Load(), err)
			}
			holds(t, dir, s.data)
			if s.sent > size+1<<20 { // what was in flight when it broke
				t.Errorf("%d bytes: %d sent", size, s.sent)
			}
			if size == 18<<20 && len(s.ranges) < 2 {
				t.Errorf("%d bytes came by %q", size, s.ranges)
			}
		}
	}
}

// A download that was ended is taken up by the next one.
func TestDownloadResumes(t *testing.T) {
	for _, size := range []int{6 << 20, 18 << 20} {
		s := &store{data: randomBytes(size)}
		ctx, cancel := context.WithCancel(t.Context())
		c := serve(t, s.ServeHTTP)
		d, dir := download(t, s)
		var moved atomic.Int64
		d.Progress = func(n int64) {
			if moved.Add(n) > int64(size)/2 {
				cancel()
			}
		}
		if _, err := c.Download(ctx, d); err == nil {
			t.Fatal("it was not ended")
		}
		if _, err := os.Stat(filepath.Join(dir, file().Path)); err == nil {
			t.Error("a file that is not whole has its final name")
		}
		s.mu.Lock()
		before := s.sent
		s.mu.Unlock()
		d.Progress = nil
		if _, err := c.Download(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		holds(t, dir, s.data)
		if again := s.sent - before; again > size*3/4 {
			t.Errorf("%d of %d bytes were sent again", again, size)
		}
	}
}

// What lies in the place of a partial file is not believed: the digest decides.
func TestDownloadStalePartial(t *testing.T) {
	s := &store{data: randomBytes(6 << 20)}
	c := serve(t, s.ServeHTTP)
	d, dir := download(t, s)
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o777); err != nil {
		t.Fatal(err)
	}
	stale := append(make([]byte, len(s.data)), 0, 0, 0x10, 0, 0, 0, 0, 0) // 1 MiB of zeros, as far as it says
	name := filepath.Join(dir, "dir", ".a b.txt.granary-"+d.File.SHA256[:16]+".part")
	if err := os.WriteFile(name, stale, 0o666); err != nil {
		t.Fatal(err)
	}
	if verified, err := c.Download(t.Context(), d); err != nil || !verified {
		t.Fatal(verified, err)
	}
	holds(t, dir, s.data)
}

// A server that knows no ranges is asked for the whole.
func TestDownloadWithoutRanges(t *testing.T) {
	s := &store{data: randomBytes(18 << 20), noRanges: true}
	c := serve(t, s.ServeHTTP)
	d, dir := download(t, s)
	if verified, err := c.Download(t.Context(), d); err != nil || !verified {
		t.Fatal(verified, err)
	}
	holds(t, dir, s.data)
}

// Bytes that are not what the list says never get the file's name.
func TestDownloadDamaged(t *testing.T) {
	for _, size := range []int{10, 5 << 20} {
		s := &store{data: randomBytes(size)}
		c := serve(t, s.ServeHTTP)
		d, dir := download(t, s)
		d.File.SHA256 = sumOf([]byte("something else"))
		_, err := c.Download(t.Context(), d)
		if client.KindOf(err) != client.Damaged {
			t.Error(err)
		}
		entries, _ := os.ReadDir(filepath.Join(dir, "dir"))
		if len(entries) > 0 {
			t.Errorf("left behind: %v", entries)
		}
	}
}

// Several downloads of one file into one place at once do not harm each other.
func TestDownloadAtOnce(t *testing.T) {
	s := &store{data: randomBytes(18 << 20)}
	c := serve(t, s.ServeHTTP)
	d, dir := download(t, s)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if verified, err := c.Download(t.Context(), d); err != nil || !verified {
				t.Error(verified, err)
			}
		})
	}
	all.Wait()
	holds(t, dir, s.data)
}

// Nothing is written outside the directory, whatever a package's files are
// called and whatever links lie in it.
func TestDownloadStaysInside(t *testing.T) {
	s := &store{data: []byte("evil")}
	c := serve(t, s.ServeHTTP)
	for _, path := range []string{"../evil", "/evil", "a/../../evil", "link/evil", "file/evil"} {
		d, dir := download(t, s)
		outside := t.TempDir()
		if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		d.Path = path
		if _, err := c.Download(t.Context(), d); err == nil {
			t.Errorf("%s was written", path)
		}
		if left, _ := os.ReadDir(outside); len(left) > 0 {
			t.Errorf("%s: %v", path, left)
		}
	}
}

func TestDownloadExecutable(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no executable bit")
	}
	s := &store{data: []byte("#!/bin/sh\n")}
	c := serve(t, s.ServeHTTP)
	d, dir := download(t, s)
	d.Executable = true
	if _, err := c.Download(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, file().Path))
	if err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Error(info.Mode(), err)
	}
}

// A small file is read with a buffer of its own size: what a download of 4 KiB
// allocates is no multiple of it.
func TestDownloadSmallIsCheap(t *testing.T) {
	s := &store{data: randomBytes(4 << 10)}
	c := serve(t, s.ServeHTTP)
	d, _ := download(t, s)
	got := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Download(t.Context(), d); err != nil {
				b.Fatal(err)
			}
		}
	})
	if per := got.AllocedBytesPerOp(); per == 0 || per > 128<<10 { // the server's part among it
		t.Errorf("%d bytes are allocated for a file of 4 KiB", per)
	}
}

// Where one connection brings nothing, others are opened.
func TestDownloadOverSeveralConnections(t *testing.T) {
	s := &store{data: randomBytes(40 << 20)}
	several := make(chan struct{}) // are open
	var open atomic.Int32
	slow := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if open.Add(1) == 2 {
			close(several)
		}
		<-several // the first one brings nothing until there is a second
		s.ServeHTTP(w, r)
	})
	d, dir := download(t, s)
	if verified, err := slow.Download(t.Context(), d); err != nil || !verified {
		t.Fatal(verified, err)
	}
	holds(t, dir, s.data)
}
