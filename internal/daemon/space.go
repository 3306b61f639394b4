package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"granary/internal/config"
)

const (
	leastFree  = 4 << 20          // bytes; with less a disk counts as full
	trialEvery = 10 * time.Second // a file is written to see whether the disk takes one
	trialName  = "granary.trial"  // that file
	trialSize  = 4 << 10
)

// space is the free space on the local disks that a server writes to. It has no disks
// if records and blobs are elsewhere.
type space struct {
	disks   []*localDisk
	reserve *reserve // of the database's disk; nil if the database is elsewhere
}

// localDisk is a directory on a disk, and what it holds.
type localDisk struct {
	holds, dir string // "database" or "blobs"
	now        func() time.Time

	look look // guards the rest: one question at a time

	tried  time.Time // when a file was last written
	free   int64     // bytes, then
	failed error     // what came of it
}

// newSpace is what the settings keep on local disks.
func newSpace(cfg config.Config) (*space, error) {
	s := &space{}
	if cfg.Database.Scheme == "sqlite" {
		database, err := sqliteFile(cfg)
		if err != nil {
			return nil, err
		}
		s.disks = append(s.disks, &localDisk{holds: "database", dir: filepath.Dir(database), now: time.Now})
	}
	if cfg.Blobs.Scheme == "file" {
		s.disks = append(s.disks, &localDisk{holds: "blobs", dir: cfg.Blobs.Path, now: time.Now})
	}
	return s, nil
}

// full returns an error for a full disk, which says what to do, and for a disk that
// does not answer before ctx ends; nil if there is space.
func (s *space) full(ctx context.Context) error {
	if s.reserve.isOut() {
		return fmt.Errorf("the disk of the database is full, and the reserve is used for deletions: %s", makeRoom)
	}
	for _, d := range s.disks {
		err := d.look.ask(ctx, func(context.Context) error { return d.room() })
		if err != nil && ctx.Err() != nil {
			return fmt.Errorf("the disk of the %s does not answer: check on its machine why it cannot read or write", d.holds)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// makeRoom is what to do about a full disk.
const makeRoom = "delete packages, run granary admin sweep --now, and run it again an hour later, " +
	"when the deleted bytes are removed; or make the disk larger"

// room is full of one disk. It hangs as long as the disk does.
func (d *localDisk) room() error {
	free, err := freeBytes(d.dir)
	if err == nil && free < leastFree {
		return fmt.Errorf("the disk of the %s is full, %d KiB are free: %s", d.holds, free>>10, makeRoom)
	}
	if err == nil {
		err = d.try(free)
	}
	if err != nil {
		return fmt.Errorf("no file can be written to the disk of the %s (%w): %s", d.holds, plain(err), makeRoom)
	}
	return nil
}

// try writes a small file, for quotas and the number of files do not show in what
// is free. What came of it is remembered for a while, a failure at most until more
// is free.
func (d *localDisk) try(free int64) error {
	grown := d.failed != nil && free >= d.free+leastFree
	if d.now().Sub(d.tried) < trialEvery && !grown {
		return d.failed
	}
	d.tried, d.free = d.now(), free
	path := filepath.Join(d.dir, trialName)
	err := os.WriteFile(path, make([]byte, trialSize), 0o600)
	if removed := os.Remove(path); err == nil {
		err = removed
	}
	d.failed = err
	return err
}

// collectors show the room when they are asked.
func (s *space) collectors() []prometheus.Collector {
	var all []prometheus.Collector
	for _, d := range s.disks {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "granary_store_free_bytes",
			Help:        "Free bytes on the local disk that holds the database or the blobs.",
			ConstLabels: prometheus.Labels{"holds": d.holds},
		}, func() float64 {
			free, _ := freeBytes(d.dir) // 0 if the disk is missing: the operator must act then, too
			return float64(free)
		}))
	}
	if s.reserve != nil {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "granary_disk_reserve_bytes",
			Help: "Bytes held back for deletions on the database's disk; 0 while they are used.",
		}, func() float64 {
			held, _ := s.reserve.held()
			return float64(held)
		}))
	}
	return all
}
