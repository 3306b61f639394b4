package blob_test

import (
	"strings"
	"testing"

	"granary/internal/blob"
)

func TestParseDigest(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, s := range []string{empty, strings.ToUpper(empty)} {
		if d, err := blob.ParseDigest(s); err != nil || d.String() != empty {
			t.Errorf("ParseDigest(%q) = %v, %v", s, d, err)
		}
	}
	for _, s := range []string{"", empty[1:], empty + "0", "g" + empty[1:], " " + empty[1:], "sha256:" + empty, "../" + empty[3:]} {
		if d, err := blob.ParseDigest(s); err == nil || d != (blob.Digest{}) {
			t.Errorf("ParseDigest(%q) = %v, %v, want an error", s, d, err)
		}
	}
}

func FuzzParseDigest(f *testing.F) {
	f.Add(strings.Repeat("aF", 32))
	f.Add("sha256:" + strings.Repeat("0", 57))
	f.Add(strings.Repeat("é", 32))
	f.Fuzz(func(t *testing.T, s string) {
		d, err := blob.ParseDigest(s)
		if err != nil {
			if d != (blob.Digest{}) {
				t.Errorf("ParseDigest(%q) = %v beside its error", s, d)
			}
			return
		}
		if d.String() != strings.ToLower(s) {
			t.Errorf("ParseDigest(%q) = %v", s, d)
		}
		if again, err := blob.ParseDigest(d.String()); err != nil || !again.Equal(d) {
			t.Errorf("ParseDigest(%q) = %v, %v, want it back", d, again, err)
		}
	})
}
