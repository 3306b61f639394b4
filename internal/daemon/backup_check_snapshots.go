package daemon

import (
	"context"
	"errors"

	"granary/internal/blob"
	"granary/internal/records"
)

// lookAtSnapshots leaves out those that were forgotten meanwhile: a forget removes the
// manifest and its copy first.
func (c *check) lookAtSnapshots(ctx context.Context, all []Snapshot) error {
	for _, s := range all {
		_, err := snapshotIn(ctx, c.from, s.ID)
		if errors.Is(err, blob.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		c.report.Snapshots++
		if s.Damage != "" {
			c.problem(ofSnapshot(s.Cure), "snapshot %s: %s", s.ID, s.Damage)
			continue
		}
		if err := c.manifests(ctx, s); err != nil {
			return err
		}
		if err := c.snapshot(ctx, s.Manifest); err != nil {
			return err
		}
	}
	return nil
}

// manifests names what is wrong with one of the two manifests of a snapshot. That the copy is
// missing is no damage: a backup that was killed may not have come to it.
func (c *check) manifests(ctx context.Context, s Snapshot) error {
	const next = "of a manifest that is lost or damaged, or its copy: the next granary backup writes it again"
	if s.FromCopy != "" {
		c.problem(next, "snapshot %s: %s; its copy is whole", s.ID, s.FromCopy)
		return nil
	}
	_, err := manifestIn(ctx, c.from, manifestCopyOf(s.ID), s.ID)
	if err == nil || errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	damage := manifestDamage(err)
	if damage == "" {
		return err
	}
	c.problem(next, "snapshot %s: of the copy of its manifest: %s", s.ID, damage)
	return nil
}

// snapshot looks for every blob that the records of a snapshot name.
func (c *check) snapshot(ctx context.Context, m records.Manifest) error {
	file, err := fetchRecords(ctx, c.from, m)
	if errors.Is(err, errRecordsDamaged) {
		c.problem(ofSnapshot(cureOf(err)), "snapshot %s: %v", m.ID, err)
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lost := lostIn(m)
	lacks := LackingSnapshot{ID: m.ID}
	var total records.BlobsSummary
	err = blobsOf(file, func(row records.BlobRow) error {
		total.Add(row.Digest, row.Size)
		lacking, err := c.lacking(ctx, row, m.ID, &lost)
		if lacking {
			lacks.Blobs++
			lacks.Files += row.Files
		}
		return errors.Join(err, ctx.Err())
	})
	if lacks.Blobs > 0 {
		c.report.Lacking = append(c.report.Lacking, lacks)
		c.missingPacks(m)
	}
	if err == nil && m.Lost.Count == 0 && total != m.Blobs.Plus(m.Packed) {
		c.problem(ofSnapshot(cureOf(nil)), "snapshot %s: its records name %d files, and its manifest counts %d, or others", m.ID, total.Count, m.Blobs.Count+m.Packed.Count)
	}
	return err
}

// missingPacks names the packs of a snapshot that are missing, each once. A snapshot that lacks
// nothing needs none of them: their bodies are in others.
func (c *check) missingPacks(m records.Manifest) {
	for _, pack := range m.Packs {
		if !c.packs[pack] && !c.unlisted {
			c.problem(c.mends, "pack %s: it is missing, and the snapshot %s needs it", pack, m.ID)
			c.packs[pack] = true
		}
	}
}

// lostBlobs are those that a manifest counts as lost.
type lostBlobs struct {
	named   map[string]bool // digests
	unnamed int64           // how many others there are
}

func lostIn(m records.Manifest) lostBlobs {
	l := lostBlobs{map[string]bool{}, m.Lost.Count - int64(len(m.Lost.First))}
	for _, one := range m.Lost.First {
		l.named[one.Digest] = true
	}
	return l
}

// has reports whether a blob that the place lacks is one of them. Which those without a name are,
// nobody knows: the first that are asked for count.
func (l *lostBlobs) has(d blob.Digest) bool {
	if l.named[d.String()] {
		return true
	}
	l.unnamed--
	return l.unnamed >= 0
}

// lacking reports whether a snapshot lacks a blob that was not lost when it was made, and names the
// blob once. One that was lost, and is not there by now, is counted as such.
func (c *check) lacking(ctx context.Context, row records.BlobRow, snapshot string, lost *lostBlobs) (bool, error) {
	_, packed := c.packed.Has(row.Digest, row.Size)
	_, stored := c.stored.Has(row.Digest, row.Size)
	_, wrong := c.wrong.Has(row.Digest, 0)
	if packed || stored && !wrong {
		return false, nil
	}
	if _, has := c.named.Has(row.Digest, row.Size); has || wrong {
		return !lost.named[row.Digest.String()], nil
	}
	why, err := whyLacking(ctx, c.from, row)
	if err != nil || why == "" {
		return false, err
	}
	if why == whyMissing && c.unlisted && row.Size <= records.MaxBody {
		return true, nil // it may be in a pack: that these cannot be listed is named
	}
	if lost.has(row.Digest) {
		if _, counted := c.lost.Has(row.Digest, row.Size); !counted {
			c.lost.Add(row.Digest, row.Size, 1)
			c.report.Lost += row.Files
		}
		return false, nil
	}
	switch {
	case why == whyMissing && c.badPack && row.Size <= records.MaxBody:
		why = "it is missing, or in a damaged pack"
	case why == whyMissing:
		why = "it is missing"
	}
	c.problem(c.mends, "file %s of %d bytes: %s; the snapshot %s needs it", row.Digest, row.Size, why, snapshot)
	c.named.Add(row.Digest, row.Size, 1)
	return true, nil
}

// ofSnapshot is what to do about snapshots whose manifest or records are damaged.
func ofSnapshot(cure string) string { return "of a damaged snapshot: " + cure }
