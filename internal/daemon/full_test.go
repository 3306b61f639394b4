package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"granary/internal/eventually"
)

// smallDisk is a folder on a disk of its own, of so many MiB. Where none may be
// mounted the test ends: its other half has seen what needs no disk of its own.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size)); err != nil {
		t.Skipf("no tmpfs can be mounted here (%v), as root can on Linux outside of a container; the other half of this test has run with a limit in place of a disk", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// limitFiles keeps a process, 0 is ours, from making a file longer than that.
func limitFiles(t *testing.T, pid int, bytes uint64) {
	t.Helper()
	err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// A full disk can be cleared: publishing and readiness say that it is full,
// deleting works all the same, on what is held back, a sweep removes what was
// deleted, and then files are taken again. A restart in between changes nothing.
func TestFullDiskIsCleared(t *testing.T) {
	t.Run("limit", clearLimited)
	t.Run("tmpfs", clearSmallDisk)
}

// clearLimited needs no disk of its own: no file may grow to the reserve's size, so
// that this is not made again once granary admin, beside the server, drew on it.
// That deleting draws on it where SQLite finds no space is
// metadb.TestDeletingDrawsOnTheReserve.
func clearLimited(t *testing.T) {
	const limit = reserved / 2
	c := newClearing(t, t.TempDir())
	limitFiles(t, c.server.cmd.Process.Pid, limit)
	if !newReserve(c.data, reserved, slog.New(slog.DiscardHandler)).draw() {
		t.Fatal("nothing was held back")
	}
	eventually.Holds(t, "the server sees that its reserve is out", func() bool { return !c.ready() })
	c.refuses(256 << 10)
	c.remove(1, 3)
	limitFiles(t, 0, limit) // the next server inherits it
	c.restart()
	limitFiles(t, 0, unix.RLIM_INFINITY)
	c.clear(3, func() { limitFiles(t, c.server.cmd.Process.Pid, unix.RLIM_INFINITY) })
}

// clearSmallDisk fills a disk to the last block.
func clearSmallDisk(t *testing.T) {
	dir := smallDisk(t, 64)
	c := newClearing(t, filepath.Join(dir, "data"))
	filler := filepath.Join(dir, "filler")
	fillUp(t, filler)
	if full := notReady(t, c.url); !strings.Contains(full, "the disk of the database is full, ") {
		t.Errorf("readiness: %s", full)
	}
	c.refuses(256 << 10)
	deleted := 0
	for ; deleted < published && c.held() > 0; deleted++ {
		fillUp(t, filler+fmt.Sprint(deleted)) // what a shorter log gave back
		c.remove(deleted+1, 1)
	}
	if c.held() > 0 {
		t.Fatalf("%d deletions on a full disk did not draw on the reserve", deleted)
	}
	full := c.server
	c.restart() // the log of a process that ended is whole
	if log := full.logged(); !strings.Contains(log, "the reserve is used for deletions;") || strings.Contains(log, "rollback failed") {
		t.Errorf("the log of a full disk: %s", log)
	}
	c.clear(deleted, func() { removeAll(t, filler+"*") })
}

const (
	reserved  = 16 << 20 // bytes
	published = 40       // packages, of a file of 256 KiB
)

// clearing is a server with a reserve, and large files beside its database.
type clearing struct {
	t      *testing.T
	data   string
	args   []string
	server *process
	url    string
}

func newClearing(t *testing.T, data string) *clearing {
	t.Helper()
	c := &clearing{t: t, data: data, args: []string{"--data-dir=" + data, "--disk-reserve=16MiB"}}
	c.server, c.url = start(t, c.args...)
	for n := range published {
		if status := c.put(fmt.Sprint("p", n), 256<<10); status != http.StatusCreated {
			t.Fatalf("publish: %d", status)
		}
	}
	if c.held() != reserved {
		t.Fatalf("%d bytes are held back", c.held())
	}
	return c
}

func (c *clearing) restart() {
	c.t.Helper()
	c.server.terminate(c.t, 10*time.Second)
	c.server, c.url = start(c.t, c.args...)
}

func (c *clearing) put(name string, size int) (status int) {
	c.t.Helper()
	resp, _ := ask(c.t, "PUT", c.url+demoFiles+name+"/1.0.0/f", strings.NewReader(strings.Repeat("x", size)+name))
	return resp.StatusCode
}

func (c *clearing) refuses(sizes ...int) {
	c.t.Helper()
	for _, size := range sizes {
		if status := c.put("late", size); status != http.StatusServiceUnavailable {
			c.t.Errorf("publish of %d bytes on a full disk: %d", size, status)
		}
	}
}

// remove deletes n packages, from an id on.
func (c *clearing) remove(from, n int) {
	c.t.Helper()
	for id := from; id < from+n; id++ {
		if resp, body := ask(c.t, "DELETE", fmt.Sprintf("%s/api/v4/projects/root%%2Fdemo/packages/%d", c.url, id), nil); resp.StatusCode != http.StatusNoContent {
			c.t.Fatalf("delete %d: %s %s", id, resp.Status, body)
		}
	}
}

// held is the length of the reserve, in bytes.
func (c *clearing) held() int64 {
	c.t.Helper()
	info, err := os.Stat(filepath.Join(c.data, reserveName))
	if err != nil {
		c.t.Fatal(err)
	}
	return info.Size()
}

func (c *clearing) ready() bool {
	resp, _ := ask(c.t, "GET", c.url+"/-/readiness", nil)
	return resp.StatusCode == http.StatusOK
}

// clear brings a server back that found its reserve given back when it started.
// empty gives the disk space again.
func (c *clearing) clear(deleted int, empty func()) {
	t := c.t
	t.Helper()
	if full := notReady(t, c.url); !strings.Contains(full, "the reserve is used for deletions") {
		t.Errorf("readiness: %s", full)
	}
	c.refuses(10, 256<<10)
	if _, metrics := ask(t, "GET", c.url+"/-/metrics", nil); !strings.Contains(metrics, "\ngranary_disk_reserve_bytes 0\n") {
		t.Error("the metrics do not show that the reserve is out")
	}
	sweepNow(t, c.args, 0) // the records
	age(t, nil, c.args)
	if swept := sweepNow(t, c.args, deleted); swept.Bytes < int64(deleted)*(256<<10) {
		t.Errorf("swept %+v", swept)
	}
	empty()
	eventually.Holds(t, "the space is held back again", func() bool { return c.held() == reserved })
	eventually.Holds(t, "files are taken again", func() bool { return c.put("again", 256<<10) == http.StatusCreated })
	eventually.Holds(t, "ready again", c.ready)
}

// fillUp takes what is free on a disk, to the last block.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if f.Close(); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

func removeAll(t *testing.T, pattern string) {
	t.Helper()
	found, err := filepath.Glob(pattern)
	for _, path := range found {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// notReady is what readiness says instead.
func notReady(t *testing.T, url string) string {
	t.Helper()
	resp, body := ask(t, "GET", url+"/-/readiness", nil)
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "granary admin sweep --now") {
		t.Errorf("readiness: %s %s", resp.Status, body)
	}
	return body
}
