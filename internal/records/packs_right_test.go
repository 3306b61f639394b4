package records_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"granary/internal/blob"
	"granary/internal/records"
)

// Of a damaged pack every body is had whose bytes are right, wherever the damage is.
func TestRightBodiesOfADamagedPack(t *testing.T) {
	var bodies []string
	for i := range 20 {
		bodies = append(bodies, strings.Repeat(fmt.Sprint(i), 100))
	}
	_, whole := packOf(t, bodies...)
	index, err := records.ReadPackIndex(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	fourth := index[3].Offset
	for name, tc := range map[string]struct {
		harm  func(pack []byte) []byte
		right int
		wrong int
	}{
		"a body":             {func(p []byte) []byte { p[fourth+5] ^= 1; return p }, 19, 1},
		"a digest":           {func(p []byte) []byte { p[fourth-20] ^= 1; return p }, 20, 0},
		"a length":           {func(p []byte) []byte { p[fourth-1] ^= 1; return p }, 20, 0},
		"the first letter":   {func(p []byte) []byte { p[0] ^= 1; return p }, 20, 0},
		"index":              {func(p []byte) []byte { p[len(p)-100] ^= 1; return p }, 20, 0},
		"index and a body":   {func(p []byte) []byte { p[len(p)-100] ^= 1; p[fourth+5] ^= 1; return p }, 19, 1},
		"cut in the fourth":  {func(p []byte) []byte { return p[:fourth+10] }, 3, 1},
		"cut at its head":    {func(p []byte) []byte { return p[:fourth-10] }, 3, 0},
		"something behind":   {func(p []byte) []byte { return append(p, 0) }, 20, 0},
		"nothing":            {func(p []byte) []byte { return nil }, 0, 0},
		"index and a length": {func(p []byte) []byte { p[len(p)-100] ^= 1; p[fourth-4] = 0x7f; return p }, 3, 0},
	} {
		seen := map[string]bool{}
		wrong, err := records.RightBodies(bytes.NewReader(tc.harm(bytes.Clone(whole))), func(d blob.Digest, body []byte) error {
			if d != sha256.Sum256(body) || !slices.Contains(bodies, string(body)) {
				t.Errorf("%s: passed on %s", name, d)
			}
			seen[string(body)] = true
			return nil
		})
		if err != nil || len(seen) != tc.right || len(wrong) != tc.wrong {
			t.Errorf("%s: %d right, %d wrong, %v; want %d and %d", name, len(seen), len(wrong), err, tc.right, tc.wrong)
		}
	}
}

// An index of which each entry is a body of the same place is not believed: its bodies would be
// many times as large as the pack. Nor is a body that is larger than any.
func TestRightBodiesOfAnIndexThatOverlaps(t *testing.T) {
	body := strings.Repeat("x", records.MaxBody)
	bodies := make([]string, records.PackSize/records.MaxBody-1)
	bodies[0] = body
	_, pack := packOf(t, bodies...)
	const entry, tail = sha256.Size + 8, 4 + sha256.Size
	begins := len(pack) - tail - len(bodies)*entry
	first := bytes.Clone(pack[begins : begins+entry])
	for _, entries := range []struct{ number, right int }{{100, 16}, {1, 1}} {
		harmed := append(bytes.Clone(pack[:begins]), bytes.Repeat(first, entries.number)...)
		right, wrong := 0, 0
		found, err := records.RightBodies(bytes.NewReader(sealed(harmed, begins)), func(blob.Digest, []byte) error { right++; return nil })
		if wrong = len(found); err != nil || right != entries.right || wrong != entries.number-entries.right {
			t.Errorf("of %d bodies %d are right and %d wrong, %v; want %d right", entries.number, right, wrong, err, entries.right)
		}
	}
	large := sha256.Sum256(pack[:records.MaxBody+1])
	harmed := append(bytes.Clone(pack[:begins]), large[:]...)
	harmed = binary.BigEndian.AppendUint32(harmed, 0)
	harmed = binary.BigEndian.AppendUint32(harmed, records.MaxBody+1)
	found, err := records.RightBodies(bytes.NewReader(sealed(harmed, begins)), func(d blob.Digest, body []byte) error {
		return fmt.Errorf("%s has %d bytes", d, len(body))
	})
	if err != nil || len(found) != 1 {
		t.Errorf("of a body that is too large: %v, %v", found, err)
	}
}

// sealed ends a pack whose index begins there.
func sealed(pack []byte, begins int) []byte {
	pack = binary.BigEndian.AppendUint32(pack, uint32((len(pack)-begins)/(sha256.Size+8)))
	sum := sha256.Sum256(pack[begins:])
	return append(pack, sum[:]...)
}
