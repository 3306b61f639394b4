package archive

import (
	"fmt"
	"io"
	"runtime"
	"testing"
)

// TestArchiveMemory: an archive keeps 1 MiB and 200 bytes a file at most, its entries and
// paths among them, and a tar.zst 3 MiB more. It runs without the race detector.
func TestArchiveMemory(t *testing.T) {
	const files = 10_000
	const size, every = 100, 1000
	before := heap()
	entries := make([]Entry, files)
	for i := range entries {
		entries[i] = Entry{Path: fmt.Sprintf("some/folder/with/file-%08d.tar.gz", i), Size: size, Changed: noon}
	}
	most := int64(0)
	open := func(i int) (io.ReadSeekCloser, error) {
		if i%every == 0 {
			most = max(most, heap()-before)
		}
		return &opened{io.NewSectionReader(zeros{}, 0, size), new(set)}, nil
	}
	hold := func(name string, limit int64, use func() error) {
		t.Helper()
		most = 0
		if err := use(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if most = max(most, heap()-before); most > limit || most < files*50 {
			t.Errorf("%s: %d bytes, %d are allowed", name, most, limit)
		}
		t.Logf("%s: %d bytes, %d a file", name, most, most/files)
		runtime.KeepAlive(entries)
	}
	const limit = 1<<20 + files*200
	read := func(layout func([]Entry, Opener) (*Reader, error)) func() error {
		return func() error {
			r, err := layout(entries, open)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r)
			most = max(most, heap()-before)
			runtime.KeepAlive(r)
			return err
		}
	}
	hold("tar", limit, read(NewTar))
	hold("zip", limit, read(NewZip))
	hold("tar.zst", limit+3<<20, func() error {
		r, err := NewTar(entries, open)
		if err != nil {
			return err
		}
		return StreamZstd(io.Discard, r)
	})
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
