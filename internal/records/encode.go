package records

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// appendValue appends a value as JSON.
func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case string:
		if !utf8.ValidString(v) {
			b = base64.StdEncoding.AppendEncode(append(b, `{"t":"`...), []byte(v))
			return append(b, `"}`...), nil
		}
		return appendText(b, v), nil
	case []byte:
		b = base64.StdEncoding.AppendEncode(append(b, `{"b":"`...), v)
		return append(b, `"}`...), nil
	}
	return b, fmt.Errorf("a value of type %T was not expected", v)
}

// appendText appends a text in quotes. Only what JSON requires is escaped.
func appendText(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if c >= ' ' {
			b = append(b, '\\', c)
		} else {
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// appendFields appends names and values as the fields of an object. before has what
// stands before each value: names are encoded once for many rows.
func appendFields(b []byte, before [][]byte, values []any) (_ []byte, err error) {
	for i, v := range values {
		b = append(b, before[i]...)
		if b, err = appendValue(b, v); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// beforeValues is what stands before each value of an object with these names.
func beforeValues(names []string) [][]byte {
	before := make([][]byte, len(names))
	for i, name := range names {
		between := byte(',')
		if i == 0 {
			between = '{'
		}
		before[i] = append(appendText([]byte{between}, name), ':')
	}
	return before
}
