package daemon

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/blob/blobtest"
	"granary/internal/blob/s3/s3test"
	"granary/internal/metadb/metadbtest"
	"granary/internal/records"
	"granary/internal/sqldb"
)

var (
	lostKills = flag.Int("lost.kills", 8, "how often TestRecordsKilled kills a server on SQLite; on PostgreSQL half as often")
	lostSeed  = flag.Uint64("lost.seed", 18, "what the proofs that nothing is lost choose by")
)

// killAtPoint is where a server dies that keeps a journal.
type killAtPoint struct {
	point string
	nth   int
	aged  bool // a day has passed since the base: another is due, and what was retired goes
}

// The points of a journal, in an order in which each is come to: the first two with a store
// that has no journal yet. The last four are points of a note on a disk.
var killPoints = []killAtPoint{
	{point: "base", nth: 1}, {point: "head", nth: 1}, {point: "pack", nth: 1}, {point: "delta", nth: 2},
	{point: "base", nth: 1, aged: true}, {point: "head", nth: 1, aged: true}, {point: "deleted", nth: 1, aged: true}, {point: "deleted", nth: 2, aged: true},
	{point: "delta", nth: 1}, {point: "pack", nth: 2},
	{point: "before-note-sync", nth: 3}, {point: "before-note-rename", nth: 2},
	{point: "before-note-dirsync", nth: 3}, {point: "after-note-dirsync", nth: 2},
}

// killsPerJournal is how often a journal is cut short before another one begins: every
// life looks at all files.
const killsPerJournal = 28

// TestRecordsKilled kills a server (SIGKILL) at each point of its journal, while clients
// publish and delete. Each time the database is made again from the store. It has every
// file that was acknowledged before the moment until which the store had all, as the
// server's own metric told it, no file that was deleted before, and every file whole. Then
// the server goes on, with its old database or with the one that was made again. In the
// end every row is in the records.
func TestRecordsKilled(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite on a disk", "postgres on S3"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			began, all, files := time.Now(), &killedRecords{}, 0
			kills := *lostKills
			if kind == "postgres on S3" {
				kills = (kills + 1) / 2
			}
			for left, n := kills, uint64(0); left > 0 && !t.Failed(); n++ {
				k := newKilledRecords(t, kind, rand.New(rand.NewPCG(*lostSeed, n)))
				for life := 0; life < min(left, killsPerJournal) && !t.Failed(); life++ {
					at := k.points[life%len(k.points)]
					if life >= len(k.points) {
						at.nth = 1 + k.random.IntN(at.nth)
						at.aged = at.aged || at.point == "base" || at.point == "head" // now there is a journal, which needs a reason for a base
					}
					k.live(life, at)
				}
				left -= killsPerJournal
				k.end()
				all.kills, all.lost, all.checked = all.kills+k.kills, all.lost+k.lost, all.checked+k.checked
				files, all.promised = files+len(k.files), all.promised+k.promised
			}
			t.Logf("%d kills, after %d of them the database was lost; %d files published, %d times a file was read back, %d of these promised; %v (seed %d)",
				all.kills, all.lost, files, all.checked, all.promised, time.Since(began).Round(time.Second), *lostSeed)
		})
	}
}

// killedRecords is a server that is killed while it keeps its journal.
type killedRecords struct {
	lostDatabase
	points   []killAtPoint
	database func() string // a new one, as a setting
	now      string        // the one in use

	kills, lost, checked, promised int

	mu    sync.Mutex
	files map[string]*keptFile // by path
	until time.Time            // the store had everything then
}

// keptFile is one that a client published, and perhaps deleted. Zero times are those of what
// has not happened.
type keptFile struct {
	body          string
	id            int       // of its package
	published     time.Time // it was acknowledged
	leaving, left time.Time // it was asked to be deleted, and that was acknowledged
	kept          bool      // the records have had it
}

func newKilledRecords(t *testing.T, kind string, random *rand.Rand) *killedRecords {
	dir := metadbtest.Memory(t)
	k := &killedRecords{files: map[string]*keptFile{}, points: killPoints}
	k.lostDatabase = lostDatabase{t: t, random: random, environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + dir}}
	made := 0
	k.database = func() string {
		made++
		return "GRANARY_DATABASE=sqlite:" + filepath.Join(dir, fmt.Sprintf("%d.db", made))
	}
	if kind == "postgres on S3" {
		environ, place := inS3(s3test.Start(t))
		k.environ, k.args = append(k.environ, environ...), append(k.args, place)
		k.database = func() string { return "GRANARY_DATABASE=" + metadbtest.Postgres(t, func(string) error { return nil }) }
		k.points = append(killPoints[3:10:10], killPoints[2])
	}
	k.now = k.database()
	return k
}

