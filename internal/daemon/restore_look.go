package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"

	"granary/internal/blob"
	"granary/internal/records"
)

// lookForBlobs looks which blobs of the records the place has by themselves. In a directory it
// opens each; in a bucket the list has to do.
func (r *restore) lookForBlobs(ctx context.Context, there func(records.BlobRow)) error {
	opens := r.o.From.Blobs.Scheme == "file"
	stored, err := listed(ctx, r.from) // what is not is looked at one by one
	if err != nil {
		return err
	}
	return r.eachStored(ctx, func(row records.BlobRow) (err error) {
		_, has := stored.Has(row.Digest, row.Size)
		why := ""
		if has && opens {
			why, err = whyUnopened(ctx, r.from, row)
		}
		if !has {
			why, err = whyLacking(ctx, r.from, row)
		}
		switch {
		case err != nil:
			return err
		case why == "":
			there(row)
		default:
			r.lack(row, why)
		}
		return ctx.Err()
	})
}

// listed are the blobs that a source lists, but for those of folders that cannot be listed.
func listed(ctx context.Context, from blob.Source) (*records.Known, error) {
	all := records.NewKnown()
	for info, err := range from.List(ctx, "") {
		if errors.Is(err, blob.ErrUnreadable) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all.Add(info.Digest, info.Size, 1)
	}
	return all, nil
}

// lack counts a blob that the place has not. What was in a damaged pack has no other trace.
func (r *restore) lack(row records.BlobRow, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why == whyMissing && len(r.done.BadPacks) > 0 && row.Size <= records.MaxBody {
		why = "missing, or damaged in a pack"
	}
	r.done.Missing++
	if len(r.done.Lost) < records.MaxLost {
		r.done.Lost = append(r.done.Lost, row.Digest.String()+": "+why)
	}
}

// mostUnread is how many files of a place that cannot be read end a restore, if none could be
// read: then it is not for this user, and nobody wants a database without files.
const mostUnread = 16

// stillThere fails if files are missing because the place is gone: of a disk that is not mounted
// any more nothing is left, not even the snapshot.
func (r *restore) stillThere(ctx context.Context) error {
	if r.done.Missing == 0 {
		return nil
	}
	if _, err := snapshotIn(ctx, r.from, r.done.Manifest.ID); err != nil {
		return fmt.Errorf("it is gone from the place: %w; is its disk still mounted, or was the snapshot forgotten?", err)
	}
	return nil
}

// whyLacking says why a source, as blob.Readable makes it, did not list a blob; "" if it has it
// after all. An error says that the source is away.
func whyLacking(ctx context.Context, from blob.Source, row records.BlobRow) (string, error) {
	size, err := from.Stat(ctx, row.Digest)
	return why(ctx, from, row, size, err)
}

// whyUnopened says why a blob that was listed cannot be opened.
func whyUnopened(ctx context.Context, from blob.Source, row records.BlobRow) (string, error) {
	r, err := from.Open(ctx, row.Digest)
	size := int64(0)
	if err == nil {
		size, err = r.Seek(0, io.SeekEnd)
		err = errors.Join(err, r.Close())
	}
	return why(ctx, from, row, size, err)
}

func why(ctx context.Context, from blob.Source, row records.BlobRow, size int64, err error) (string, error) {
	u, unreadable := errors.AsType[*blob.UnreadableError](err)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return whyMissing, nil
	case unreadable:
		return whyUnreadable(u), nil
	case err == nil && size != row.Size:
		return whySize(ctx, from, row.Digest, size, row.Size), nil
	}
	return "", err
}
