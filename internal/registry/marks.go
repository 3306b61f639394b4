package registry

import (
	"context"
	"errors"
	"fmt"

	"granary/internal/blob"
	"granary/internal/fault"
)

// marksStep is how many marks are read at once.
const marksStep = 100

// MarksOptions say what CheckMarks does.
type MarksOptions struct {
	Rate int64     // bytes a second that it reads at most; more than 0
	From Elsewhere // where right bytes come from; nil: nothing is repaired

	Repaired func(d blob.Digest, where string) // called for each blob that was repaired; where as in Copy
	Refused  func(d blob.Digest, why error)    // called for each that could not be repaired
}

// CheckMarks finishes what an interrupted Scrub has not set aside, removes the marks of
// blobs whose right bytes are back, published again or restored by hand, and repairs what it
// can. What cannot be repaired is no error. A mark that fails does not stop the others; the
// error is that of the first.
func (r *Registry) CheckMarks(ctx context.Context, o MarksOptions) error {
	var after []byte
	var first error
	for {
		marks, err := r.Records.MarksAfter(ctx, after, marksStep)
		if err != nil || len(marks) == 0 {
			return errors.Join(first, err)
		}
		for _, m := range marks {
			err := r.checkMark(ctx, m, o)
			if ctx.Err() != nil {
				return errors.Join(first, err)
			}
			if err != nil && first == nil {
				first = fmt.Errorf("the marked blob %s: %w", m.Digest, err)
			}
		}
		after = marks[len(marks)-1].Digest[:]
	}
}

func (r *Registry) checkMark(ctx context.Context, m DamageMark, o MarksOptions) error {
	by := r.mender(o.Rate)
	b := StoredBlob{Digest: m.Digest, Size: -1, Small: m.Small}
	seen, err := by.look(ctx, b)
	switch {
	case err != nil && m.Aside:
		return err
	case err != nil: // it was wrong twice, and now cannot be read
		if away := blob.Answers(ctx, r.Blobs, m.Digest); away != nil {
			return err
		}
		return by.setAside(ctx, m.Digest)
	case seen.damage == nil:
		return by.unmark(ctx, m)
	case m.Small:
	case seen.damage.Damage == blob.Missing:
		if err := by.setAside(ctx, m.Digest); err != nil {
			return err
		}
	default: // an interrupted Scrub left them there, or somebody put them there by hand
		if right, err := by.condemn(ctx, b, seen.damage.Damage); err != nil || right {
			return err
		}
	}
	return by.repairMarked(ctx, m.Digest, seen.damage.Damage, o)
}

// repairMarked repairs a blob, if that is asked for and a file still has it.
func (m mender) repairMarked(ctx context.Context, d blob.Digest, damage blob.Damage, o MarksOptions) error {
	if o.From == nil {
		return nil
	}
	k, err := m.records.KeptBlob(ctx, d)
	if fault.Is(err, fault.NotFound) || err == nil && k.Uses == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	where, err := m.repair(ctx, o.From, k, damage)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		o.Refused(d, err)
	default:
		o.Repaired(d, where)
	}
	return nil
}