// live is one life of the server, and what the store tells of it.
func (k *killedRecords) live(life int, at killAtPoint) {
	if at.aged {
		k.age()
	}
	environ := append(slices.Clone(k.environ), k.now, fmt.Sprintf("%s=%s %d", dieAt, at.point, at.nth))
	server, err := launch(environ, append([]string{"--listen=127.0.0.1:0", "--records-every=1s"}, k.args...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.url = server.url()
	ctx, cancel := context.WithCancel(k.t.Context())
	var clients sync.WaitGroup
	for n := range 4 {
		random := rand.New(rand.NewPCG(k.random.Uint64(), k.random.Uint64()))
		clients.Go(func() { k.publishUntil(ctx, fmt.Sprintf("p%d/%d", n, life), random) })
	}
	clients.Go(func() { k.deleteUntil(ctx) })
	clients.Go(func() { k.watchUntil(ctx) })
	select {
	case <-server.exited:
	case <-time.After(time.Minute):
		k.t.Errorf("the server did not come to %s %d times", at.point, at.nth)
	}
	server.kill()
	cancel()
	clients.Wait()
	if !server.killed() || server.logged() != "" {
		k.t.Errorf("life %d, to %+v: the server ended with %v, and said:\n%s", life, at, server.err, server.logged())
	}
	k.kills++
	k.rebuild(fmt.Sprintf("life %d, killed at %s", life, at.point), k.random.IntN(3) == 0)
}

// age makes the journal's head a day older.
func (k *killedRecords) age() {
	k.t.Helper()
	store, err := openBlobs(k.t.Context(), k.config(), crashPoints{})
	if err != nil {
		k.t.Fatal(err)
	}
	defer closeStore(store)
	head, err := records.ReadHead(k.t.Context(), store)
	if err != nil {
		k.t.Fatal(err)
	}
	const day = 25 * time.Hour
	head.At = head.At.Add(-day)
	for name, at := range head.Retired {
		head.Retired[name] = at.Add(-day)
	}
	text, err := json.Marshal(head)
	if err != nil {
		k.t.Fatal(err)
	}
	blobtest.PutNoteOf(k.t, store, "records/head", text)
}

// try asks a server that may die. The status is 0 if there is no whole answer.
func (k *killedRecords) try(method, path, body string) (status int, said string) {
	req, err := http.NewRequestWithContext(k.t.Context(), method, k.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "" // the server died before it had an address
	}
	req.Header.Set("Private-Token", rootToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(text)
}

// publishUntil publishes packages of one file, some with bytes that others have.
func (k *killedRecords) publishUntil(ctx context.Context, name string, random *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		path := fmt.Sprintf("%s.%d.0/f", name, n)
		body := path
		switch p := random.IntN(8); {
		case p < 2:
			body = fmt.Sprint("the same ", random.IntN(20))
		case p == 2:
			body = strings.Repeat(path, 20_000)
		}
		f := &keptFile{body: body}
		k.mu.Lock()
		k.files[path] = f
		k.mu.Unlock()
		status, said := k.try("PUT", demoFiles+path+"?select=package_file", body)
		k.mu.Lock()
		switch status {
		case http.StatusOK: // with the file's facts
			f.published, f.id = time.Now(), number(said, "package_id")
		case 0:
		default:
			k.t.Errorf("PUT %s: %d %s", path, status, said)
		}
		k.mu.Unlock()
		if status != http.StatusOK {
			return
		}
		time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
	}
}

// deleteUntil deletes packages.
func (k *killedRecords) deleteUntil(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(30 * time.Millisecond)
		var f *keptFile
		k.mu.Lock()
		for _, one := range k.files { // in no order
			if !one.published.IsZero() && one.leaving.IsZero() {
				f = one
				f.leaving = time.Now()
				break
			}
		}
		k.mu.Unlock()
		if f == nil {
			continue
		}
		status, said := k.try("DELETE", fmt.Sprint("/api/v4/projects/root%2Fdemo/packages/", f.id), "")
		k.mu.Lock()
		switch status {
		case http.StatusNoContent:
			f.left = time.Now()
		case 0:
		default:
			k.t.Errorf("DELETE of package %d: %d %s", f.id, status, said)
		}
		k.mu.Unlock()
		if status == 0 {
			return
		}
	}
}

// watchUntil notes until when the store has everything, as the server tells.
func (k *killedRecords) watchUntil(ctx context.Context) {
	for ctx.Err() == nil {
		asked := time.Now()
		status, metrics := k.try("GET", "/-/metrics", "")
		if status == 0 {
			return
		}
		_, after, _ := strings.Cut(metrics, "\ngranary_records_lag_seconds ")
		lag := 0.0
		_, _ = fmt.Sscan(after, &lag)
		until := asked.Add(-time.Duration(lag * float64(time.Second)))
		k.mu.Lock()
		if lag > 0 && until.After(k.until) { // 0 says that nobody keeps records here
			k.until = until
		}
		k.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
	}
}

// rebuild makes a database from the store, and looks at all files in it. lost says that it
// takes the place of the old one.
func (k *killedRecords) rebuild(when string, lost bool) {
	k.t.Helper()
	again := k.database()
	done, err := Rebuild(k.t.Context(), k.config(again), RebuildOptions{Verify: true, Tell: func(f Finding) error {
		if f.Kind != Stray {
			k.t.Errorf("%s: found %+v", when, f)
		}
		return nil
	}})
	if err != nil {
		k.t.Fatalf("%s: %v", when, err)
	}
	if !done.Whole() {
		k.t.Errorf("%s: rebuilt %+v", when, done)
	}
	url, stop := serveHere(k.t, append(slices.Clone(k.environ), again), append([]string{"--records-every=0"}, k.args...)...)
	k.url = url
	k.lookAtFiles(when, lost)
	stop()
	if lost {
		k.lost++
		k.now, again = again, k.now
	}
	if path, is := strings.CutPrefix(again, "GRANARY_DATABASE=sqlite:"); is {
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(path + end)
		}
	}
}

