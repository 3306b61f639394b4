package daemon

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"granary/internal/registry"
)

// smallDisk is a folder on a disk of its own, of 64 MiB; "" where none may be
// mounted.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		return ""
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A full disk can be cleared: publishing and readiness say that it is full,
// deleting works all the same, on what is held back, a sweep removes what was
// deleted, and then files are taken again. A restart in between changes nothing.
func TestFullDiskIsCleared(t *testing.T) {
	dir := smallDisk(t)
	if dir == "" {
		t.Log("no tmpfs can be mounted here: TestReserve and TestDeletingDrawsOnTheReserve have seen the parts")
		testReserve(t, t.TempDir())
		return
	}
	data := filepath.Join(dir, "data")
	args := []string{"--data-dir=" + data, "--disk-reserve=16MiB"}
	server, url := start(t, args...)
	put := func(name string, size int) int {
		resp, _ := ask(t, "PUT", url+demoFiles+name+"/1.0.0/f", strings.NewReader(strings.Repeat("x", size)+name))
		return resp.StatusCode
	}
	for n := range 40 { // large ones, beside the database
		if status := put(fmt.Sprint("p", n), 256<<10); status != http.StatusCreated {
			t.Fatalf("publish: %d", status)
		}
	}
	filler := filepath.Join(dir, "filler")
	fillUp(t, filler)
	if full := notReady(t, url); !strings.Contains(full, "the disk of the database is full, ") {
		t.Errorf("readiness: %s", full)
	}
	if status := put("late", 256<<10); status != http.StatusServiceUnavailable {
		t.Errorf("publish on a full disk: %d", status)
	}
	held := func() int64 {
		info, err := os.Stat(filepath.Join(data, reserveName))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	deleted := 0
	for ; deleted < 40 && held() > 0; deleted++ {
		fillUp(t, filler+fmt.Sprint(deleted)) // what a shorter log gave back
		if resp, body := ask(t, "DELETE", fmt.Sprintf("%s/api/v4/projects/root%%2Fdemo/packages/%d", url, deleted+1), nil); resp.StatusCode != http.StatusNoContent {
			t.Fatalf("delete %d: %s %s", deleted, resp.Status, body)
		}
	}
	if held() > 0 {
		t.Fatalf("%d deletions on a full disk did not draw on the reserve", deleted)
	}
	if log := server.logged(); !strings.Contains(log, "the space that was held back is used") || strings.Contains(log, "rollback failed") {
		t.Errorf("the log of a full disk: %s", log)
	}
	server.terminate(t, 10*time.Second)
	_, url = start(t, args...)
	if full := notReady(t, url); !strings.Contains(full, "what was held back is used for deletions") {
		t.Errorf("readiness: %s", full)
	}
	for _, size := range []int{10, 256 << 10} {
		if status := put("late", size); status != http.StatusServiceUnavailable {
			t.Errorf("publish of %d bytes while the reserve is out: %d", size, status)
		}
	}
	if _, metrics := ask(t, "GET", url+"/-/metrics", nil); !strings.Contains(metrics, "\ngranary_disk_reserve_bytes 0\n") {
		t.Error("the metrics do not show that the reserve is out")
	}
	sweepNow(t, args, 0) // the records
	age(t, nil, args)
	if swept := sweepNow(t, args, deleted); swept.Bytes < int64(deleted)*(256<<10) {
		t.Errorf("swept %+v", swept)
	}
	removeAll(t, filler+"*")
	eventually(t, "the space is held back again", func() bool { return held() == 16<<20 })
	eventually(t, "files are taken again", func() bool { return put("again", 256<<10) == http.StatusCreated })
	eventually(t, "ready again", func() bool {
		resp, _ := ask(t, "GET", url+"/-/readiness", nil)
		return resp.StatusCode == http.StatusOK
	})
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

// sweepNow asks the server as granary admin does, and expects so many blobs.
func sweepNow(t *testing.T, args []string, blobs int) registry.Swept {
	t.Helper()
	swept, err := askToSweep(t, nil, args...)
	if err != nil || swept.Blobs != blobs {
		t.Errorf("swept %+v, %v, want %d blobs", swept, err, blobs)
	}
	return swept
}

func askToSweep(t *testing.T, environ []string, args ...string) (swept registry.Swept, err error) {
	t.Helper()
	cfg, err := settings(append([]string{noReserve}, environ...), args...)
	if err != nil {
		t.Fatal(err)
	}
	a, err := OpenAdmin(t.Context(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := a.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a.Sweep(t.Context())
}

// age lets two hours pass for all blobs of the settings' database.
func age(t *testing.T, environ, args []string) {
	t.Helper()
	cfg, err := settings(environ, args...)
	if err != nil {
		t.Fatal(err)
	}
	driver, at := "pgx", cfg.Database.URL.Reveal()
	if cfg.Database.Scheme == "sqlite" {
		driver, at = "sqlite", "file:"+cfg.Database.Path+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, at)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), fmt.Sprintf(`UPDATE blobs SET touched_at = touched_at - %d`, (2*time.Hour).Microseconds())); err != nil {
		t.Fatal(err)
	}
}

// The reserve is a file of its size that takes space. Given back, it is empty, and
// whoever starts then knows; a new one is made when there is space.
func TestReserve(t *testing.T) { testReserve(t, t.TempDir()) }

func testReserve(t *testing.T, dir string) {
	log := slog.New(slog.DiscardHandler)
	const size = 3<<20 + 5
	r := newReserve(dir, size, log)
	check := func(r *reserve, bytes int64, there, out bool) {
		t.Helper()
		if held, is := r.held(); held != bytes || is != there || r.isOut() != out {
			t.Errorf("%d bytes, there %v, out %v; want %d, %v, %v", held, is, r.isOut(), bytes, there, out)
		}
	}
	if r.draw() {
		t.Error("something was given back that was never held")
	}
	r.keep()
	check(r, size, true, false)
	var st unix.Stat_t
	if err := unix.Stat(r.path, &st); err != nil || st.Blocks*512 < size {
		t.Errorf("it takes %d bytes, %v", st.Blocks*512, err)
	}
	for range 2 { // two deletions at once
		if !r.draw() {
			t.Error("nothing was given back")
		}
		check(r, 0, true, true)
	}
	tooLarge := newReserve(dir, 1<<60, log) // for which there is no space
	tooLarge.keep()
	check(tooLarge, 0, true, true)
	none := newReserve(t.TempDir(), 1<<60, log)
	none.keep()
	check(none, 0, false, false) // a small disk that never had one takes files
	r.keep()
	check(r, size, true, false)
	smaller := newReserve(dir, 1000, log)
	smaller.keep()
	check(smaller, 1000, true, false)
	r.keep()
	check(r, size, true, false)
	off := newReserve(dir, 0, log)
	off.keep()
	check(off, 0, false, false)
}

// Readiness writes one small file in ten seconds, whoever asks how often, also where
// the disk takes none; then it tries again as soon as more is free.
func TestReadinessWritesSeldom(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	now := time.Unix(1_800_000_000, 0)
	d := &localDisk{holds: "blobs", dir: dir, now: func() time.Time { return now }}
	s := &space{disks: []*localDisk{d}}
	free := int64(100 << 20)
	full := func(want bool) {
		t.Helper()
		if err := d.try(free); (err != nil) != want {
			t.Errorf("%v", err)
		}
	}
	full(true) // it is not there
	err := s.full(t.Context())
	for _, part := range []string{"the disk of the blobs takes no file (no such file or directory)", "again an hour later"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	free += leastFree - 1
	now = now.Add(trialEvery - 1)
	full(true)
	now = now.Add(1)
	full(false)
	remove := func() {
		t.Helper()
		if err := os.Remove(dir); err != nil { // it is empty
			t.Fatal(err)
		}
	}
	remove()
	now = now.Add(trialEvery - 1)
	free += leastFree // which is no reason to write where all is well
	full(false)
	now = now.Add(1)
	full(true)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	full(true)
	free += leastFree
	full(false)
}

// A disk that hangs keeps no prober: each is told so, and one file is tried, once,
// for all of them. When the disk answers again, so does readiness.
func TestReadinessOfAHungDisk(t *testing.T) {
	dir := t.TempDir()
	trial := filepath.Join(dir, trialName)
	if err := unix.Mkfifo(trial, 0o600); err != nil { // to open it for writing hangs until somebody reads
		t.Fatal(err)
	}
	s := &space{disks: []*localDisk{{holds: "blobs", dir: dir, now: time.Now}}}
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return s.full(ctx)
	}
	var probers sync.WaitGroup
	for range 20 {
		probers.Go(func() {
			if err := ask(); err == nil || !strings.Contains(err.Error(), "the disk of the blobs does not answer") {
				t.Errorf("%v", err)
			}
		})
	}
	probers.Wait()
	written, err := os.ReadFile(trial)
	if err != nil || len(written) != trialSize {
		t.Errorf("%d bytes were written, %v, want %d", len(written), err, trialSize)
	}
	if err := s.full(t.Context()); err != nil {
		t.Error(err)
	}
}
