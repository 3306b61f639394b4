package records_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"granary/internal/blob"
	"granary/internal/records"
)

// A damaged pack becomes what it was if it still says which bodies it had, and the wrong ones are
// elsewhere; else it is an ErrPack, and the Packer is empty all the same.
func TestMendPack(t *testing.T) {
	var bodies []string
	for i := range 20 {
		bodies = append(bodies, strings.Repeat(fmt.Sprint(i), 100))
	}
	name, whole := packOf(t, bodies...)
	index, err := records.ReadPackIndex(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	fourth := index[3].Offset
	elsewhere := func(d blob.Digest) ([]byte, error) {
		for _, b := range bodies {
			if d == sha256.Sum256([]byte(b)) {
				return []byte(b), nil
			}
		}
		return nil, blob.ErrNotFound
	}
	nowhere := func(blob.Digest) ([]byte, error) { return nil, blob.ErrNotFound }
	var p records.Packer
	for what, tc := range map[string]struct {
		harm  func(pack []byte) []byte
		alone bool // without bytes from elsewhere
		with  bool
	}{
		"nothing":            {func(p []byte) []byte { return p }, true, true},
		"a body":             {func(p []byte) []byte { p[fourth+5] ^= 1; return p }, false, true},
		"a digest":           {func(p []byte) []byte { p[fourth-20] ^= 1; return p }, true, true},
		"the first letter":   {func(p []byte) []byte { p[0] ^= 1; return p }, true, true},
		"index":              {func(p []byte) []byte { p[len(p)-100] ^= 1; return p }, true, true},
		"index and a body":   {func(p []byte) []byte { p[len(p)-100] ^= 1; p[fourth+5] ^= 1; return p }, false, true},
		"index and a digest": {func(p []byte) []byte { p[len(p)-100] ^= 1; p[fourth-20] ^= 1; return p }, false, false},
		"cut in the fourth":  {func(p []byte) []byte { return p[:fourth+10] }, false, false},
		"something behind":   {func(p []byte) []byte { return append(p, 0) }, true, true},
		"all":                {func([]byte) []byte { return nil }, false, false},
	} {
		for _, from := range []struct {
			body func(blob.Digest) ([]byte, error)
			want bool
		}{{nowhere, tc.alone}, {elsewhere, tc.with}} {
			got, err := p.Mend(bytes.NewReader(tc.harm(bytes.Clone(whole))), name, from.body)
			if mended := err == nil && bytes.Equal(got, whole); mended != from.want || !mended && !errors.Is(err, records.ErrPack) {
				t.Errorf("%s: mended %v, %v; want %v", what, mended, err, from.want)
			}
			if p.Len() != 0 {
				t.Fatalf("%s: the Packer has %d bodies", what, p.Len())
			}
		}
	}
	failed := errors.New("the database is away")
	if _, err := p.Mend(bytes.NewReader(whole[:fourth+10]), name, func(blob.Digest) ([]byte, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("%v, want %v", err, failed)
	}
}
