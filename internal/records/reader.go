package records

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/klauspost/compress/zstd"
)

// Line is a line of a file, between its header and its end.
type Line struct {
	Kind  LineKind
	Table string // "" of LastLine

	// Columns and Values are of a RowLine, and the key of a GoneLine. They are valid
	// until the next call; the values themselves stay.
	Columns []string
	Values  []any

	Last map[string]int64 // of a LastLine: the last id that a row of each table got
}

// LineKind is a kind of line.
type LineKind int

// The kinds of lines.
const (
	RowLine  LineKind = iota // a row
	GoneLine                 // a table has no row with this key
	AllLine                  // the file has all rows of a table
	LastLine                 // the last ids of tables
)

// Reader reads a file, and refuses one that is not whole: see Next.
type Reader struct {
	name   string
	header Header
	z      *zstd.Decoder
	in     *bufio.Reader
	long   []byte // of a line that is longer than the buffer
	number int    // of the line

	line   Line
	start  []byte // of the last row's line
	done   map[string]bool
	table  *Table // of the last row
	tables []*Table
}

// NewReader reads the header of a file. name is for errors. Close frees its memory, which
// is less than 16 MiB, and twice its longest line.
func NewReader(name string, r io.Reader) (*Reader, error) {
	const window = 8 << 20 // of the writer's, and of files that another program compressed again
	z, err := zstd.NewReader(&trailed{from: r, sum: sha256.New()}, zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f := &Reader{name: name, z: z, in: bufio.NewReaderSize(z, 64<<10), done: map[string]bool{}}
	if err := f.begin(); err != nil {
		z.Close()
		return nil, err
	}
	return f, nil
}

// Header is the header.
func (f *Reader) Header() Header { return f.header }

// Close frees the reader's memory. It does not close what it read from.
func (f *Reader) Close() { f.z.Close() }

// begin reads the header.
func (f *Reader) begin() error {
	line, err := f.read()
	if err != nil {
		return err
	}
	var known struct {
		Granary string
		Format  int
	}
	if json.Unmarshal(line, &known) != nil || known.Granary != "records" {
		return f.wrong(errors.New("this is no file of records"))
	}
	if known.Format < 1 || known.Format > Format {
		return f.wrong(fmt.Errorf("the format is %d, and this granary knows formats up to %d; use a newer granary", known.Format, Format))
	}
	p := parser{line}
	names, values, err := p.fields(nil, nil)
	if err != nil || len(p.b) > 0 || !slices.Equal(names, []string{"granary", "format", "kind", "schema", "identity", "from", "to"}) {
		return f.wrong(errNoLine)
	}
	kind, ok1 := values[2].(string)
	schema, ok2 := values[3].(int64)
	identity, ok3 := values[4].(string)
	from, err1 := parseEvent(values[5])
	to, err2 := parseEvent(values[6])
	if !ok1 || !ok2 || !ok3 || err1 != nil || err2 != nil {
		return f.wrong(errNoLine)
	}
	f.header = Header{Kind: Kind(kind), Schema: schema, Identity: identity, From: from, To: to}
	if err := f.header.check(); err != nil {
		return f.wrong(err)
	}
	return nil
}

// parseEvent is the id of an event, which stands there as a text.
func parseEvent(v any) (int64, error) {
	text, ok := v.(string)
	if !ok {
		return 0, errNoLine
	}
	return strconv.ParseInt(text, 10, 64)
}

// Next reads the next line. It returns io.EOF after the last, if the file is whole: it
// has as many rows as its end says, with these values, and not a bit is another. Until
// then what was read may be wrong.
func (f *Reader) Next() (*Line, error) {
	line, err := f.read()
	if err != nil {
		return nil, err
	}
	p := parser{line}
	if !p.take(`{"t":`) {
		f.start = f.start[:0]
	}
	switch {
	case len(p.b) < len(line):
		err = f.parseRow(&p, line)
	case p.take(`{"all":`):
		f.line = Line{Kind: AllLine}
		if f.line.Table, err = p.newName(); err == nil && !p.take("}") {
			err = errNoLine
		}
	case p.take(`{"last":`):
		err = f.parseLast(&p)
	case p.take(`{"end":`):
		if err := f.end(line); err != nil {
			return nil, f.wrong(err)
		}
		return nil, io.EOF
	default:
		err = errNoLine
	}
	if err == nil && len(p.b) > 0 {
		err = errNoLine
	}
	if err != nil {
		return nil, f.wrong(err)
	}
	return &f.line, nil
}

// parseRow parses a row, or the key of a row that is gone.
func (f *Reader) parseRow(p *parser, line []byte) (err error) {
	l := &f.line
	var before []string // columns of the row before
	if len(f.start) > 0 && len(line) > len(f.start) && string(line[:len(f.start)]) == string(f.start) {
		p.b, before = line[len(f.start):], l.Columns
	} else {
		*l, f.start = Line{}, f.start[:0]
		if l.Table, err = p.newName(); err != nil {
			return err
		}
		switch {
		case p.take(`,"r":`):
			f.start = append(f.start, line[:len(line)-len(p.b)]...)
			if err := f.begins(l.Table); err != nil {
				return err
			}
		case p.take(`,"k":`):
			l.Kind = GoneLine
		default:
			return errNoLine
		}
	}
	if l.Columns, l.Values, err = p.fields(l.Columns, l.Values); err != nil {
		return err
	}
	if len(l.Columns) == 0 {
		return errNoLine
	}
	if l.Kind == GoneLine {
		if !p.take(`,"gone":true}`) {
			return errNoLine
		}
		return nil
	}
	if !p.take("}") {
		return errNoLine
	}
	if before != nil && (len(before) != len(l.Columns) || &before[0] != &l.Columns[0]) {
		return fmt.Errorf("the row of table %s has other columns than the one before", l.Table)
	}
	return f.table.Add(l.Values)
}

// begins notes that rows of a table follow.
func (f *Reader) begins(table string) error {
	if f.done[table] {
		return fmt.Errorf("the rows of table %s do not stand together", table)
	}
	if len(f.tables) == mostTables {
		return fmt.Errorf("there are more than %d tables", mostTables)
	}
	f.done[table] = true
	f.table = &Table{Name: table}
	f.tables = append(f.tables, f.table)
	return nil
}

func (f *Reader) parseLast(p *parser) error {
	names, values, err := p.fields(nil, nil)
	if err != nil || !p.take("}") {
		return errNoLine
	}
	f.line = Line{Kind: LastLine, Last: map[string]int64{}}
	for i, name := range names {
		id, ok := values[i].(int64)
		if _, twice := f.line.Last[name]; twice || !ok {
			return errNoLine
		}
		f.line.Last[name] = id
	}
	return nil
}

// read reads a line without its line break.
func (f *Reader) read() ([]byte, error) {
	f.number++
	f.long = f.long[:0]
	for {
		part, err := f.in.ReadSlice('\n')
		switch {
		case err == nil && len(f.long) == 0:
			return part[:len(part)-1], nil
		case len(f.long)+len(part) > maxLine:
			return nil, f.wrong(fmt.Errorf("the line is longer than %d bytes", maxLine))
		case err == nil:
			f.long = append(f.long, part...)
			return f.long[:len(f.long)-1], nil
		case err == bufio.ErrBufferFull:
			f.long = append(f.long, part...)
		case err == io.EOF:
			return nil, f.wrong(errors.New("the file has no end"))
		default:
			return nil, f.wrong(f.broken(err))
		}
	}
}

// broken says in words what an error of reading means.
func (f *Reader) broken(err error) error {
	if err == errNotWhole {
		return err
	}
	return fmt.Errorf("the file is cut short, damaged, or cannot be read: %w", err)
}

// wrong is an error at the line that was read last.
func (f *Reader) wrong(err error) error {
	return fmt.Errorf("%s, line %d: %w", f.name, f.number, err)
}
