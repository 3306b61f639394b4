package registry

import (
	"context"
	"errors"

	"granary/internal/blob"
	"granary/internal/fault"
)

// Mend says what a Check changes. A nil *Mend is nothing.
type Mend struct {
	From       Elsewhere  // where right bytes come from; nil: no bytes are repaired
	Into       blob.Store // the store that is checked; of no use without From and Quarantine
	Quarantine bool       // mark damaged blobs that are not repaired, and set wrong bytes aside
	Counts     bool       // count the files of blobs again, where their number is wrong
}

// mend repairs damaged bytes, or sees to it that they are no longer served, and notes in f
// what it did.
func (c *checkRun) mend(ctx context.Context, k KeptBlob, f *Finding) {
	if c.Mend == nil || f.Kind == WrongRecord {
		return
	}
	by := mender{records: c.Records, store: c.Mend.Into, now: c.Now}
	if c.Mend.From != nil {
		where, err := by.repair(ctx, c.Mend.From, k, f.damage())
		if err == nil {
			f.Mended, f.From = true, where
			return
		}
		f.Refusal = err.Error()
	}
	if !c.Mend.Quarantine || f.Kind == Unread {
		return
	}
	b := StoredBlob{Digest: k.Digest, Size: k.Size, Small: k.inline()}
	right, err := by.condemn(ctx, b, f.damage())
	if err == nil && !right {
		_, err = c.Records.FindMark(ctx, k.Digest)
	}
	switch {
	case fault.Is(err, fault.NotFound):
		f.NotAside = errNoFiles.Error()
	case err != nil:
		f.NotAside = err.Error()
	default:
		f.Mended, f.Aside = right, !right
	}
}

var errNoFiles = errors.New("on record no file has it, which is not right: its number of files has to be repaired first")

// damage is that of a finding about bytes. Those that cannot be read have to go like wrong
// ones before right ones can come.
func (f *Finding) damage() blob.Damage {
	switch f.Kind {
	case MissingBytes:
		return blob.Missing
	case OtherSize:
		return blob.OtherSize
	}
	return blob.OtherBytes
}
