package daemon

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"granary/internal/blob"
)

func TestPortions(t *testing.T) {
	t.Parallel()
	const blobs = 20_000
	digests := make([]blob.Digest, blobs)
	for i := range digests {
		digests[i] = sha256.Sum256(fmt.Append(nil, i))
	}
	count := func(text string) (n int) {
		t.Helper()
		p, err := ParsePortion(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, d := range digests {
			if p.has(d) {
				n++
			}
		}
		return n
	}
	for text, want := range map[string]int{"all": blobs, "100%": blobs, "1/1": blobs, "5%": blobs / 20, "0.5%": blobs / 200, "50%": blobs / 2, "2/7": blobs / 7} {
		if got := count(text); got < want*8/10 || got > want*12/10 {
			t.Errorf("%s has %d of %d blobs, want about %d", text, got, blobs, want)
		}
	}
	if all := count("1/3") + count("2/3") + count("3/3"); all != blobs {
		t.Errorf("three thirds are %d of %d", all, blobs)
	}
	if (Portion{}).has(digests[0]) {
		t.Error("no portion has a blob")
	}
	for _, bad := range []string{"", "5", "0%", "101%", "NaN%", "0/3", "4/3", "1/0", "-1/3", "1/2/3", "x%"} {
		if _, err := ParsePortion(bad); err == nil {
			t.Errorf("%q counts as a portion", bad)
		}
	}
}
