package daemon

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/blob/s3/s3test"
	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// TestRebuildBesideAServer: while a server uses a store, whatever its database is and whatever
// has become of that, no other database is made for the store. Once the server is gone, also by
// a kill, one is.
func TestRebuildBesideAServer(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"SQLite, directory", "PostgreSQL, directory", "SQLite, bucket"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			environ := []string{asRoot, noReserve, testKey}
			args := []string{"--data-dir=" + filepath.Join(dir, "data"), "--blobs=file:" + filepath.Join(dir, "blobs")}
			wants := "is running on " + filepath.Join(dir, "blobs")
			if strings.HasSuffix(kind, "bucket") {
				more, place := inS3(s3test.Start(t))
				environ, args[1] = append(environ, more...), place
				wants = "a server uses s3://"
			}
			if strings.HasPrefix(kind, "PostgreSQL") {
				environ = append(environ, "GRANARY_DATABASE="+metadbtest.NewServer(t).DSN("granary"))
			}
			p, url := startIn(t, environ, args...)
			publishTo(t, url, map[string]string{}, "tool/1.0.0/small", "small")
			p.terminate(t, time.Minute)
			p, _ = startIn(t, environ, args...)

			cfg, err := settings(append(environ, "GRANARY_DATABASE=sqlite:"+filepath.Join(dir, "other", "granary.db")), args...)
			if err != nil {
				t.Fatal(err)
			}
			told := ""
			o := RebuildOptions{Tell: func(Finding) error { return nil }, Notice: func(text string) { told = text }}
			if _, err := Rebuild(t.Context(), cfg, o); err == nil || !strings.Contains(err.Error(), wants) {
				t.Errorf("beside the server: %v, want %q", err, wants)
			}
			if isBucket := cfg.Blobs.Scheme == "s3"; isBucket != strings.Contains(told, "15s") {
				t.Errorf("it told %q", told)
			}
			if done, err := Rebuild(t.Context(), cfg, RebuildOptions{Tell: o.Tell, DryRun: true}); err != nil || !done.Whole() {
				t.Errorf("a dry run beside the server: %+v, %v", done, err)
			}
			p.kill()
			if done, err := Rebuild(t.Context(), cfg, o); err != nil || !done.Whole() || done.Bodies != 1 {
				t.Errorf("after a kill: %+v, %v", done, err)
			}
		})
	}
}

// TestRestoreBesideAServer: likewise a restore, to the store of the same records.
func TestRestoreBesideAServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	blobs := "GRANARY_BLOBS=file:" + filepath.Join(dir, "blobs")
	g := grounds{
		old:   []string{asRoot, testKey, blobs, "GRANARY_DATA_DIR=" + filepath.Join(dir, "old"), "GRANARY_DATABASE=" + metadbtest.NewServer(t).DSN("granary")},
		new:   []string{asRoot, testKey, blobs, "GRANARY_DATA_DIR=" + filepath.Join(dir, "new"), "GRANARY_DATABASE=" + metadbtest.NewServer(t).DSN("granary")},
		place: "file:" + filepath.Join(dir, "place"),
	}
	url, stop := serveHere(t, g.old)
	publishTo(t, url, map[string]string{}, "tool/1.0.0/large", strings.Repeat("large", 20_000))
	g.backUp(t)
	for _, o := range []RestoreOptions{{}, {DryRun: true}} {
		if _, err := g.tryRestore(t, o); err == nil || !strings.Contains(err.Error(), "is running on "+filepath.Join(dir, "blobs")) {
			t.Errorf("beside a node, %+v: %v", o, err)
		}
	}
	stop()
	dry, err := g.tryRestore(t, RestoreOptions{DryRun: true})
	if done := g.restore(t, RestoreOptions{}); err != nil || dry.Present != 1 || done.Present != 1 || dry.Files+done.Files > 0 {
		t.Errorf("there are %d files already, and a dry run says %d, %v", done.Present, dry.Present, err)
	}
}

// TestStrangerOnABucket: a server whose bucket the server of another database uses ends by
// itself before it changes anything there. A node of the same database stays, and keeps the
// records when the first is gone.
func TestStrangerOnABucket(t *testing.T) {
	t.Parallel()
	dir, patient := t.TempDir(), askFor+"=7s"
	environ, place := inS3(s3test.Start(t))
	environ = append(environ, noReserve, testKey, "GRANARY_RECORDS_EVERY=1s")
	shared := append(slices.Clone(environ), "GRANARY_DATABASE="+metadbtest.NewServer(t).DSN("granary"))
	args := []string{"--data-dir=" + filepath.Join(dir, "data"), place}
	first, url := startIn(t, shared, args...)
	publishTo(t, url, map[string]string{}, "tool/1.0.0/small", "small")
	first.terminate(t, time.Minute)

	alone := append(slices.Clone(environ), patient, "GRANARY_DATABASE=sqlite:"+filepath.Join(dir, "other", "granary.db"))
	cfg, err := settings(alone, args...)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := Rebuild(t.Context(), cfg, RebuildOptions{Tell: func(Finding) error { return nil }, askFor: time.Millisecond}); err != nil || !done.Whole() {
		t.Fatalf("the second database: %+v, %v", done, err)
	}
	first, _ = startIn(t, shared, args...)
	node, url := startIn(t, append(slices.Clone(shared), patient), "--data-dir="+filepath.Join(dir, "node"), place)
	stranger, _ := startIn(t, alone, "--data-dir="+filepath.Join(dir, "other"), place)
	select {
	case <-stranger.exited:
	case <-time.After(time.Minute):
		t.Fatal("the server of another database goes on")
	}
	if log := stranger.logged(); stranger.err == nil || !strings.Contains(log, "a server with another database uses s3://") {
		t.Errorf("the server of another database ended with %v:\n%s", stranger.err, log)
	}
	first.kill()
	publishTo(t, url, map[string]string{}, "tool/1.0.0/later", "later")
	eventually.HoldsWithin(t, time.Minute, "the other node keeps the records", func() bool {
		_, metrics := ask(t, "GET", url+"/-/metrics", nil)
		return strings.Contains(metrics, "granary_upkeep_running 1")
	})
	node.terminate(t, time.Minute)
}
