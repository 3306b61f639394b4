package registry

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestDownloadsBetweenFlushesAreBounded: of the noted downloads of a package the last
// counts.
func TestDownloadsBetweenFlushesAreBounded(t *testing.T) {
	now := time.Unix(1, 0)
	r := &Registry{Now: func() time.Time { return now }}
	for id := range int64(2 * downloadsMost) {
		r.Downloaded(File{PackageID: id})
	}
	now = now.Add(time.Second)
	r.Downloaded(File{PackageID: 7})
	if at := r.downloads.at; len(at) != downloadsMost || !at[7].Equal(now) {
		t.Errorf("%d packages were noted, the seventh at %v", len(at), at[7])
	}
}

// touched fails once, and then stores what it gets.
type touched struct {
	Records
	err error
	at  map[int64]time.Time
}

func (r *touched) TouchDownloads(_ context.Context, at map[int64]time.Time) error {
	if err := r.err; err != nil {
		r.err = nil
		return err
	}
	r.at = at
	return nil
}

// If a flush fails, the next one records its downloads with the newer ones.
func TestDownloadsWaitForTheNextFlush(t *testing.T) {
	away := errors.New("away")
	records := &touched{err: away}
	now := time.Unix(1, 0)
	r := &Registry{Records: records, Now: func() time.Time { return now }}
	r.Downloaded(File{PackageID: 1})
	r.Downloaded(File{PackageID: 2})
	if err := r.Flush(t.Context()); !errors.Is(err, away) {
		t.Fatal(err)
	}
	now = time.Unix(2, 0)
	r.Downloaded(File{PackageID: 2})
	r.Downloaded(File{PackageID: 3})
	if err := r.Flush(t.Context()); err != nil || len(records.at) != 3 || records.at[1].Unix() != 1 || records.at[2].Unix() != 2 {
		t.Errorf("recorded %v, %v", records.at, err)
	}
}
