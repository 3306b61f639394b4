package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A small file is read as it was listed, or not at all.
func TestReadSource(t *testing.T) {
	local := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(local, []byte("four"), 0o600); err != nil {
		t.Fatal(err)
	}
	for size, fault := range map[int64]string{4: "", 3: "changed while it was read", 5: "changed while it was read", 0: "changed while it was read"} {
		data, err := source{local: local, size: size}.read()
		if (err == nil) != (fault == "") || err == nil && string(data) != "four" || err != nil && !strings.Contains(err.Error(), fault) {
			t.Errorf("%d bytes: %q %v, want %q", size, data, err, fault)
		}
	}
	if _, err := (source{local: filepath.Dir(local), size: 4}).read(); err == nil || strings.Contains(err.Error(), "changed") {
		t.Error(err)
	}
}

// How many files go at once is what was said, else more where they are small.
func TestAtOnce(t *testing.T) {
	for _, tt := range []struct {
		jobs  int
		size  int64
		files int
		want  int
	}{{0, 0, 0, 8}, {0, 5000 * 4096, 5000, 32}, {0, 1 << 30, 2, 8}, {8, 4096, 1, 8}, {64, 1 << 30, 2, 64}} {
		if got := (&push{jobs: tt.jobs}).atOnce(tt.size, tt.files); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
}
