package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Replay fills an empty database from a base or an export, and from deltas in the order
// in which they were written. All is in one transaction: after an error nothing is left.
// If there is one file, its rows are read back and compared with its checksums. The
// summary's tables are those of the first file.
func Replay(ctx context.Context, to Target, files []File) (s Summary, err error) {
	if len(files) == 0 {
		return s, errors.New("there are no records to replay")
	}
	first, err := open(files[0])
	if err != nil {
		return s, err
	}
	defer first.close()
	h := first.Header()
	if h.Kind == KindDelta {
		return s, fmt.Errorf("%s: it is a delta, and the base before it is missing", files[0].Name)
	}
	err = to.Fill(ctx, h.Schema, func(f Filler) error {
		r := replaying{ctx: ctx, to: f}
		if err := r.first(first, len(files) == 1); err != nil {
			return err
		}
		for _, file := range files[1:] {
			if err := r.delta(file); err != nil {
				return err
			}
		}
		s = r.sum
		if len(files) > 1 {
			return f.Settle()
		}
		return nil
	})
	return s, err
}

// opened is a file that is read.
type opened struct {
	*Reader
	from io.Closer
}

func open(f File) (*opened, error) {
	from, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	r, err := NewReader(f.Name, from)
	if err != nil {
		_ = from.Close() // it was only read
		return nil, err
	}
	return &opened{r, from}, nil
}

func (o *opened) close() {
	o.Reader.Close()
	_ = o.from.Close() // it was only read
}

// replaying is a Replay in its transaction.
type replaying struct {
	ctx context.Context //nolint:containedctx // of one call of Replay
	to  Filler
	sum Summary
}

// first inserts the rows of the first file. If it is the only one, they are read back.
func (r *replaying) first(f *opened, only bool) error {
	columns := map[string][]string{}
	err := r.lines(f, func(l *Line, rows Rows) error {
		columns[l.Table] = l.Columns
		return r.insert(l, rows)
	})
	r.sum = f.Summary()
	if err != nil || !only {
		return err
	}
	for _, t := range r.sum.Tables {
		if t.Rows == 0 {
			continue
		}
		got, err := r.to.Sum(t.Name, columns[t.Name])
		if err != nil {
			return err
		}
		if !got.Equal(&t.Checksum) {
			return fmt.Errorf("table %s: the rows read back differ: %d instead of %d, or with other values", t.Name, got.Rows, t.Rows)
		}
	}
	return nil
}

// delta applies a delta. It is read twice: all rows that it names are removed before any
// is inserted, so that two rows may exchange what only one can have, such as a path.
func (r *replaying) delta(file File) error {
	var last int64
	for _, apply := range []func(*Line, Rows) error{r.remove, r.insert} {
		f, err := open(file)
		if err != nil {
			return err
		}
		if err = r.follow(f.Header()); err != nil {
			err = fmt.Errorf("%s: %w", file.Name, err)
		} else {
			err = r.lines(f, apply)
		}
		r.sum.Schema, last = f.Header().Schema, f.Header().To
		f.close()
		if err != nil {
			return err
		}
	}
	r.sum.To = last
	return nil
}

// follow refuses a file that does not follow those before it.
func (r *replaying) follow(h Header) error {
	switch {
	case h.Kind != KindDelta:
		return fmt.Errorf("it is of kind %s; only deltas may follow the first file", h.Kind)
	case h.Identity != r.sum.Identity:
		return fmt.Errorf("it belongs to the store %q, and the files before it to %q", h.Identity, r.sum.Identity)
	case h.From > r.sum.To:
		return fmt.Errorf("it tells what changed after event %d, and the files before it end at event %d: a delta between them is missing", h.From, r.sum.To)
	case h.To < r.sum.To || h.Schema < r.sum.Schema:
		return fmt.Errorf("it ends at event %d with schema version %d, and is older than a file before it, which ends at %d with %d", h.To, h.Schema, r.sum.To, r.sum.Schema)
	case h.Schema == r.sum.Schema:
		return nil
	}
	if err := r.to.Settle(); err != nil { // an upgrade makes indexes and foreign keys
		return err
	}
	return r.to.Upgrade(r.ctx, h.Schema)
}

// insert takes a line when rows are inserted.
func (r *replaying) insert(l *Line, rows Rows) error {
	switch l.Kind {
	case RowLine:
		return r.to.Insert(l.Table, l.Columns, rows)
	case LastLine:
		return r.to.Number(l.Last)
	}
	return nil
}

// remove takes a line of a delta when rows are removed.
func (r *replaying) remove(l *Line, rows Rows) error {
	switch l.Kind {
	case RowLine, GoneLine:
		return r.to.Remove(l.Table, l.Columns, rows)
	case AllLine:
		return r.to.Empty(l.Table)
	}
	return nil
}

// lines calls apply for each line of a file. Lines in a row of the same kind, table and
// columns are one call: rows returns the values of all of them, and apply reads them to
// the end, or not at all.
func (r *replaying) lines(f *opened, apply func(*Line, Rows) error) error {
	line, err := f.Next()
	for err == nil {
		at, taken := *line, false
		failed := apply(&at, func() ([]any, error) {
			if !taken {
				taken = true
				return at.Values, nil
			}
			if line, err = r.next(f); err != nil {
				return nil, err
			}
			if line.Kind != at.Kind || line.Table != at.Table || !slices.Equal(line.Columns, at.Columns) {
				return nil, io.EOF
			}
			return line.Values, nil
		})
		if failed != nil {
			return failed
		}
		if !taken {
			line, err = r.next(f)
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// next is the next line of a file, unless the caller of Replay is gone.
func (r *replaying) next(f *opened) (*Line, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	return f.Next()
}
