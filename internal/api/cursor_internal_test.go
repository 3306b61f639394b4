package api

import (
	"strconv"
	"testing"
)

// TestCursor: what a page hands out is read back; anything else is refused.
func TestCursor(t *testing.T) {
	for _, id := range []int64{1, 42, 1 << 62} {
		text := cursor{strconv.FormatInt(id, 10), "n"}.String()
		for _, sent := range []string{text, text + "=="} {
			if got, err := parseCursor(sent); got != id || err != nil {
				t.Errorf("%s: %d %v, want %d", sent, got, err, id)
			}
		}
	}
	if got, err := parseCursor(""); got != 0 || err != nil {
		t.Errorf("the first page: %d %v", got, err)
	}
	for _, c := range []cursor{{"0", "n"}, {"-1", "n"}, {"x", "n"}, {"1", "p"}, {"", ""}} {
		if got, err := parseCursor(c.String()); err == nil {
			t.Errorf("%+v passes as %d", c, got)
		}
	}
}

// FuzzParseCursor: a cursor that is taken means what its own text would.
func FuzzParseCursor(f *testing.F) {
	for _, seed := range []string{"", "=", "!", "e30", cursor{"7", "n"}.String(), cursor{"7", "n"}.String() + "="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := parseCursor(text)
		if err != nil || id == 0 {
			return
		}
		if again, err := parseCursor(cursor{strconv.FormatInt(id, 10), "n"}.String()); again != id || err != nil || id < 0 {
			t.Errorf("%q is %d, its own text %d %v", text, id, again, err)
		}
	})
}
