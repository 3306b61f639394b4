package metadb

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/records"
)

// wornDisk is a store on a disk that cannot read some notes to their end, whose names have a text
// in them.
type wornDisk struct {
	*disk.Store
	worn string
	away bool // it can read nothing
}

func (w *wornDisk) Stat(ctx context.Context, d blob.Digest) (int64, error) {
	if w.away {
		return 0, &fs.PathError{Op: "stat", Path: d.String(), Err: syscall.EIO}
	}
	return w.Store.Stat(ctx, d)
}

func (w *wornDisk) Note(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	note, err := w.Store.Note(ctx, name)
	if err != nil || w.worn == "" || !strings.Contains(name, w.worn) {
		return note, err
	}
	return struct {
		io.Reader
		io.Seeker
		io.Closer
	}{io.MultiReader(io.LimitReader(note, 60), iotest.ErrReader(&fs.PathError{Op: "read", Path: name, Err: syscall.EIO})), note, note}, nil
}

// TestJournalOnAWornDisk: what a disk cannot read is damaged, unless it can read nothing. A rebuild
// goes on without it, and a journal writes it anew.
func TestJournalOnAWornDisk(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		projectID, _ := lived(t, db)
		k := keep(t, db)
		k.event(-time.Second, "Job", 1)
		k.step(true)
		small := rowsOf(t, db, "blob_contents")
		worn := &wornDisk{Store: k.store, worn: ".pack"}
		f, err := records.Find(t.Context(), blob.Readable(worn), k.j.Identity)
		must(t, f, err)
		into := &records.JournalTarget{Target: openSQLite(t), Packs: f.Packs}
		s, err := records.Replay(t.Context(), into, f.Files)
		if must(t, s, err); len(into.Bad) != len(f.Packs) || len(f.Packs) == 0 || into.Bodies >= small {
			t.Errorf("of %d packs, these are bad: %v; %d bodies of %d", len(f.Packs), into.Bad, into.Bodies, small)
		}
		worn.worn, worn.away = "records/head", true
		k.restart()
		k.j.Store = blob.ReadableNotes(worn)
		if _, err := k.j.Step(t.Context(), false); !errors.Is(err, syscall.EIO) || errors.Is(err, records.ErrDamaged) || k.j.Damage().Found() {
			t.Errorf("with a disk that can read nothing: %v, damage %q", err, k.j.Damage().What)
		}
		worn.away = false
		for i, what := range []string{".pack", "records/head"} {
			publishTo(t, db, projectID, 1000+i)
			k.after(25 * time.Hour)
			k.event(-time.Second, "Job", 1)
			k.restart()
			worn.worn, k.j.Store = what, blob.ReadableNotes(worn)
			k.j.CrashPoint = func(name string) {
				if name == "base" {
					worn.worn = "" // it stands elsewhere on the disk
				}
			}
			k.step(true)
			if n := rowsOf(t, k.rebuilt(), "blob_contents"); n != small+int64(i)+1 {
				t.Errorf("after a disk could not read %s: %d bodies, want %d", what, n, small+int64(i)+1)
			}
		}
	})
}
