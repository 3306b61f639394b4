package page

import (
	"context"
	"iter"
)

// Step is how many bytes of rows are read at a time, at most. A row larger than
// Large is a step by itself: its reader may leave its parts for later.
const (
	Step  = 256 << 10
	Large = 64 << 10
)

// rowOverhead is what a row takes beside its text, in memory and on the wire:
// numbers, times, names of fields.
const rowOverhead = 512

// Steps is a page whose rows are still to be read, a few at a time, so that
// nobody has to hold a page of large ones.
type Steps[T any] struct {
	IDs   []int64 // of the rows, in the page's order
	Sizes []int64 // of each row: bytes of its text
	// Read returns those of the rows that are still there, in the order of ids.
	// It holds no connection once it has returned.
	Read func(ctx context.Context, ids []int64) ([]T, error)
}

// Size is about how many bytes the rows that are still to be read take; 0 where
// they are read already.
func (o Of[T]) Size() int64 {
	if o.Steps == nil {
		return 0
	}
	var total int64
	for row := range o.Steps.Sizes {
		total += o.Steps.size(row)
	}
	return total
}

// Last is the id of the page's last row, and whether more rows follow it in a
// list that begins with the page. It is 0 where the page is empty, or is read.
func (o Of[T]) Last() (id int64, more bool) {
	if o.Steps == nil || len(o.Steps.IDs) == 0 {
		return 0, false
	}
	n := len(o.Steps.IDs)
	return o.Steps.IDs[n-1], o.Total > n
}

// InSteps yields the rows step by step. What is deleted meanwhile is left out.
// It ends at the first error.
func (o Of[T]) InSteps(ctx context.Context) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		if o.Steps == nil {
			yield(o.Rows, nil)
			return
		}
		for from := 0; from < len(o.Steps.IDs); {
			to := o.Steps.stepFrom(from)
			rows, err := o.Steps.Read(ctx, o.Steps.IDs[from:to])
			if !yield(rows, err) || err != nil {
				return
			}
			from = to
		}
	}
}

// stepFrom is where the step ends that begins at a row.
func (s *Steps[T]) stepFrom(from int) int {
	to, size := from+1, s.size(from)
	if size > Large {
		return to
	}
	for to < len(s.IDs) && s.size(to) <= Large && size+s.size(to) <= Step {
		size += s.size(to)
		to++
	}
	return to
}

func (s *Steps[T]) size(row int) int64 { return s.Sizes[row] + rowOverhead }

// IsLarge tells the ids of the rows that are steps by themselves.
func (s *Steps[T]) IsLarge() map[int64]bool {
	large := map[int64]bool{}
	for row, id := range s.IDs {
		if s.size(row) > Large {
			large[id] = true
		}
	}
	return large
}

// Finish has f complete the rows, or leave some out: at once where they are
// read, else whenever some are.
func (o *Of[T]) Finish(ctx context.Context, f func(context.Context, []T) ([]T, error)) (err error) {
	if o.Steps == nil {
		o.Rows, err = f(ctx, o.Rows)
		return err
	}
	read := o.Steps.Read
	o.Steps.Read = func(ctx context.Context, ids []int64) ([]T, error) {
		rows, err := read(ctx, ids)
		if err != nil {
			return nil, err
		}
		return f(ctx, rows)
	}
	return nil
}
