package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/config"
	"granary/internal/eventually"
	"granary/internal/metadb"
	"granary/internal/records"
	"granary/internal/sqldb"
)

// TestLastBackup: a running server shows the age of a backup that the command made, and warns
// if it is too old; a server that is restored says the same of the backup it came from.
func TestLastBackup(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	server, url := startIn(t, g.old)
	age := func() (string, bool) {
		_, metrics := ask(t, "GET", url+"/-/metrics", nil)
		_, after, shown := strings.Cut(metrics, "\ngranary_backup_age_seconds ")
		value, _, _ := strings.Cut(after, "\n")
		return value, shown
	}
	eventually.Holds(t, "the upkeep runs", func() bool {
		_, metrics := ask(t, "GET", url+"/-/metrics", nil)
		return strings.Contains(metrics, `granary_task_last_success_timestamp_seconds{task="last backup"}`)
	})
	if value, shown := age(); shown {
		t.Errorf("before the first backup its age is %s", value)
	}
	done := g.backUp(t)
	eventually.Holds(t, "the server shows the age", func() bool { _, shown := age(); return shown })
	_, said := ask(t, "GET", url+"/api/v4/audit_events", nil)
	for _, part := range []string{`backup_created`, `snapshot ` + done.Manifest.ID + ` in file:` + filepath.Join(dir, "place"), `4 files of 400000 bytes, 4 small files of 400 bytes, 0 files lost`} {
		if !strings.Contains(said, part) {
			t.Errorf("the events do not have %q: %.2000s", part, said)
		}
	}
	server.terminate(t, time.Minute)
	restored := g.restore(t, RestoreOptions{})
	a, err := OpenAdmin(t.Context(), g.settings(t, g.new), "test")
	if err != nil {
		t.Fatal(err)
	}
	last, err := a.server.db.LastBackup(t.Context())
	if err != nil || last == nil || last.Snapshot != done.Manifest.ID || !last.Began.Equal(restored.Manifest.Began) {
		t.Errorf("the restored database's last backup is %+v, %v, want that of %s", last, err, done.Manifest.ID)
	}
	if kept, err := a.Kept(t.Context()); err != nil || kept.Journal || kept.LastBackup == nil {
		t.Errorf("a restored server that has not run: %+v, %v", kept, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestWarningOfAnOldBackup: one line when the backup is too old, and one when there is a new one.
func TestWarningOfAnOldBackup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		after time.Duration
		want  []string
	}{
		{48 * time.Hour, []string{"level=WARN", "level=INFO", "level=WARN"}},
		{0, nil},
	} {
		var log bytes.Buffer
		l := newLastBackup(config.Config{BackupWarnAfter: c.after}, slog.New(slog.NewTextHandler(&log, nil)))
		for _, age := range []time.Duration{0, 48 * time.Hour, 48*time.Hour + 1, 50 * time.Hour, 0, time.Hour, 60 * time.Hour, 61 * time.Hour} {
			l.saw(metadb.LastBackup{Snapshot: "the-id", Place: "file:/b", Began: time.Unix(1_800_000_000, 0)}, age)
		}
		lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
		if len(c.want) == 0 {
			lines = lines[1:]
		}
		if len(lines) != len(c.want) {
			t.Fatalf("after %v: want %d lines:\n%s", c.after, len(c.want), log.String())
		}
		for i, level := range c.want {
			if !strings.Contains(lines[i], level) || !strings.Contains(lines[i], "began=2027-01-15T08:00:00Z snapshot=the-id place=file:/b") {
				t.Errorf("want %s: %s", level, lines[i])
			}
		}
	}
}

// TestKeptOfAnOlderDatabase: fsck does not say that the journal is up to date if it is that of
// a newer database.
func TestKeptOfAnOlderDatabase(t *testing.T) {
	t.Parallel()
	g, _, _ := oldPlace(t)
	cfg := g.settings(t, g.old)
	a, err := OpenAdmin(t.Context(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if kept, err := a.Kept(t.Context()); err != nil || !kept.Journal || kept.Behind != 0 || kept.LastBackup != nil {
		t.Errorf("after an orderly stop: %+v, %v", kept, err)
	}
	g.backUp(t) // which is an event
	if kept, err := a.Kept(t.Context()); err != nil || kept.Behind <= 0 || kept.Behind > time.Hour || kept.LastBackup == nil {
		t.Errorf("after a backup: %+v, %v", kept, err)
	}
	store, err := openSource(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	head, err := records.ReadHead(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	remove := func(tx *sqldb.Tx) error { return tx.Exec(`DELETE FROM audit_events WHERE id = $1`, head.Event) }
	if err := a.server.db.Do(t.Context(), remove); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Kept(t.Context()); !errors.Is(err, records.ErrOlder) {
		t.Errorf("without the last event of the base: %v, want ErrOlder", err)
	}
}
