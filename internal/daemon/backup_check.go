package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

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
	Lost      int64    `json:"lost"`     // files that were lost when a snapshot was made, of all snapshots
	Damaged   int64    `json:"damaged"`  // how much is
	Problems  []string `json:"problems"` // the first of them
}

const mostProblems = 1000

// CheckBackups looks whether all snapshots of a place are whole: manifest and records, and
// for every blob that the records name, whether the place has it, with its size. Of the
// subset it also reads blobs and packs, and compares them with their digest. Damage is in
// the report; an error says that the check could not look. Nothing is changed.
func CheckBackups(ctx context.Context, cfg config.Config, read Subset) (CheckReport, error) {
	if err := supported(); err != nil {
		return CheckReport{}, err
	}
	from, m, err := openPlaceToRead(ctx, cfg)
	if err != nil {
		return CheckReport{}, err
	}
	defer closeStore(from)
	c := newCheck(from, read)
	if m.lost != "" {
		c.problem("place: %s", m.warning())
	}
	err = c.run(ctx)
	return c.report, err
}

// check is one CheckBackups.
type check struct {
	from           blob.Source
	read           Subset
	packed, stored *records.Known
	packs          map[string]bool // that are there
	named          *records.Known  // damaged or missing blobs that the report names

	mu     sync.Mutex
	report CheckReport
}

func newCheck(from blob.Source, read Subset) *check {
	return &check{
		from: from, read: read, packs: map[string]bool{},
		packed: records.NewKnown(), stored: records.NewKnown(), named: records.NewKnown(),
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

func (c *check) problem(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Damaged++
	if len(c.report.Problems) < mostProblems {
		c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
	}
}

// lookAtPacks reads the indexes of packs, and whole those of the subset, and those whose index
// is damaged.
func (c *check) lookAtPacks(ctx context.Context) error {
	for note, err := range c.from.Notes(ctx, packsPrefix) {
		if err != nil {
			return err
		}
		text, is := digestOfPack(note.Name)
		if !is {
			continue
		}
		digest, err := blob.ParseDigest(text)
		if err != nil {
			return err
		}
		index, err := records.PackIndexIn(ctx, c.from, note.Name)
		if errors.Is(err, blob.ErrNotFound) {
			continue // removed since it was listed; if a snapshot needs it, that will show
		}
		c.report.Packs++
		c.packs[text] = true
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
	right.Compact() // of a damaged pack some are read twice
	c.problem("pack %s: %v; %d of its small files are right", digest, err, right.Len())
	for _, e := range wrong {
		c.problem("file %s of %d bytes, in the pack %s: its bytes are others", e.Digest, e.Size, digest)
		c.named.Add(e.Digest, e.Size, 1)
	}
	return nil
}

const (
	checksAtOnce = 8         // blobs are read: most of them wait for the disk or the line
	checkBuffer  = 128 << 10 // bytes of each
)

// lookAtBlobs lists the blobs, and reads those of the subset.
func (c *check) lookAtBlobs(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	chosen := make(chan blob.Info)
	var reading sync.WaitGroup
	for range checksAtOnce {
		reading.Go(func() {
			buffer := make([]byte, checkBuffer)
			for info := range chosen {
				if err := c.readBlob(ctx, info, buffer); err != nil {
					stop(err)
				}
			}
		})
	}
	err := c.list(ctx, chosen)
	close(chosen)
	reading.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (c *check) list(ctx context.Context, chosen chan<- blob.Info) error {
	for info, err := range c.from.List(ctx, "") {
		if err != nil {
			return err
		}
		c.stored.Add(info.Digest, info.Size, 1)
		if !c.read.Has(info.Digest) {
			continue
		}
		select {
		case chosen <- info:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	c.report.Blobs = int64(c.stored.Len())
	return nil
}

func (c *check) readBlob(ctx context.Context, info blob.Info, buffer []byte) error {
	r, err := blob.OpenOnce(ctx, c.from, info.Digest)
	if errors.Is(err, blob.ErrNotFound) {
		return nil // removed since; if a snapshot needs it, that will show
	}
	if err != nil {
		return err
	}
	hash := sha256.New()
	size, err := io.CopyBuffer(hash, struct{ io.Reader }{r}, buffer) // its own WriteTo would take another one
	if errors.Is(err, syscall.EIO) {
		c.problem("file %s: the disk cannot read it", info.Digest)
		return r.Close()
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("reading the file %s: %w", info.Digest, err)
	}
	if found := blob.Digest(hash.Sum(nil)); found != info.Digest {
		c.problem("file %s: its bytes have the SHA-256 %s", info.Digest, found)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Read++
	c.report.ReadBytes += size
	return nil
}

// lookAtSnapshots leaves out those that were forgotten meanwhile: a forget removes the
// manifest first.
func (c *check) lookAtSnapshots(ctx context.Context, all []Snapshot) error {
	for _, s := range all {
		note, err := c.from.Note(ctx, manifestNote(s.ID))
		if errors.Is(err, blob.ErrNotFound) {
			continue
		}
		if err == nil {
			err = note.Close()
		}
		if err != nil {
			return err
		}
		c.report.Snapshots++
		c.report.Lost += s.Manifest.Lost.Count
		if s.Damage != "" {
			c.problem("snapshot %s: %s", s.ID, s.Damage)
			continue
		}
		if err := c.snapshot(ctx, s.Manifest); err != nil {
			return err
		}
	}
	return nil
}

// snapshot looks for every blob that the records of a snapshot name.
func (c *check) snapshot(ctx context.Context, m records.Manifest) error {
	for _, pack := range m.Packs {
		if !c.packs[pack] {
			c.problem("snapshot %s needs the pack %s, which is missing", m.ID, pack)
		}
	}
	file, err := fetchRecords(ctx, c.from, m)
	if errors.Is(err, errRecordsDamaged) {
		c.problem("snapshot %s: %v", m.ID, err)
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lost := map[string]bool{}
	for _, l := range m.Lost.First {
		lost[l.Digest] = true
	}
	unnamed := m.Lost.Count - int64(len(m.Lost.First))
	var total records.BlobsSummary
	var lacks int64
	err = blobsOf(file, func(row records.BlobRow) error {
		total.Add(row.Digest, row.Size)
		_, packed := c.packed.Has(row.Digest, row.Size)
		_, stored := c.stored.Has(row.Digest, row.Size)
		switch {
		case packed || stored || lost[row.Digest.String()]:
		case unnamed > 0:
			unnamed--
		default:
			lacks++
			if _, has := c.named.Has(row.Digest, row.Size); !has {
				c.problem("file %s of %d bytes is missing; the snapshot %s needs it", row.Digest, row.Size, m.ID)
				c.named.Add(row.Digest, row.Size, 1)
			}
		}
		return ctx.Err()
	})
	if lacks > 0 {
		c.problem("snapshot %s lacks %d files, which are missing or damaged", m.ID, lacks)
	}
	if err == nil && m.Lost.Count == 0 && total != m.Blobs.Plus(m.Packed) {
		c.problem("snapshot %s: its records name %d files, and its manifest counts %d, or others", m.ID, total.Count, m.Blobs.Count+m.Packed.Count)
	}
	return err
}
