package page_test

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"granary/internal/fault"
	"granary/internal/page"
)

// A cursor is read back from its text; anything else is Invalid.
func TestCursorText(t *testing.T) {
	for _, c := range []page.Cursor{
		{Order: "-published", Keys: []string{"1", "2"}},
		{Order: "name", Back: true, Keys: []string{"a\"<&\\\u2028" + strings.Repeat("\\", 255)}},
	} {
		got, err := page.ParseCursor(c.String())
		if err != nil || !reflect.DeepEqual(*got, c) {
			t.Errorf("%+v, %v, want %+v", got, err, c)
		}
	}
	if c, err := page.ParseCursor(""); c != nil || err != nil || c.String() != "" {
		t.Errorf("the start: %v, %v", c, err)
	}
	whole := (&page.Cursor{Order: "name", Keys: []string{"a"}}).String()
	encode := base64.RawURLEncoding.EncodeToString
	for _, text := range []string{
		"x", "!", whole + "=", whole + " ", encode([]byte("n\x00name")), encode([]byte("x\x00name\x00a")), encode([]byte("name")), (&page.Cursor{Keys: []string{strings.Repeat("a", 5000)}}).String(),
	} {
		if c, err := page.ParseCursor(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is %+v, %v", text, c, err)
		}
	}
}

// A list refuses a cursor of another order, and one with other keys.
func TestCursorOfAnotherList(t *testing.T) {
	c := &page.Cursor{Order: "name", Keys: []string{"a"}}
	if keys, err := c.In("name", 1); err != nil || !slices.Equal(keys, []string{"a"}) {
		t.Errorf("%v, %v", keys, err)
	}
	for order, keys := range map[string]int{"name": 2, "stored": 1} {
		if _, err := c.In(order, keys); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s with %d keys: %v", order, keys, err)
		}
	}
}

// From page to page in both directions a list of any length is whole, and the links end
// where it ends.
func TestPartsMeet(t *testing.T) {
	const size = 3
	key := func(n int) []string { return []string{strconv.Itoa(n)} }
	read := func(rows []int, at *page.Cursor) page.Part[int] {
		rows = slices.Clone(rows)
		if at != nil {
			n, err := strconv.Atoi(at.Keys[0])
			if err != nil {
				t.Fatal(err)
			}
			i := slices.Index(rows, n)
			if rows = rows[i+1:]; at.Back {
				rows = make([]int, 0, i)
				for ; i > 0; i-- {
					rows = append(rows, i-1)
				}
			}
		}
		return page.PartOf("n", at, rows[:min(len(rows), size+1)], size, key)
	}
	for length := range 8 {
		var rows []int
		for i := range length {
			rows = append(rows, i)
		}
		var there, back []int
		p := read(rows, nil)
		for there = p.Rows; p.Older != nil; there = append(there, p.Rows...) {
			p = read(rows, p.Older)
		}
		for back = p.Rows; p.Newer != nil; back = append(slices.Clone(p.Rows), back...) {
			p = read(rows, p.Newer)
		}
		if !slices.Equal(there, rows) || !slices.Equal(back, rows) {
			t.Errorf("%d rows: %v there, %v back", length, there, back)
		}
	}
}
