package sqldb

import "testing"

// Rows in any order have the same checksum; another value, type or boundary between
// values changes it.
func TestChecksum(t *testing.T) {
	sum := func(rows ...[]any) (c checksum) {
		for _, row := range rows {
			if err := c.add(row); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	a, b := []any{int64(1), "x", nil}, []any{int64(2), []byte("y"), nil}
	if sum(a, b) != sum(b, a) {
		t.Error("the order counts")
	}
	for i, other := range []checksum{
		sum(a), sum(a, a), sum(a, b, b), sum(a, []any{int64(2), "y", nil}), sum(a, []any{int64(3), []byte("y"), nil}),
		sum(a, []any{int64(2), []byte("y"), ""}), sum([]any{int64(1), "x"}, []any{nil, int64(2), []byte("y"), nil}),
	} {
		if other == sum(a, b) {
			t.Errorf("%d: other rows have the same checksum", i)
		}
	}
}
