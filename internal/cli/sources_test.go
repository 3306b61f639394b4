package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A small file is read as it was found, or not at all.
func TestReadSource(t *testing.T) {
	local := filepath.Join(t.TempDir(), "f")
	for text, fault := range map[string]error{"four": nil, "": errChanged, "fou": errChanged, "fours": errChanged} {
		if err := os.WriteFile(local, []byte("four"), 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(local)
		if err != nil {
			t.Fatal(err)
		}
		if text != "four" {
			err = os.WriteFile(local, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := source{local: local, size: 4, info: info}.read()
		if !errors.Is(err, fault) || fault == nil && string(data) != "four" {
			t.Errorf("%q: %q %v, want %v", text, data, err, fault)
		}
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

// The name of a file begins no line of what is printed.
func TestSourceOnOneLine(t *testing.T) {
	dir := t.TempDir()
	forged := filepath.Join(dir, "a\ngranary: published")
	if err := os.Symlink("nowhere", forged); err != nil {
		t.Skip(err) // there are file systems without
	}
	told := ""
	_, problem := sourcesAt(t, dir)
	skip := finder{links: linksSkip, notice: func(format string, args ...any) { told = fmt.Sprintf(format, args...) }}
	skip.at(t.Context(), dir)
	_, missing := source{local: forged}.open()
	for _, text := range []string{problem.Error(), told, missing.Error(), source{local: forged}.String(), firstOf([]string{forged})} {
		if text == "" || strings.Contains(text, "\n") {
			t.Errorf("%q", text)
		}
	}
}

// A file that changes while it is compared is named.
func TestSumsNameWhatChanged(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "steady"), "data")
	found, err := sourcesAt(t, file)
	if err != nil {
		t.Fatal(err)
	}
	if have, err := sums(t.Context(), found); err != nil || have["steady"] != sumOfBytes([]byte("data")) {
		t.Error(have, err)
	}
	write(t, file, "other")
	if _, err := sums(t.Context(), found); err == nil || !strings.HasPrefix(err.Error(), file+" changed while it was compared") {
		t.Error(err)
	}
}

// sourcesAt is what is found at or below a path.
func sourcesAt(t *testing.T, at string) ([]source, error) {
	t.Helper()
	f := finder{links: linksFollow}
	f.at(t.Context(), at)
	return f.found, f.failed()
}

// A directory as deep as a file system has it is walked in no time, and the rules of
// every level hold; a command that was ended walks no further.
func TestWalkDeep(t *testing.T) {
	const levels = 1500
	top := t.TempDir()
	t.Chdir(top) // a path may have some 4000 bytes, and is made in two steps
	for range 2 {
		if err := os.MkdirAll(strings.Repeat("d/", levels/2), 0o777); err != nil {
			t.Skip(err) // there are file systems with shorter paths
		}
		t.Chdir(strings.Repeat("d/", levels/2))
	}
	for _, name := range []string{"kept", "left.o", "below"} {
		write(t, name, "x")
	}
	write(t, ".granaryignore", "below\n")
	t.Chdir(top)
	write(t, ".granaryignore", "*.o\n/d/d/e\n")
	began := time.Now()
	f := finder{exclude: globs{"nothing", "d/nothing"}}
	f.below(t.Context(), ".", ".", "**")
	if took := time.Since(began); took > 20*time.Second { // it was minutes
		t.Errorf("%d levels took %s", levels, took)
	}
	if err := f.failed(); err != nil || len(f.found) != 1 || f.found[0].path != strings.Repeat("d/", levels)+"kept" {
		t.Errorf("%d files, %v", len(f.found), err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for _, paths := range [][]string{{"."}, {"**"}, {"*"}} {
		f = finder{}
		if found, err := f.find(ended, paths, []string{".granaryignore"}); !errors.Is(err, context.Canceled) || len(f.found) > 0 {
			t.Errorf("%s: %d files, %v", paths, len(found), err)
		}
	}
}
