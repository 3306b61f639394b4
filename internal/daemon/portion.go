package daemon

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"granary/internal/blob"
)

// Portion is some of all blobs, chosen by their digests. The zero value has none.
type Portion struct {
	all        bool
	part, of   uint64 // each of which digest modulo of is part
	from, span uint64 // or those from a point of the circle of digests, so many points
}

// ParsePortion reads "all", "n/t" for the nth of t equal parts, or a percentage such as
// "5%", which is another part each time.
func ParsePortion(text string) (p Portion, err error) {
	if text == "all" {
		return Portion{all: true}, nil
	}
	if percent, is := strings.CutSuffix(text, "%"); is {
		share, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(share > 0 && share <= 100) {
			return p, errPortion
		}
		if share == 100 {
			return Portion{all: true}, nil
		}
		span := uint64(share / 100 * math.MaxUint64)
		return Portion{from: rand.Uint64(), span: max(span, 1)}, nil //nolint:gosec // which bytes are read is no secret
	}
	n, t, _ := strings.Cut(text, "/")
	part, err := strconv.ParseUint(n, 10, 32)
	of, failed := strconv.ParseUint(t, 10, 32)
	if err != nil || failed != nil || part < 1 || part > of {
		return p, errPortion
	}
	return Portion{part: part - 1, of: of}, nil
}

var errPortion = errors.New("want all, a percentage such as 5%, or n/t for the nth of t parts")

// has reports whether a blob is in the portion.
func (p Portion) has(d blob.Digest) bool {
	point := binary.BigEndian.Uint64(d[:])
	switch {
	case p.all:
		return true
	case p.of > 0:
		return point%p.of == p.part
	}
	return point-p.from < p.span
}
