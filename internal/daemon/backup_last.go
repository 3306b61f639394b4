package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/metadb"
	"granary/internal/records"
	"granary/internal/trouble"
)

// note records the backup in the database, where the server sees how old it is.
func (b *backup) note(ctx context.Context) error {
	m := b.done.Manifest
	last := metadb.LastBackup{Snapshot: m.ID, Place: placeText(b.o.To.Blobs), Began: m.Began}
	event := commandLineEvent(audit.BackupCreated, time.Now()).
		To("Backup", 0, fmt.Sprintf("snapshot %s in %s", m.ID, last.Place)).
		With("backup", "", fmt.Sprintf("%d rows, %d files of %d bytes, %d small files of %d bytes, %d files lost",
			m.Records.Rows, m.Blobs.Count, m.Blobs.Bytes, m.Packed.Count, m.Packed.Bytes, m.Lost.Count))
	if err := b.admin.server.db.BackedUp(ctx, last, event); err != nil {
		return fmt.Errorf("the snapshot %s is complete, but the database could not record that: %w", m.ID, err)
	}
	return nil
}

// foreignSnapshot is the newest of all snapshots in the place, if its last event is none of this
// database's: a second server with the same records, such as one that was restored, backs up to
// the same place. "" if it is one of this one's, or was removed for its age. A snapshot that is
// later than now tells of a clock that was wrong.
func (b *backup) foreignSnapshot(ctx context.Context, all []Snapshot) (string, error) {
	now := records.NewSnapshotID(time.Now()) // an id begins with its time
	for _, s := range slices.Backward(all) {
		if s.ID > now || s.Damage != "" {
			continue
		}
		last, err := b.lastEventOf(ctx, s.ID)
		if errors.Is(err, errRecordsDamaged) {
			continue
		}
		if err != nil {
			return "", err
		}
		events, err := b.admin.server.db.EventsAround(ctx, last)
		if err != nil {
			return "", fmt.Errorf("cannot read the %s: %w", b.admin.cfg.Database, err)
		}
		if !events.Lack(last, b.admin.cfg.AuditRetention, time.Now()) {
			return "", nil
		}
		return s.ID, nil
	}
	return "", nil
}

// lastEventOf is the id of the last event in a snapshot's records, as their first line says; 0 if
// there is none.
func (b *backup) lastEventOf(ctx context.Context, id string) (int64, error) {
	note, err := b.target.Note(ctx, recordsNoteOf(id))
	if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrUnreadable) {
		return 0, errRecordsDamaged
	}
	if err != nil {
		return 0, err
	}
	defer note.Close()
	r, err := records.NewReader("the records of the snapshot "+id, note)
	if err != nil {
		return 0, errors.Join(errRecordsDamaged, context.Cause(ctx))
	}
	defer r.Close()
	return r.Header().To, nil
}

// commandLineEvent is the event of a deed on the server's machine that needs no user.
func commandLineEvent(name audit.Name, at time.Time) audit.Event {
	return audit.Event{Name: name, At: at, Author: audit.Author{Credential: audit.CommandLine}, Entity: audit.WholeInstance()}
}

// placeText is a place as events and the log show it, from wherever it was named.
func placeText(at config.Location) string {
	if path, err := filepath.Abs(at.Path); err == nil && at.Scheme == "file" {
		at.Path = path
	}
	return at.String()
}

const lookAtBackupEvery = 10 * time.Second

// lastBackup shows how old the newest backup is: on the node that does the upkeep for all,
// and if a backup was ever made.
type lastBackup struct {
	warnAfter time.Duration // 0: never
	age       *prometheus.GaugeVec
	old       *trouble.Trouble
	warned    bool // only the task knows it
}

func newLastBackup(cfg config.Config, log *slog.Logger) *lastBackup {
	return &lastBackup{
		warnAfter: cfg.BackupWarnAfter,
		age: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "granary_backup_age_seconds",
			Help: "Time since the newest complete backup began, by granary backup; only on the node that runs the upkeep for all nodes, and not before the first backup.",
		}, nil),
		old: trouble.New(log, "the last backup is too old: granary backup makes a new one; backup-warn-after says when to warn", "a new backup was made"),
	}
}

// forget shows nothing more: another node does the upkeep.
func (l *lastBackup) forget() {
	l.age.Reset()
	l.warned = false
}

// watchBackups looks at the age of the newest backup until ctx is done.
func (s *server) watchBackups(ctx context.Context, log *slog.Logger) {
	look := func() {
		s.tasks.do(ctx, log, "last backup", func(ctx context.Context) (int, error) {
			last, err := s.db.LastBackup(ctx)
			if err == nil && last != nil {
				s.backup.saw(*last, time.Since(last.Began))
			}
			return 0, err
		})
	}
	look()
	every(ctx, lookAtBackupEvery, look)
}

// saw shows the age of the newest backup, and logs once that it is too old, and once that it is
// no longer.
func (l *lastBackup) saw(b metadb.LastBackup, age time.Duration) {
	l.age.WithLabelValues().Set(age.Seconds())
	tooOld := l.warnAfter > 0 && age > l.warnAfter
	if tooOld == l.warned {
		return
	}
	l.warned = tooOld
	var err error
	if tooOld {
		err = errors.New("no backup was completed since then")
	}
	l.old.Saw(err, "began", b.Began.UTC().Format(time.RFC3339), "snapshot", b.Snapshot, "place", b.Place)
}
