package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/blob/s3/s3test"
	"granary/internal/config"
	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

var (
	lostBackups    = flag.Int("lost.backups", 2, "how many backups TestBackupBesidePublishers kills")
	lostPublishers = flag.Int("lost.publishers", 4, "beside how many clients that publish without a pause")
)

// backUp backs up beside a running server.
func backUp(ctx context.Context, cfg config.Config, place string) (done BackedUp, err error) {
	to, err := cfg.WithBlobs(place)
	if err != nil {
		return done, err
	}
	return backUpWith(ctx, cfg, BackupOptions{To: to, Report: func(BackupProgress) {}})
}

// grounds are where a server has its records and bytes, where its backups are, and where
// it is restored.
type grounds struct {
	old, new []string // settings
	place    string
}

func (g grounds) settings(t *testing.T, of []string) config.Config {
	t.Helper()
	cfg, err := settings(append([]string{noReserve}, of...), "--inline-max=4096")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// allGrounds are SQLite with directories, and PostgreSQL with S3.
func allGrounds(t *testing.T, test func(*testing.T, grounds)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		test(t, grounds{
			old:   []string{asRoot, "GRANARY_DATA_DIR=" + filepath.Join(dir, "old")},
			new:   []string{asRoot, "GRANARY_DATA_DIR=" + filepath.Join(dir, "new")},
			place: "file:" + filepath.Join(dir, "place"),
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		bucket := s3test.Start(t)
		at := func(prefix string) string {
			return "s3://" + s3test.Bucket + "/" + prefix + "?region=" + s3test.Region + "&endpoint=" + bucket.URL
		}
		with := func(prefix string) []string {
			return []string{
				asRoot, "GRANARY_DATA_DIR=" + t.TempDir(), "GRANARY_ENCRYPTION_KEY=" + strings.Repeat("0a", 32),
				"GRANARY_DATABASE=" + metadbtest.Postgres(t, func(string) error { return nil }), "GRANARY_BLOBS=" + at(prefix),
				"GRANARY_S3_ACCESS_KEY_ID=" + s3test.AccessKeyID, "GRANARY_S3_SECRET_ACCESS_KEY=" + s3test.SecretAccessKey,
			}
		}
		test(t, grounds{old: with("old"), new: with("new"), place: at("place")})
	})
}

// publications are what clients published and got a 201 for.
type publications struct {
	mu    sync.Mutex
	bytes map[string]string // by path
}

func (p *publications) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.bytes)
}

func (p *publications) all() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.bytes)
}

// publish publishes small files and large ones until ctx is done.
func (p *publications) publish(ctx context.Context, t *testing.T, url string, client int) {
	for n := 0; ctx.Err() == nil; n++ {
		path := fmt.Sprintf("tool/%d.%d.0/f", client, n)
		body := strings.Repeat(path, 1+n%2*2000) // in the database, or in the store
		resp, said := ask(t, http.MethodPut, url+demoFiles+path, strings.NewReader(body))
		if resp.StatusCode != http.StatusCreated {
			t.Errorf("%s: %s %s", path, resp.Status, said)
			return
		}
		p.mu.Lock()
		p.bytes[path] = body
		p.mu.Unlock()
	}
}

// TestBackupBesidePublishers kills backups (SIGKILL) while clients publish as fast as they
// can, lets the next one end, loses the server and restores it: what was acknowledged before
// that backup began is there, what came later is there whole or not at all, and fsck finds
// nothing.
func TestBackupBesidePublishers(t *testing.T) {
	t.Parallel()
	allGrounds(t, func(t *testing.T, g grounds) {
		began, random := time.Now(), rand.New(rand.NewPCG(*lostSeed, 2))
		url, stop := serveHere(t, g.old, "--inline-max=4096")
		published := &publications{bytes: map[string]string{}}
		ctx, cancel := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for client := range *lostPublishers {
			clients.Go(func() { published.publish(ctx, t, url, client) })
		}
		eventually.Holds(t, "files are published", func() bool { return published.len() > 100 || t.Failed() })
		killed, tries := 0, 0
		for ; killed < *lostBackups && tries < 3**lostBackups; tries++ {
			if g.killBackup(t, random, tries, published.len()) {
				killed++
			}
		}
		before := published.all()
		done, err := backUp(t.Context(), g.settings(t, g.old), g.place)
		if err != nil || done.Manifest.Lost.Count > 0 {
			t.Fatalf("%+v, %v", done.Manifest.Lost, err)
		}
		eventually.Holds(t, "more is published", func() bool { return published.len() > len(before)+20 || t.Failed() })
		cancel()
		clients.Wait()
		stop()
		if dry, err := g.tryRestore(t, RestoreOptions{DryRun: true}); err != nil || dry.Missing > 0 {
			t.Errorf("a dry run: %v, %v", dry.Lost, err)
		}
		restored := g.restore(t, RestoreOptions{})
		if restored.Missing > 0 || killed < *lostBackups {
			t.Errorf("%d of %d backups were killed; missing after the restore: %v", killed, *lostBackups, restored.Lost)
		}
		g.wantWhole(t, g.new, -1)
		url, stop = serveHere(t, g.new)
		defer stop()
		checkRestored(t, url, before, published.all())
		t.Logf("%d of %d backups were killed beside %d publishers; %d files were acknowledged before the last, %d and %d are in the snapshot, of which %d and %d were copied last; %v (seed %d)",
			killed, tries, *lostPublishers, len(before), done.Manifest.Blobs.Count, done.Manifest.Packed.Count, done.New.Count, done.NewSmall.Count, time.Since(began).Round(time.Second), *lostSeed)
		if r := g.check(t, "all"); r.Damaged > 0 || r.Read != r.Blobs+int64(r.Packs) {
			t.Errorf("the place: %+v", r)
		}
		g.forgetAll(t)
	})
}

