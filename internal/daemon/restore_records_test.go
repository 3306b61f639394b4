package daemon

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/metadb/metadbtest"
	"granary/internal/records"
)

// replacedRecords is a server with a backup, and with records in its store of what came after
// it. Only its database is lost.
type replacedRecords struct {
	*lostDatabase
	dir    string
	backup BackedUp
	later  int64 // last event in the records
	again  int   // databases that were rebuilt
}

func newReplacedRecords(t *testing.T) *replacedRecords {
	t.Helper()
	dir := metadbtest.Memory(t)
	r := &replacedRecords{dir: dir, lostDatabase: &lostDatabase{
		t: t, random: rand.New(rand.NewPCG(9, 9)), environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + filepath.Join(dir, "data")},
	}}
	stop := r.serve()
	r.deed("PUT", demoFiles+"tool/1.0.0/before", "before the backup")
	r.deed("POST", "/api/v4/projects/root%2Fdemo/variables", "key=KEY&value=secret")
	var err error
	if r.backup, err = backUp(t.Context(), r.config(), "file:"+filepath.Join(dir, "place")); err != nil {
		t.Fatal(err)
	}
	r.deed("PUT", demoFiles+"tool/1.0.0/after", "after the backup")
	stop()
	store, err := openSource(t.Context(), r.config())
	if err != nil {
		t.Fatal(err)
	}
	if r.later, err = records.Newest(t.Context(), store); err != nil || r.later == 0 {
		t.Fatal(r.later, err)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, "data", "granary.db"+end)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return r
}

func (r *replacedRecords) serve() (stop func()) {
	r.t.Helper()
	url, end := serveHere(r.t, r.environ, r.args...)
	r.url = url
	return func() { end() }
}

func (r *replacedRecords) restore(o RestoreOptions) Restored {
	r.t.Helper()
	cfg := r.config()
	from, err := cfg.WithBlobs("file:" + filepath.Join(r.dir, "place"))
	if err != nil {
		r.t.Fatal(err)
	}
	o.From, o.Snapshot, o.Report = from, "latest", func(Copied) {}
	done, err := Restore(r.t.Context(), cfg, o)
	if err != nil {
		r.t.Fatal(err)
	}
	return done
}

// rebuild rebuilds from the store, and returns all rows.
func (r *replacedRecords) rebuild() (map[string][]string, error) {
	r.t.Helper()
	r.again++
	cfg := r.config("GRANARY_DATABASE=sqlite:" + filepath.Join(r.dir, fmt.Sprint("again", r.again, ".db")))
	if _, err := Rebuild(r.t.Context(), cfg, RebuildOptions{Tell: func(Finding) error { return nil }}); err != nil {
		return nil, err
	}
	return rowsOf(r.t, cfg), nil
}

// check sees that a rebuild makes the restored database again, and with what came later.
func (r *replacedRecords) check() {
	r.t.Helper()
	want := rowsOf(r.t, r.config())
	got, err := r.rebuild()
	if err != nil {
		r.t.Fatal(err)
	}
	wantRows(r.t, got, want)
	stop := r.serve()
	if resp, _ := ask(r.t, "GET", r.url+demoFiles+"tool/1.0.0/after", nil); resp.StatusCode != 404 {
		r.t.Errorf("what came after the snapshot: %s, want 404", resp.Status)
	}
	r.deed("PUT", demoFiles+"tool/1.0.0/now", "after the restore")
	stop()
	want = rowsOf(r.t, r.config())
	if got, err = r.rebuild(); err != nil {
		r.t.Fatal(err)
	}
	wantRows(r.t, got, want)
}

// TestRestoreReplacesRecords: what a rebuild makes after a restore is what was restored, never
// what the store had before, also if the base is damaged that the restore wrote.
func TestRestoreReplacesRecords(t *testing.T) {
	t.Parallel()
	r := newReplacedRecords(t)
	done := r.restore(RestoreOptions{})
	if done.Replaced == nil || done.Replaced.UnixMicro() != r.later || done.Missing != 0 {
		t.Errorf("restored %+v", done)
	}
	events := rowsOf(t, r.config())["audit_events"]
	last := events[len(events)-1]
	for _, part := range []string{"database_rebuilt", "snapshot " + r.backup.Manifest.ID + " in file:" + filepath.Join(r.dir, "place"), "records_until", r.backup.Manifest.Began.Format(time.RFC3339), "command_line"} {
		if !strings.Contains(last, part) {
			t.Errorf("the first event does not have %q: %s", part, last)
		}
	}
	r.check()
	bases, err := filepath.Glob(filepath.Join(r.dir, "data", "blobs", "records", "*.base.jsonl.zst"))
	if err != nil || len(bases) != 2 {
		t.Fatalf("bases: %q, %v, want the old one and the new one", bases, err)
	}
	if err := os.WriteFile(bases[1], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.rebuild(); err == nil || !strings.Contains(err.Error(), "no base in the store is whole") {
		t.Errorf("with a damaged base: %v, want an error", err)
	}
	if err := os.Remove(bases[1]); err != nil {
		t.Fatal(err)
	}
	if _, err := r.rebuild(); err == nil || !strings.Contains(err.Error(), "are of another database") {
		t.Errorf("without the base: %v, want an error", err)
	}
}

// TestServerReplacesRecords: a restore that replaced no records, as one that died before it
// did, leaves that to the server. Nothing that is damaged in the old ones keeps it from that.
func TestServerReplacesRecords(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, folder string){
		"whole": func(*testing.T, string) {},
		"head": func(t *testing.T, folder string) {
			if err := os.WriteFile(filepath.Join(folder, "head"), []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"no head": func(t *testing.T, folder string) {
			if err := os.Remove(filepath.Join(folder, "head")); err != nil {
				t.Fatal(err)
			}
		},
		"delta": func(t *testing.T, folder string) {
			deltas, err := filepath.Glob(filepath.Join(folder, "*.delta.jsonl.zst"))
			if err == nil {
				err = os.WriteFile(deltas[len(deltas)-1], []byte("damaged"), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReplacedRecords(t)
			if done := r.restore(RestoreOptions{DatabaseOnly: true}); done.Replaced != nil {
				t.Errorf("restored %+v", done)
			}
			damage(t, filepath.Join(r.dir, "data", "blobs", "records"))
			r.serve()()
			r.check()
		})
	}
}

// TestRestoreWithAWrongClock: records of the future are replaced, too, and the journal sees
// what comes after the restore.
func TestRestoreWithAWrongClock(t *testing.T) {
	t.Parallel()
	r := newReplacedRecords(t)
	folder := filepath.Join(r.dir, "data", "blobs", "records")
	deltas, err := filepath.Glob(filepath.Join(folder, "*.delta.jsonl.zst"))
	if err != nil || len(deltas) == 0 {
		t.Fatal(deltas, err)
	}
	future := time.Now().Add(30 * time.Second).UnixMicro()
	if err := os.Rename(deltas[len(deltas)-1], filepath.Join(folder, fmt.Sprintf("%019d.delta.jsonl.zst", future))); err != nil {
		t.Fatal(err)
	}
	if done := r.restore(RestoreOptions{}); done.Replaced == nil || done.Replaced.UnixMicro() != future {
		t.Errorf("restored %+v", done)
	}
	r.check()
}
