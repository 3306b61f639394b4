package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"granary/internal/blob"
	"granary/internal/records"
)

// oneNote has one note under every name.
type oneNote struct {
	blob.Source
	text []byte
}

func (n oneNote) Note(context.Context, string) (io.ReadSeekCloser, error) {
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(n.text), io.NopCloser(nil)}, nil
}

// Whichever byte of the head is another, it is damaged; so is a head that is cut short. A head of
// an early granary, without a checksum, is read as it is.
func TestHeadFindsEveryFlippedBit(t *testing.T) {
	t.Parallel()
	g := newDamagedRecords(t)
	text, err := os.ReadFile(g.last("head"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	for _, whole := range [][]byte{text, line} {
		if h, err := records.ReadHead(t.Context(), oneNote{text: whole}); err != nil || h.Base == 0 || len(h.Packs) == 0 {
			t.Fatalf("%+v, %v", h, err)
		}
	}
	damaged := func(what string, at int, text []byte) {
		t.Helper()
		if h, err := records.ReadHead(t.Context(), oneNote{text: text}); !errors.Is(err, records.ErrDamaged) {
			t.Errorf("%s at %d: %+v, %v", what, at, h, err)
		}
	}
	for at := range text {
		for bit := range 8 {
			flipped := bytes.Clone(text)
			flipped[at] ^= 1 << bit
			damaged("a flipped bit", at, flipped)
		}
		if at != len(line) {
			damaged("a cut", at, text[:at])
		}
	}
	// fsck tells, also of a byte that no other note contradicts.
	at := strings.Index(string(line), `"schema":`) + len(`"schema":`)
	text[at] ^= 1
	g.put("head", string(text))
	for _, read := range []Subset{{}, AllBlobs()} {
		if found := g.found(read); !slices.ContainsFunc(found, func(reason string) bool { return strings.Contains(reason, "records/head is damaged") }) {
			t.Errorf("fsck says %q", found)
		}
	}
	g.mended(func(*lostDatabase) {}, false)
}