// lookAtFiles asks for every file, eight at a time.
func (k *killedRecords) lookAtFiles(when string, lost bool) {
	paths := make(chan string)
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for path := range paths {
				k.lookAt(when, path, lost)
			}
		})
	}
	for _, path := range slices.Collect(maps.Keys(k.files)) { // lookAt changes the map
		paths <- path
	}
	close(paths)
	readers.Wait()
}

// lookAt asks for a file. If the old database is lost, what is there now counts.
func (k *killedRecords) lookAt(when, path string, lost bool) {
	status, got := k.try("GET", demoFiles+path, "")
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.files[path]
	k.checked++
	before := func(at time.Time) bool { return !at.IsZero() && at.Before(k.until) }
	promised := f.leaving.IsZero() && (f.kept || before(f.published))
	if promised {
		k.promised++
	}
	switch {
	case status == http.StatusOK && got != f.body:
		k.t.Errorf("%s: %s has %d bytes, want those %d that were published", when, path, len(got), len(f.body))
	case status == http.StatusOK && before(f.left):
		k.t.Errorf("%s: %s is there; its deletion was acknowledged at %v, and the store had all until %v", when, path, f.left, k.until)
	case status == http.StatusOK:
		f.kept = true
		if lost {
			f.leaving, f.left = time.Time{}, time.Time{}
		}
	case status == http.StatusNotFound && promised:
		k.t.Errorf("%s: %s is lost; it was acknowledged at %v, kept before %v, and the store had all until %v", when, path, f.published, f.kept, k.until)
	case status == http.StatusNotFound && lost:
		delete(k.files, path)
	case status != http.StatusNotFound:
		k.t.Errorf("%s: %s: %d %.200s", when, path, status, got)
	}
}

// end is a life that nobody ends: after it all rows are in the records.
func (k *killedRecords) end() {
	if k.t.Failed() {
		return
	}
	url, stop := serveHere(k.t, append(slices.Clone(k.environ), k.now), k.args...)
	k.url = url
	k.traffic(40)
	stop()
	want := k.rowsOfUsed(k.now)
	again := k.database()
	done, err := Rebuild(k.t.Context(), k.config(again), RebuildOptions{Verify: true, Tell: func(Finding) error { return nil }})
	if err != nil || !done.Whole() {
		k.t.Fatalf("rebuilt %+v, %v", done, err)
	}
	wantRows(k.t, k.rowsOfUsed(again), want)
}

// rowsOfUsed are the rows of a database without the blobs of no file. A publish that was
// killed leaves such a row; no event tells of it, and nobody misses it.
func (k *killedRecords) rowsOfUsed(database string) map[string][]string {
	k.t.Helper()
	a, err := OpenAdmin(k.t.Context(), k.config(database), "test")
	if err != nil {
		k.t.Fatal(err)
	}
	defer a.Close()
	_, err = sqldb.Write(k.t.Context(), a.server.db.DB, func(tx *sqldb.Tx) (int64, error) {
		if err := tx.Exec(`DELETE FROM blob_contents WHERE blob_id IN (SELECT id FROM blobs WHERE files = 0)`); err != nil {
			return 0, err
		}
		return tx.Count(`DELETE FROM blobs WHERE files = 0`)
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return rows(k.t, a.server.db)
}
