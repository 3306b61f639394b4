package records

import (
	"context"
	"errors"
	"time"

	"granary/internal/blob"
)

// Behind is how far the journal in a store is behind its database: the age of the first audit
// event that it lacks, 0 if it lacks none. has is false if the store has no journal. The error
// is ErrOlder if the database lacks events of the journal.
func Behind(ctx context.Context, from Notes, database Keeper, now time.Time) (behind time.Duration, has bool, err error) {
	head, err := ReadHead(ctx, from)
	if errors.Is(err, blob.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, true, err
	}
	newest, err := Newest(ctx, from)
	if err != nil {
		return 0, true, err
	}
	base, err := database.EventsAround(ctx, head.Event)
	if err != nil {
		return 0, true, err
	}
	after, err := database.EventsAround(ctx, newest)
	if err == nil && !after.Rebuilt && newest > now.UnixMicro()+Late { // a clock was ahead: only of the base it is known what it has
		after.Next, err = firstAfter(ctx, database, head.At)
	}
	lacks := false
	if err == nil && !after.Rebuilt {
		lacks, err = lacksLast(ctx, from, database, deltaName(newest), head.Identity)
	}
	switch {
	case err != nil:
		return 0, true, err
	case after.Rebuilt: // it begins its journal anew
	case lacks, !base.Has && base.Earlier, after.Last > 0 && after.Last < newest-Late: // not removed for their age
		return 0, true, ErrOlder
	case after.Next == 0:
		return 0, true, nil
	}
	return max(now.Sub(time.UnixMicro(after.Next)), 0), true, nil
}

// lacksLast reports whether the database lacks the last event that a delta has, and has earlier
// ones: so it was not removed for its age. What is damaged tells nothing.
func lacksLast(ctx context.Context, from Notes, database Keeper, name, identity string) (bool, error) {
	last, err := lastEvent(ctx, from, name, identity)
	switch {
	case errors.Is(err, blob.ErrNotFound), err != nil && !isUnread(err) && ctx.Err() == nil:
		return false, nil // the newest file is a base, or the delta is damaged
	case err != nil || last == 0:
		return false, err
	}
	events, err := database.EventsAround(ctx, last)
	return !events.Has && events.Earlier, err
}

// firstAfter is the first event after a moment; 0 if there is none.
func firstAfter(ctx context.Context, database Keeper, moment time.Time) (int64, error) {
	events, err := database.EventsAround(ctx, moment.UnixMicro())
	return events.Next, err
}
