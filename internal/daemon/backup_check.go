package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/records"
)

// CheckReport is what a check of a place found.
type CheckReport struct {
	Snapshots int      `json:"snapshots"`
	Blobs     int64    `json:"blobs"` // in the place
	Packs     int      `json:"packs"`
	Read      int64    `json:"read"` // blobs and packs that were read and compared with their digest
	ReadBytes int64    `json:"read_bytes"`
	Lost      int64    `json:"lost"`     // files that were lost when snapshots were made, and that the place does not have by now
	Damaged   int64    `json:"damaged"`  // how many problems there are
	Problems  []string `json:"problems"` // the first of them: each names one thing that is damaged or missing
	Next      string   `json:"next"`     // what to do about all this; "" if there is nothing to do

	Lacking []LackingSnapshot `json:"lacking"` // the snapshots that are not whole because of these problems
}

// LackingSnapshot is how much of a snapshot is missing or damaged in the place.
type LackingSnapshot struct {
	ID    string `json:"id"`
	Files int64  `json:"files"` // on record; several may have the same bytes
	Blobs int64  `json:"blobs"` // their bytes, each once
}

const mostProblems = 1000

// CheckBackups looks whether all snapshots of a place are whole: manifest and records, and
// for every blob that the records name, whether the place has it, with its size. Of the
// subset it also reads blobs and packs, and compares them with their digest. Damage is in
// the report; an error says that the check could not look. Nothing is changed.
func CheckBackups(ctx context.Context, cfg config.Config, read Subset) (CheckReport, error) {
	defer startLittleMemory(ctx)()
	if err := supported(); err != nil {
		return CheckReport{}, err
	}
	from, m, err := openPlaceToRead(ctx, cfg)
	if err != nil {
		return CheckReport{}, err
	}
	defer closeStore(from)
	c := newCheck(from, cfg.Blobs, read)
	if m.lost != "" {
		c.problem("the next granary backup writes "+markerNote+" again", "place: %s", m.warning())
	}
	wrong, err := wrongIdentity(ctx, from, m)
	if err != nil {
		return c.report, err
	}
	if wrong != "" {
		c.problem("the next granary backup writes "+identityNote+" again", "place: %s", wrong)
	}
	err = c.run(ctx)
	if c.report.Lost > 0 {
		c.next = append(c.next, "of files that were lost in the server's store: granary fsck names their packages, and with --repair-from brings them back to the server, and the next granary backup to the place; if they are lost for good, or were removed from the server since, forget the snapshots that granary backup ls shows as having lost some")
	}
	c.report.Next = strings.Join(c.next, "; ")
	return c.report, err
}

// check is one CheckBackups.
type check struct {
	from           blob.Source
	read           Subset
	opens          bool   // also what is not read, which costs little in a directory
	mends          string // what mends files and packs
	packed, stored *records.Known
	packs          map[string]bool // that are there, or named as missing
	badPack        bool            // one is damaged
	unlisted       bool            // the folder of packs cannot be listed: what is in them, nobody knows
	named          *records.Known  // damaged or missing blobs that the report names
	wrong          *records.Known  // those of them that are listed in the place, whatever their size: each with 0
	lost           *records.Known  // blobs that are in report.Lost

	mu     sync.Mutex
	report CheckReport
	next   []string // what to do about the problems
}

func newCheck(from blob.Source, place config.Location, read Subset) *check {
	return &check{
		from: from, read: read, opens: place.Scheme == "file",
		mends:  fmt.Sprintf("granary backup --verify --to '%s', beside the server, copies again what that still has; what a check names afterwards the server does not have either: put it back from a copy of the place, or forget the snapshots that lack it, and what no snapshot needs goes with them", place),
		packs:  map[string]bool{},
		packed: records.NewKnown(), stored: records.NewKnown(), named: records.NewKnown(),
		wrong: records.NewKnown(), lost: records.NewKnown(),
	}
}

// run reads the manifests first: what a backup adds meanwhile is needed by none of them.
func (c *check) run(ctx context.Context) error {
	all, err := snapshotsIn(ctx, c.from)
	if err != nil {
		return err
	}
	if err := c.lookAtPacks(ctx); err != nil {
		return err
	}
	if err := c.lookAtBlobs(ctx); err != nil {
		return err
	}
	return c.lookAtSnapshots(ctx, all)
}

// problem counts a problem. next is what to do about it.
func (c *check) problem(next, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count(next, format, args...)
}

// wrongBlob counts a problem of a blob that is listed.
func (c *check) wrongBlob(info blob.Info, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong.Add(info.Digest, 0, 1)
	c.count(c.mends, "file %s of %d bytes: %s", info.Digest, info.Size, why)
}

// count is problem, and needs the mutex.
func (c *check) count(next, format string, args ...any) {
	if !slices.Contains(c.next, next) {
		c.next = append(c.next, next)
	}
	c.report.Damaged++
	if len(c.report.Problems) < mostProblems {
		c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
	}
}

// lookAtPacks reads the indexes of packs, and whole those of the subset, and those whose index
// is damaged.
func (c *check) lookAtPacks(ctx context.Context) error {
	for note, err := range c.from.Notes(ctx, packsPrefix) {
		if errors.Is(err, blob.ErrUnreadable) {
			c.unlisted = true
			c.problem(unlistedCure, "folder of packs: %v", err)
			continue
		}
		if err != nil {
			return err
		}
		digest, is := digestOfPack(note.Name)
		if !is {
			continue
		}
		index, err := records.PackIndexIn(ctx, c.from, note.Name)
		if errors.Is(err, blob.ErrNotFound) {
			continue // removed since it was listed; if a snapshot needs it, that will show
		}
		c.report.Packs++
		c.packs[digest.String()] = true
		if c.read.Has(digest) {
			c.report.Read++
			c.report.ReadBytes += note.Size
		} else if err == nil {
			for _, e := range index {
				c.packed.Add(e.Digest, e.Size, 1)
			}
			continue
		}
		if err != nil && !errors.Is(err, records.ErrPack) {
			return err
		}
		if err := c.readPack(ctx, digest); err != nil && !errors.Is(err, blob.ErrNotFound) {
			return err
		}
	}
	return nil
}

// readPack names a damaged pack, and those of its bodies that are wrong, as far as the pack
// still says which it had.
func (c *check) readPack(ctx context.Context, digest blob.Digest) error {
	right := records.NewKnown()
	wrong, err := readPack(ctx, c.from, digest, func(d blob.Digest, body []byte) error {
		right.Add(d, int64(len(body)), 1)
		c.packed.Add(d, int64(len(body)), 1)
		return ctx.Err()
	})
	if !errors.Is(err, records.ErrPack) {
		return err
	}
	c.badPack = true
	right.Compact() // of a damaged pack some are read twice
	c.problem(c.mends, "pack %s: %v; %d of its small files are right", digest, err, right.Len())
	for _, e := range wrong {
		c.problem(c.mends, "file %s of %d bytes, in the pack %s: its bytes are others", e.Digest, e.Size, digest)
		c.named.Add(e.Digest, e.Size, 1)
	}
	return nil
}
