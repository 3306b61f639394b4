package daemon

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"granary/internal/blob/s3/s3test"
	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
	"granary/internal/registry"
)

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
func TestReserve(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
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
	for _, part := range []string{"no file can be written to the disk of the blobs (no such file or directory)", "again an hour later"} {
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
	s := &server{space: &space{disks: []*localDisk{{holds: "blobs", dir: dir, now: time.Now}}}}
	const want = `{"status":"failed","message":"the disk of the blobs does not answer: `
	var probers sync.WaitGroup
	for range 20 {
		probers.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			w := httptest.NewRecorder()
			s.readiness(w, httptest.NewRequestWithContext(ctx, "GET", "/-/readiness", nil))
			if w.Code != http.StatusServiceUnavailable || !strings.HasPrefix(w.Body.String(), want) {
				t.Errorf("%d %s, want %s", w.Code, w.Body, want)
			}
		})
	}
	probers.Wait()
	written, err := os.ReadFile(trial)
	if err != nil || len(written) != trialSize {
		t.Errorf("%d bytes were written, %v, want %d", len(written), err, trialSize)
	}
	if err := s.space.full(t.Context()); err != nil {
		t.Error(err)
	}
}

// Where records are in PostgreSQL and blobs in S3, readiness writes nothing: no
// record, no object, no file.
func TestReadinessWritesNothingElsewhere(t *testing.T) {
	cluster, srv, data := metadbtest.NewServer(t), s3test.Start(t), t.TempDir()
	environ, place := inS3(srv)
	dsn := cluster.DSN("granary")
	url, stop := serveHere(t, append(environ, "GRANARY_DATABASE="+dsn, "GRANARY_ENCRYPTION_KEY="+strings.Repeat("0a", 32)), "--data-dir="+data, place)
	defer stop()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ready := func() {
		t.Helper()
		if resp, body := ask(t, "GET", url+"/-/readiness", nil); resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", resp.Status, body)
		}
	}
	eventually.Holds(t, "readiness without a change to a file", func() bool { // the start asks who else uses the bucket
		before := everyFile(t, data, srv.Dir)
		ready()
		return everyFile(t, data, srv.Dir) == before
	})
	logged := func() (end string) { // of the log that every write goes through
		t.Helper()
		if err := db.QueryRowContext(t.Context(), `SELECT pg_current_wal_insert_lsn()::text`).Scan(&end); err != nil {
			t.Fatal(err)
		}
		return end
	}
	eventually.Holds(t, "readiness without a record", func() bool { // what goes on beside it writes now and then
		before := logged()
		ready()
		return logged() == before
	})
}

// everyFile lists files and folders, and when they were changed.
func everyFile(t *testing.T, dirs ...string) (list string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err == nil {
				list += fmt.Sprintln(path, info.Size(), info.ModTime().UnixNano())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}
