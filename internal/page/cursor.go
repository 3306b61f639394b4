package page

import (
	"encoding/base64"
	"strings"

	"granary/internal/fault"
)

// Cursor is a place in a list that pages by keys: before or after the row with these keys.
type Cursor struct {
	Order string   // of the list; a list refuses a cursor of another order
	Back  bool     // the page before the row; else the page after it
	Keys  []string // of the row
}

// maxCursor is how many characters the text of a cursor may have.
const maxCursor = 2000

// Parts of a cursor's text before it is encoded. No key has a NUL.
const (
	between = "\x00"
	onward  = "n"
	back    = "p"
)

// String is the cursor as opaque text of A-Z, a-z, 0-9, - and _; "" for nil.
func (c *Cursor) String() string {
	if c == nil {
		return ""
	}
	direction := onward
	if c.Back {
		direction = back
	}
	text := strings.Join(append([]string{direction, c.Order}, c.Keys...), between)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// ParseCursor reads what String returns. Invalid if the text is anything else.
func ParseCursor(text string) (*Cursor, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // the start of a list needs no cursor
	}
	if len(text) > maxCursor {
		return nil, ErrCursor()
	}
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	parts := strings.Split(string(decoded), between)
	if err != nil || len(parts) < 3 || parts[0] != onward && parts[0] != back {
		return nil, ErrCursor()
	}
	c := &Cursor{Order: parts[1], Back: parts[0] == back, Keys: parts[2:]}
	if c.String() != text {
		return nil, ErrCursor()
	}
	return c, nil
}

// In returns the keys of a cursor in a list of this order with so many keys, nil for the
// start of the list. Invalid if the cursor is of another list.
func (c *Cursor) In(order string, keys int) ([]string, error) {
	if c == nil {
		return nil, nil
	}
	if c.Order != order || len(c.Keys) != keys {
		return nil, ErrCursor()
	}
	return c.Keys, nil
}

// ErrCursor is the refusal of a cursor that no list has made.
func ErrCursor() error {
	return fault.New(fault.Invalid, "cursor is invalid, want one of a page's links")
}

// Part is a page of a list that pages by keys.
type Part[T any] struct {
	Rows         []T
	Newer, Older *Cursor // of the pages before and after this one; nil for none
}

// PartOf is the page at a cursor of a list. found is up to size rows and one more, which
// tells whether another page follows in the direction in which they were read: away from
// the start, or if the cursor says Back, towards it. key returns the keys of a row.
func PartOf[T any](order string, at *Cursor, found []T, size int, key func(T) []string) Part[T] {
	more := len(found) > size
	rows := found[:min(len(found), size)]
	backwards := at != nil && at.Back
	if backwards {
		turned := make([]T, 0, len(rows))
		for i := range rows {
			turned = append(turned, rows[len(rows)-1-i])
		}
		rows = turned
	}
	p := Part[T]{Rows: rows}
	if len(rows) == 0 {
		return p
	}
	if more || backwards {
		p.Older = &Cursor{Order: order, Keys: key(rows[len(rows)-1])}
	}
	if at != nil && (more || !backwards) {
		p.Newer = &Cursor{Order: order, Back: true, Keys: key(rows[0])}
	}
	return p
}
