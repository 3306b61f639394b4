package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// end compares what was read with what the end says, and sees that nothing follows.
func (f *Reader) end(line []byte) error {
	if len(line) > mostEnd {
		return fmt.Errorf("the end has %d bytes; at most %d are possible", len(line), mostEnd)
	}
	var said struct{ End map[string][]any }
	if json.Unmarshal(line, &said) != nil {
		return errNoLine
	}
	for _, t := range f.tables {
		row := said.End[t.Name]
		if want, err := endOf(row); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		} else if !want.Equal(&t.Checksum) {
			return fmt.Errorf("table %s has %d rows, and its end says %d, or other values", t.Name, t.Rows, want.Rows)
		}
		delete(said.End, t.Name)
	}
	for name := range said.End {
		if want, err := endOf(said.End[name]); err != nil || want.Rows != 0 {
			return fmt.Errorf("the rows of table %s are missing", name)
		}
		f.tables = append(f.tables, &Table{Name: name})
	}
	switch _, err := f.in.ReadByte(); {
	case err == nil:
		return errors.New("something stands after the end")
	case err != io.EOF:
		return f.broken(err)
	}
	return nil
}

// endOf is what the end says of a table.
func endOf(said []any) (c Checksum, err error) {
	if len(said) != 2 {
		return c, errNoLine
	}
	rows, ok1 := said[0].(float64)
	sum, ok2 := said[1].(string)
	if !ok1 || !ok2 {
		return c, errNoLine
	}
	c.Rows = int64(rows)
	c.sum, err = parseSum(sum)
	return c, err
}

// Summary is what the file has, once Next returned io.EOF.
func (f *Reader) Summary() Summary {
	s := Summary{Header: f.header}
	for _, t := range f.tables {
		s.Tables = append(s.Tables, *t)
	}
	return s
}
