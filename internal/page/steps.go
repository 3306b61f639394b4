package page

import (
	"context"
	"iter"
)

// Step is how many bytes of rows are read at a time, at most. A row larger than Large is
// its own step: its reader may read its parts later.
const (
	Step  = 256 << 10
	Large = 64 << 10
)

// rowOverhead is the bytes that a row takes in addition to its text, in memory and on the
// wire: numbers, times, names of fields.
const rowOverhead = 512

// Steps is a page whose rows are not read yet. They are read a few at a time, so that a
// page of large rows is never in memory as a whole.
type Steps[T any] struct {
	IDs   []int64 // of the rows, in the page's order
	Sizes []int64 // of each row: bytes of its text
	// Read returns the rows that still exist, in the order of ids. It keeps no
	// connection after it returns.
	Read func(ctx context.Context, ids []int64) ([]T, error)
}

// Size is about how many bytes the unread rows take; 0 if they are read.
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

// Last returns the id of the page's last row, and whether more rows follow in a list that
// begins with this page. The id is 0 if the page is empty, or if its rows are read.
func (o Of[T]) Last() (id int64, more bool) {
	if o.Steps == nil || len(o.Steps.IDs) == 0 {
		return 0, false
	}
	n := len(o.Steps.IDs)
	return o.Steps.IDs[n-1], o.Total > n
}

// InSteps yields the rows step by step, without those that are deleted meanwhile. It ends
// at the first error.
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

// stepFrom returns the end of the step that begins at a row.
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

// IsLarge returns the ids of the rows that are steps of their own.
func (s *Steps[T]) IsLarge() map[int64]bool {
	large := map[int64]bool{}
	for row, id := range s.IDs {
		if s.size(row) > Large {
			large[id] = true
		}
	}
	return large
}

// Finish lets f complete the rows, or leave some out: at once if they are read, else
// whenever some of them are read.
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
