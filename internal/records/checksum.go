package records

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Checksum is the number of rows of a table, and a sum of their values that does not
// depend on the order of rows. It depends on the order of columns.
type Checksum struct {
	Rows int64
	sum  [4]uint64 // of the rows' SHA-256, in four parts
	row  []byte    // reused
}

// Add adds a row, whose values are nil, int64, string or []byte.
func (c *Checksum) Add(values []any) error {
	b := c.row[:0]
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b = binary.BigEndian.AppendUint64(append(b, 'n'), 0)
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), 8)
			b = binary.BigEndian.AppendUint64(b, uint64(v)) //nolint:gosec // the same bits on both sides
		case string:
			b = append(binary.BigEndian.AppendUint64(append(b, 't'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint64(append(b, 'b'), uint64(len(v))), v...)
		default:
			return fmt.Errorf("a value of type %T was not expected", v)
		}
	}
	digest := sha256.Sum256(b)
	for i := range c.sum {
		c.sum[i] += binary.BigEndian.Uint64(digest[8*i:])
	}
	c.Rows++
	c.row = b
	return nil
}

// String is the sum in hex, without the number of rows.
func (c *Checksum) String() string {
	var b [32]byte
	for i, part := range c.sum {
		binary.BigEndian.PutUint64(b[8*i:], part)
	}
	return hex.EncodeToString(b[:])
}

// Equal reports whether both have as many rows with the same values.
func (c *Checksum) Equal(other *Checksum) bool { return c.Rows == other.Rows && c.sum == other.sum }

// parseSum is a sum that String wrote.
func parseSum(text string) (sum [4]uint64, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 {
		return sum, fmt.Errorf("%q is no checksum", text)
	}
	for i := range sum {
		sum[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return sum, nil
}
