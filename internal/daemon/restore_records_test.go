package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/blob/disk"
	"granary/internal/blob/s3/s3test"
	"granary/internal/config"
	"granary/internal/eventually"
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

// newReplacedRecords is one on SQLite and a directory, or on PostgreSQL and S3.
func newReplacedRecords(t *testing.T, cluster bool) *replacedRecords {
	t.Helper()
	dir := metadbtest.Memory(t)
	r := &replacedRecords{dir: dir, lostDatabase: &lostDatabase{
		t: t, random: rand.New(rand.NewPCG(9, 9)), environ: []string{asRoot, testKey}, args: []string{"--data-dir=" + filepath.Join(dir, "data")},
	}}
	database := func(name string) string {
		if cluster {
			return "GRANARY_DATABASE=" + metadbtest.Postgres(t, func(string) error { return nil })
		}
		return "GRANARY_DATABASE=sqlite:" + filepath.Join(dir, name)
	}
	if cluster {
		environ, place := inS3(s3test.Start(t))
		r.environ, r.args = append(r.environ, environ...), append(r.args, place)
	}
	r.environ = append(r.environ, database("lost.db"))
	stop := r.serve()
	r.deed("PUT", demoFiles+"tool/1.0.0/before", "before the backup")
	r.deed("POST", "/api/v4/projects/root%2Fdemo/variables", "key=KEY&value=secret")
	var err error
	if r.backup, err = backUp(t.Context(), r.config(), "file:"+filepath.Join(dir, "place")); err != nil {
		t.Fatal(err)
	}
	r.deed("PUT", demoFiles+"tool/1.0.0/after", "after the backup")
	stop()
	r.inStore(func(s store) { r.later, err = records.Newest(t.Context(), s) })
	if err != nil || r.later == 0 {
		t.Fatal(r.later, err)
	}
	r.environ[len(r.environ)-1] = database("new.db")
	return r
}

// inStore opens the store.
func (r *replacedRecords) inStore(do func(store)) {
	r.t.Helper()
	s, err := openBlobs(r.t.Context(), r.config(), crashPoints{})
	if err != nil {
		r.t.Fatal(err)
	}
	do(s)
	if c, ok := s.(io.Closer); ok {
		_ = c.Close()
	}
}

// notes are the names of the notes in the records that end so, in their order.
func (r *replacedRecords) notes(end string) (names []string) {
	r.t.Helper()
	r.inStore(func(s store) {
		for note, err := range s.Notes(r.t.Context(), recordsPrefix) {
			if err != nil {
				r.t.Fatal(err)
			}
			if strings.HasSuffix(note.Name, end) {
				names = append(names, note.Name)
			}
		}
	})
	return names
}

// put replaces a note; "" removes it.
func (r *replacedRecords) put(name, text string) {
	r.t.Helper()
	r.inStore(func(s store) {
		err := s.DeleteNote(r.t.Context(), name)
		if text != "" {
			err = s.PutNote(r.t.Context(), name, strings.NewReader(text), int64(len(text)))
		}
		if err != nil {
			r.t.Fatal(err)
		}
	})
}

func (r *replacedRecords) serve() (stop func()) {
	r.t.Helper()
	url, end := serveHere(r.t, r.environ, r.args...)
	r.url = url
	return func() { end() }
}

// serveUntilReplaced runs a server on a disk until it has begun a new journal. One that is
// stopped before its background tasks have begun leaves that to the next.
func (r *replacedRecords) serveUntilReplaced() {
	r.t.Helper()
	stop := r.serve()
	defer stop()
	eventually.Holds(r.t, "a new journal", func() bool {
		note, err := disk.NoteIn(r.config().Blobs.Path, "records/head")
		if err != nil {
			return false
		}
		defer note.Close()
		var head records.Head
		return json.NewDecoder(note).Decode(&head) == nil && head.Begins > 0
	})
}

// place is the place of the backups, as settings.
func (r *replacedRecords) place(cfg config.Config) config.Config {
	r.t.Helper()
	place, err := cfg.WithBlobs("file:" + filepath.Join(r.dir, "place"))
	if err != nil {
		r.t.Fatal(err)
	}
	return place
}

func (r *replacedRecords) restore(o RestoreOptions) Restored {
	r.t.Helper()
	cfg := r.config()
	o.From, o.Snapshot, o.Report = r.place(cfg), "latest", func(Copied) {}
	done, err := Restore(r.t.Context(), cfg, o)
	if err != nil {
		r.t.Fatal(err)
	}
	return done
}

