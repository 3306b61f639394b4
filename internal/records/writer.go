package records

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/klauspost/compress/zstd"
)

// Writer writes a file. Its calls come in this order: Begin, then any of Table, Row,
// Gone, All and Last, and End. After an error the file is not to be used. A Writer
// needs no more than 4 MiB, and twice its longest line.
type Writer struct {
	out    *trailing
	z      *zstd.Encoder
	line   []byte
	header Header

	table  *Table
	start  []byte   // of the table's lines
	before [][]byte // before each value
	tables map[string]*Table
	order  []*Table
}

// NewWriter returns a Writer to w. The caller makes what it wrote durable after End.
func NewWriter(w io.Writer) (*Writer, error) {
	const window = 1 << 20 // the usual one takes 8 MiB
	out := &trailing{to: w, sum: sha256.New()}
	z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(window), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, fmt.Errorf("compressing records: %w", err)
	}
	return &Writer{out: out, z: z, tables: map[string]*Table{}}, nil
}

// Begin writes the header.
func (w *Writer) Begin(h Header) error {
	if err := h.check(); err != nil {
		return err
	}
	w.header = h
	b := append(w.line[:0], `{"granary":"records","format":`...)
	b = strconv.AppendInt(b, Format, 10)
	b = appendText(append(b, `,"kind":`...), string(h.Kind))
	b = strconv.AppendInt(append(b, `,"schema":`...), h.Schema, 10)
	b = appendText(append(b, `,"identity":`...), h.Identity)
	b = appendText(append(b, `,"from":`...), strconv.FormatInt(h.From, 10))
	b = appendText(append(b, `,"to":`...), strconv.FormatInt(h.To, 10))
	return w.write(append(b, '}'))
}

// Table says to which table and columns the following rows belong. All rows of a table
// stand together: a reader inserts them at once.
func (w *Writer) Table(name string, columns []string) error {
	if w.tables[name] != nil {
		return fmt.Errorf("table %s: its rows must stand together", name)
	}
	if long := func(name string) bool { return len(name) > mostName }; long(name) || slices.ContainsFunc(columns, long) {
		return fmt.Errorf("table %s: its name or that of a column has more than %d bytes", name, mostName)
	}
	if len(columns) > mostColumns || len(w.order) >= mostTables {
		return fmt.Errorf("table %s: it has more than %d columns, or there are more than %d tables", name, mostColumns, mostTables)
	}
	w.table = &Table{Name: name}
	w.tables[name] = w.table
	w.order = append(w.order, w.table)
	w.start = append(appendText([]byte(`{"t":`), name), `,"r":`...)
	w.before = beforeValues(columns)
	return nil
}

// Row writes a row of the table: for each column nil, an int64, a string or bytes.
func (w *Writer) Row(values []any) error {
	if w.table == nil || len(values) != len(w.before) || len(values) == 0 {
		return fmt.Errorf("a row of %d values does not fit the table's columns", len(values))
	}
	b, err := appendFields(append(w.line[:0], w.start...), w.before, values)
	if err == nil {
		err = w.table.Add(values)
	}
	if err == nil {
		err = w.write(append(b, '}'))
	}
	if err != nil {
		return fmt.Errorf("table %s: %w", w.table.Name, err)
	}
	return nil
}

// Gone writes that a table has no row with this key. Gone lines of a table stand
// together, too.
func (w *Writer) Gone(table string, columns []string, key []any) error {
	b := append(appendText(append(w.line[:0], `{"t":`...), table), `,"k":`...)
	b, err := appendFields(b, beforeValues(columns), key)
	if err != nil {
		return fmt.Errorf("table %s: %w", table, err)
	}
	return w.write(append(b, `,"gone":true}`...))
}

// All writes that the file has all rows of a table: those that are not in it are gone.
func (w *Writer) All(table string) error {
	return w.write(append(appendText(append(w.line[:0], `{"all":`...), table), '}'))
}

// Last writes the last id that a row of each table got.
func (w *Writer) Last(ids map[string]int64) error {
	b := append(w.line[:0], `{"last":{`...)
	for i, table := range slices.Sorted(maps.Keys(ids)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(appendText(b, table), ':'), ids[table], 10)
	}
	return w.write(append(b, "}}"...))
}

// End writes the end, without which the file is not there, and returns what it has.
func (w *Writer) End() (Summary, error) {
	s := Summary{Header: w.header}
	b := append(w.line[:0], `{"end":{`...)
	for i, t := range w.order {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(appendText(b, t.Name), ":["...), t.Rows, 10)
		b = append(appendText(append(b, ','), t.String()), ']')
		s.Tables = append(s.Tables, *t)
	}
	if err := w.write(append(b, "}}"...)); err != nil {
		return s, err
	}
	return s, errors.Join(w.z.Close(), w.out.end())
}

// write writes a line, and keeps its memory for the next.
func (w *Writer) write(line []byte) error {
	w.line = line[:0]
	if w.header.Kind == "" {
		return errors.New("the file has not begun")
	}
	if len(line) >= maxLine {
		return fmt.Errorf("a line of %d bytes is too long; %d are possible", len(line), maxLine-1)
	}
	_, err := w.z.Write(append(line, '\n'))
	return err
}