// forgetAll forgets all snapshots; nothing is left then.
func (g grounds) forgetAll(t *testing.T) {
	t.Helper()
	found, err := ListBackups(t.Context(), g.placeSettings(t), func(string) {})
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	for _, s := range found {
		if _, err := ForgetBackup(t.Context(), g.placeSettings(t), s.ID); err != nil {
			t.Errorf("forgetting %s: %v", s.ID, err)
		}
	}
	if r := g.check(t, "all"); r.Damaged > 0 || r.Snapshots+r.Packs+int(r.Blobs) > 0 {
		t.Errorf("all is forgotten, and left is %+v", r)
	}
}

// killBackup kills a backup: in turn after it has looked at so many blobs, before it writes
// a note, and at any time.
func (g grounds) killBackup(t *testing.T, random *rand.Rand, n, published int) (killed bool) {
	t.Helper()
	point, nth := "report", 1+random.IntN(published)
	after := time.Duration(random.IntN(1500)) * time.Millisecond
	switch n % 3 {
	case 1:
		if strings.HasPrefix(g.place, "file:") {
			point, nth = "before-note-rename", 1+random.IntN(6)
		}
	case 2:
		point = ""
	}
	cmd, said := deedProcess(t, g.old, "backup "+g.place, point, nth)
	if point == "" {
		time.Sleep(after)
		_ = cmd.Process.Kill() // it may be gone already
	}
	return wasKilled(t, cmd, said)
}

// wantWhole checks that fsck, which reads every byte, finds nothing; and so many files, if
// that is not negative.
func (g grounds) wantWhole(t *testing.T, of []string, files int64) {
	t.Helper()
	a, err := OpenAdmin(t.Context(), g.settings(t, of), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	done, err := a.Fsck(t.Context(), FsckOptions{Read: AllBlobs(), Progress: func(Checked) {}, Tell: func(f Finding) error {
		t.Errorf("fsck found %+v", f)
		return nil
	}})
	if err != nil || files >= 0 && done.Files != files {
		t.Errorf("fsck: %+v, %v, want %d files", done, err, files)
	}
}

// restore restores from the place to the new settings, with the key of the old ones.
func (g grounds) restore(t *testing.T, o RestoreOptions) Restored {
	t.Helper()
	done, err := g.tryRestore(t, o)
	if err != nil {
		t.Fatal(err)
	}
	old, cfg := g.settings(t, g.old), g.settings(t, g.new)
	key, err := os.ReadFile(filepath.Join(old.DataDir, keyFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(cfg.DataDir, keyFile), key, 0o600)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return done
}

func (g grounds) tryRestore(t *testing.T, o RestoreOptions) (Restored, error) {
	t.Helper()
	cfg := g.settings(t, g.new)
	from, err := cfg.WithBlobs(g.place)
	if err != nil {
		t.Fatal(err)
	}
	o.From, o.Report = from, func(Copied) {}
	if o.Warn == nil {
		o.Warn = func(text string) {
			if !strings.Contains(text, "the store has records up to") {
				t.Errorf("a warning: %s", text)
			}
		}
	}
	if o.Snapshot == "" {
		o.Snapshot = "latest"
	}
	o.askFor = time.Millisecond
	return Restore(t.Context(), cfg, o)
}

// checkRestored asks for all files.
func checkRestored(t *testing.T, url string, before, all map[string]string) {
	t.Helper()
	lost := 0
	for path, body := range all {
		resp, got := ask(t, http.MethodGet, url+demoFiles+path, nil)
		_, promised := before[path]
		switch {
		case resp.StatusCode == http.StatusOK && got == body:
		case resp.StatusCode == http.StatusNotFound && !promised:
			lost++
		default:
			t.Errorf("%s, acknowledged before the backup %v: %s, %d bytes", path, promised, resp.Status, len(got))
		}
	}
	if len(all) > len(before) && lost == 0 {
		t.Error("what was published after the backup is there: the server was not restored")
	}
	if resp, said := ask(t, http.MethodPut, url+demoFiles+"new/1.0.0/f", strings.NewReader("new")); resp.StatusCode != http.StatusCreated {
		t.Errorf("a new file: %s %s", resp.Status, said)
	}
}
