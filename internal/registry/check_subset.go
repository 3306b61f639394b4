package registry

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"strings"

	"granary/internal/blob"
)

// Subset chooses blobs. The zero value chooses none.
type Subset struct {
	share float64 // of all digests, chosen at random; 1 for all
	part  uint64  // the part of parts, from 1, by the order of digests
	parts uint64  // 0: share counts
}

// AllBlobs is the Subset of all blobs.
func AllBlobs() Subset { return Subset{share: 1} }

// All reports whether the Subset is that of all blobs.
func (s Subset) All() bool { return s.share == 1 }

// mostParts is the most parts of a Subset.
const mostParts = 1 << 20

// ParseSubset reads "all", "5%", which is a random twentieth, another one at each choice, or
// "3/20", which is the third of twenty parts by digest: all of them together are all blobs.
func ParseSubset(text string) (Subset, error) {
	if text == "all" {
		return AllBlobs(), nil
	}
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		share, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(share > 0 && share <= 100) {
			return Subset{}, fmt.Errorf("%q is no share: want more than 0%% and at most 100%%, such as 5%%", text)
		}
		return Subset{share: share / 100}, nil
	}
	n, t, ok := strings.Cut(text, "/")
	part, err := strconv.ParseUint(n, 10, 64)
	parts, err2 := strconv.ParseUint(t, 10, 64)
	if !ok || err != nil || err2 != nil || part < 1 || part > parts || parts > mostParts {
		return Subset{}, fmt.Errorf("%q is no subset: want all, a share such as 5%%, or a part such as 3/20, of at most %d parts", text, mostParts)
	}
	return Subset{part: part, parts: parts}, nil
}

// Has reports whether a blob is chosen.
func (s Subset) Has(d blob.Digest) bool {
	if s.parts > 0 {
		part, _ := bits.Mul64(binary.BigEndian.Uint64(d[:8]), s.parts)
		return part == s.part-1
	}
	return s.share >= 1 || s.share > 0 && rand.Float64() < s.share //nolint:gosec // a sample, not a secret
}
