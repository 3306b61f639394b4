package registry

import (
	"context"
	"errors"

	"granary/internal/blob"
	"granary/internal/fault"
)

// settleTries is how often a doubt is looked into again if the row changes meanwhile.
const settleTries = 5

// usesShown is how many files a finding names.
const usesShown = 10

// doubt looks again at a blob that seems damaged, and reports whether it is; with reading,
// it reads the bytes. The row is read before and after the bytes are looked for: while it
// is the same and has files, neither a publisher nor the sweep makes bytes come or go.
func (c *checkRun) doubt(ctx context.Context, d blob.Digest, reading bool) (bool, error) {
	for range settleTries {
		k, err := c.Records.KeptBlob(ctx, d)
		if fault.Is(err, fault.NotFound) || err == nil && k.Uses == 0 {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		f, err := c.look(ctx, k.BlobRow, reading)
		if err != nil || f.Kind == "" {
			return false, err
		}
		still, err := c.Records.KeptBlob(ctx, d)
		if fault.Is(err, fault.NotFound) || err == nil && (still.ID != k.ID || still.inline() != k.inline() || still.Uses == 0) {
			continue
		}
		if err != nil {
			return false, err
		}
		f.AllUses = still.Uses
		if f.Uses, err = c.Records.BlobUses(ctx, k.ID, usesShown); err != nil || len(f.Uses) == 0 {
			return false, err // only removed files had the bytes
		}
		c.mend(ctx, k, &f)
		if f.Kind == Unread {
			return true, errors.Join(c.tell(f), c.answered(ctx, d, f.Mended))
		}
		return true, c.tell(f)
	}
	return false, nil
}

// doubtCount looks again at a blob whose row counts other files than there are.
func (c *checkRun) doubtCount(ctx context.Context, d blob.Digest) error {
	k, err := c.Records.KeptBlob(ctx, d)
	if fault.Is(err, fault.NotFound) || err == nil && k.Files == k.Uses {
		return nil
	}
	if err != nil {
		return err
	}
	f := Finding{Kind: WrongUses, Digest: d, Size: k.Size, InDatabase: k.inline(), Counted: k.Files, AllUses: k.Uses}
	if f.Uses, err = c.Records.BlobUses(ctx, k.ID, usesShown); err != nil {
		return err
	}
	if c.Mend != nil && c.Mend.Counts {
		if err := c.Records.CountAnew(ctx, d); err != nil {
			return err
		}
		f.Mended = true
	}
	return c.tell(f)
}

// doubtStray looks again at bytes for which no row was found before they were listed. A
// publisher makes the row before the bytes, and the sweep removes it after them.
func (c *checkRun) doubtStray(ctx context.Context, info blob.Info) error {
	if c.Now().Sub(info.Changed) < c.Age {
		return nil
	}
	if known, err := c.known(ctx, info.Digest); known || err != nil {
		return err
	}
	size, err := c.Store.Stat(ctx, info.Digest)
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if known, err := c.known(ctx, info.Digest); known || err != nil {
		return err
	}
	f := Finding{Kind: Stray, Digest: info.Digest, Size: size, Written: info.Changed}
	if c.Adopt {
		if err := c.Records.PinBlob(ctx, f.Digest, size, c.Now()); err != nil {
			return err
		}
		f.Mended = true
	}
	return c.tell(f)
}

// known reports whether a blob is on record.
func (c *checkRun) known(ctx context.Context, d blob.Digest) (bool, error) {
	_, err := c.Records.KeptBlob(ctx, d)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