// TestRestoreBesideOtherRecords: records that the restore could not replace keep it from the
// beginning.
func TestRestoreBesideOtherRecords(t *testing.T) {
	t.Parallel()
	r := newReplacedRecords(t, false)
	cfg := r.config()
	from := r.place(cfg)
	for head, want := range map[string]string{
		`{"format":99,"base":"1"}`:                     "use a newer granary",
		`{"format":1,"base":"1","identity":"another"}`: "move its folder records away",
	} {
		r.put("records/head", head)
		_, err := Restore(t.Context(), cfg, RestoreOptions{From: from, Snapshot: "latest", Report: func(Copied) {}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", head, err, want)
		}
	}
	r.put("records/head", "damaged")
	r.restore(RestoreOptions{})
	r.check()
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
	for name, cluster := range map[string]bool{"sqlite": false, "postgres": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReplacedRecords(t, cluster)
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
			bases := r.notes(".base.jsonl.zst")
			if len(bases) != 2 {
				t.Fatalf("bases: %q, want the old one and the new one", bases)
			}
			r.put(bases[1], "damaged")
			if _, err := r.rebuild(); err == nil || !strings.Contains(err.Error(), "no base in the store is whole") {
				t.Errorf("with a damaged base: %v, want an error", err)
			}
			r.put(bases[1], "")
			if _, err := r.rebuild(); err == nil || !strings.Contains(err.Error(), "are of another database") {
				t.Errorf("without the base: %v, want an error", err)
			}
		})
	}
}

// TestServerReplacesRecords: a restore that replaced no records, as one that died before it
// did, leaves that to the server. Nothing that is damaged in the old ones keeps it from that.
func TestServerReplacesRecords(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(*replacedRecords){
		"whole":   func(*replacedRecords) {},
		"head":    func(r *replacedRecords) { r.put("records/head", "damaged") },
		"no head": func(r *replacedRecords) { r.put("records/head", "") },
		"delta": func(r *replacedRecords) {
			deltas := r.notes(".delta.jsonl.zst")
			r.put(deltas[len(deltas)-1], "damaged")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReplacedRecords(t, false)
			if done := r.restore(RestoreOptions{DatabaseOnly: true}); done.Replaced != nil {
				t.Errorf("restored %+v", done)
			}
			damage(r)
			r.serveUntilReplaced()
			r.check()
		})
	}
}

// TestRecordsAreReplacedInSteps ends the writing of the base that replaces records after each
// of its steps: the next one completes it.
func TestRecordsAreReplacedInSteps(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"pack", "base", "head"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			r := newReplacedRecords(t, false)
			r.restore(RestoreOptions{DatabaseOnly: true})
			cut := ""
			r.inServer(func(s *server) {
				defer func() { _ = recover() }()
				identity, _, err := s.db.StoreIdentity(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				j := records.Journal{Store: s.blobs, Database: s.db, Identity: identity, Now: time.Now, CrashPoint: func(name string) {
					if name == point {
						cut = name
						panic(name)
					}
				}}
				_, err = j.Step(t.Context(), false)
				t.Errorf("the step ended: %v", err)
			})
			if cut == "" {
				t.Errorf("there was no step %s", point)
			}
			r.serveUntilReplaced()
			r.check()
		})
	}
}

// inServer opens everything as a server does, without one that runs.
func (r *replacedRecords) inServer(do func(*server)) {
	r.t.Helper()
	cfg := r.config()
	log := NewLogger(cfg, io.Discard)
	s, err := open(r.t.Context(), cfg, "test", log, crashPoints{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer s.close(log)
	do(s)
}

// TestRestoreWithAWrongClock: records of the future are replaced, too, and the journal sees
// what comes after the restore.
func TestRestoreWithAWrongClock(t *testing.T) {
	t.Parallel()
	r := newReplacedRecords(t, false)
	future := time.Now().Add(30 * time.Second).UnixMicro()
	r.put(fmt.Sprintf("records/%019d.delta.jsonl.zst", future), "of a server whose clock was wrong")
	if done := r.restore(RestoreOptions{}); done.Replaced == nil || done.Replaced.UnixMicro() != future {
		t.Errorf("restored %+v", done)
	}
	r.check()
}
