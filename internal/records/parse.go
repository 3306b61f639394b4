package records

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// parser takes a line apart. It knows only the JSON that Writer writes, which is several
// times as fast as to know all.
type parser struct {
	b []byte // what is left of the line
}

// errNoLine is the error of a line that Writer did not write.
var errNoLine = errors.New("this is no line of records")

// take skips a text that must be next.
func (p *parser) take(text string) bool {
	if len(p.b) < len(text) || string(p.b[:len(text)]) != text {
		return false
	}
	p.b = p.b[len(text):]
	return true
}

// text is a text in quotes.
func (p *parser) text() (string, error) {
	raw, plain := p.quoted()
	if raw == nil || !utf8.Valid(raw) {
		return "", errNoLine
	}
	if plain {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", errNoLine
	}
	return s, nil
}

// quoted is a text with its quotes, nil if there is none; plain says that nothing in it
// is escaped.
func (p *parser) quoted() (raw []byte, plain bool) {
	b := p.b
	if len(b) == 0 || b[0] != '"' {
		return nil, false
	}
	end := 1 + bytes.IndexByte(b[1:], '"')
	if end == 0 {
		return nil, false
	}
	if slash := bytes.IndexByte(b[:end], '\\'); slash < 0 {
		plain = true
	} else {
		for end = slash; end < len(b) && b[end] != '"'; end++ {
			if b[end] == '\\' {
				end++
			}
		}
		if end >= len(b) {
			return nil, false
		}
	}
	p.b = b[end+1:]
	return b[:end+1], plain
}

// value is a value of a row.
func (p *parser) value() (any, error) {
	switch {
	case len(p.b) == 0:
		return nil, errNoLine
	case p.b[0] == '"':
		return p.text()
	case p.take("null"):
		return nil, nil
	case p.take(`{"b":`):
		return p.base64()
	case p.take(`{"t":`):
		b, err := p.base64()
		return string(b), err
	}
	return p.number()
}

// base64 is the bytes of an object whose value is next.
func (p *parser) base64() ([]byte, error) {
	raw, plain := p.quoted()
	if !plain || !p.take("}") {
		return nil, errNoLine
	}
	text := raw[1 : len(raw)-1]
	b := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(b, text)
	if err != nil {
		return nil, errNoLine
	}
	return b[:n], nil
}

// number is a whole number.
func (p *parser) number() (int64, error) {
	n := 0
	for n < len(p.b) && (p.b[n] == '-' || p.b[n] >= '0' && p.b[n] <= '9') {
		n++
	}
	v, err := strconv.ParseInt(string(p.b[:n]), 10, 64)
	if err != nil {
		return 0, errNoLine
	}
	p.b = p.b[n:]
	return v, nil
}

// fields reads an object into values. names are those of the row before: if they are the
// same, names is returned as it is.
func (p *parser) fields(names []string, values []any) ([]string, []any, error) {
	values = values[:0]
	if !p.take("{") {
		return nil, nil, errNoLine
	}
	same := true // so far
	for !p.take("}") {
		i := len(values)
		if i > 0 && !p.take(",") {
			return nil, nil, errNoLine
		}
		if !same || i >= len(names) || !p.name(names[i]) {
			name, err := p.newName()
			if err != nil {
				return nil, nil, err
			}
			if !p.take(":") {
				return nil, nil, errNoLine
			}
			if i == mostColumns {
				return nil, nil, fmt.Errorf("it has more than %d names", mostColumns)
			}
			if same { // names belongs to the row before
				names = slices.Clone(names[:i])
			}
			names, same = append(names[:i], name), false
		}
		v, err := p.value()
		if err != nil {
			return nil, nil, err
		}
		values = append(values, v)
	}
	return names[:len(values):len(values)], values, nil
}

// newName is the name of a table or column.
func (p *parser) newName() (string, error) {
	name, err := p.text()
	if len(name) > mostName {
		return "", fmt.Errorf("a name has %d bytes; at most %d are possible", len(name), mostName)
	}
	return name, err
}

// name skips a name and its colon, if it is next.
func (p *parser) name(name string) bool {
	n := len(name)
	if len(p.b) < n+3 || p.b[0] != '"' || string(p.b[1:n+1]) != name || p.b[n+1] != '"' || p.b[n+2] != ':' {
		return false
	}
	p.b = p.b[n+3:]
	return true
}
