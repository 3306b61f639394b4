package archive

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// extractor is a command of another program that extracts the archive $1 into its folder.
type extractor struct {
	kinds   string // of archives
	command string
	loses   string // the mode or the time, which it does not restore
}

func extractors() []extractor {
	const python = "/usr/bin/python3 -c 'import sys, tarfile, zipfile; "
	return []extractor{
		{kinds: "tar", command: `tar -xf "$1"`},
		{kinds: "zst", command: `tar --zstd -xf "$1"`},
		{kinds: "zst", command: `zstd -dc "$1" | tar -x`},
		{kinds: "tar zst", command: `bsdtar -xf "$1"`},
		{kinds: "tar zst", command: `cat "$1" | bsdtar -xf -`},
		{kinds: "zip", command: `LC_ALL=C.UTF-8 bsdtar -xf "$1"`},                        // skips names beyond ASCII in C
		{kinds: "zip", command: `cat "$1" | LC_ALL=C.UTF-8 bsdtar -xf -`, loses: "mode"}, // the mode is at the end
		{kinds: "tar", command: `busybox tar -xf "$1"`},
		{kinds: "tar", command: python + `tarfile.open(sys.argv[1]).extractall()' "$1"`},
		{kinds: "tar zip", command: `7zz x -y -bso0 -bsp0 "$1"`},
		{kinds: "zip", command: `export LC_ALL=C.UTF-8; unzip -tq "$1" >&2; unzip -q "$1"`},
		{kinds: "zip", command: `busybox unzip -q "$1"`, loses: "time"},
		{kinds: "zip", command: python + `z = zipfile.ZipFile(sys.argv[1]); assert not z.testzip(); z.extractall()' "$1"`, loses: "time"},
	}
}

// needTools fails the test if a program is missing, which `make test` installs.
func needTools(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("other programs are not run with -short")
	}
	for _, name := range []string{"tar", "bsdtar", "busybox", "unzip", "7zz", "zstd", "/usr/bin/python3"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Errorf("%v: tools/install-test-deps installs it", err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// run runs a shell's command in a folder.
func run(t *testing.T, dir, command, archive string, env ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", "set -euo pipefail; umask 022; "+command, "bash", archive)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", command, err, out, &said)
	}
	return out, err
}

// TestToolsExtract: what other programs extract has the paths, bytes, modes and times of
// the entries, in two time zones and locales.
func TestToolsExtract(t *testing.T) {
	needTools(t)
	t.Parallel()
	s := new(set).add("app-linux", "hello").add("-x", "x").add("d/empty", "").add("d/a b", strings.Repeat("blank ", 20_000))
	s.add(strings.Repeat("n", 150), "long name").add(strings.Repeat("deep/", 60)+"file", "deep").add(strings.Repeat("p", 100)+"/"+strings.Repeat("f", 99), "split")
	s.add("é/ü", "UTF-8").add(strings.Repeat("日", 50), "long and UTF-8").add("empty", "")
	for i := range s.entries { // in summer and in winter, odd seconds among them
		s.entries[i].Changed = time.Date(2026, time.Month(1+i), 1, 2, 30, i, 0, time.UTC)
	}
	dir := t.TempDir()
	files := map[string]string{}
	for kind, make := range kinds(t, s) {
		files[kind] = filepath.Join(dir, "archive."+kind)
		var archive bytes.Buffer
		if err := make(&archive); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[kind], archive.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, env := range [][]string{{"TZ=UTC0", "LC_ALL=C.UTF-8"}, {"TZ=EST5EDT,M3.2.0,M11.1.0", "LC_ALL=C"}} {
		for _, x := range extractors() {
			for kind := range strings.FieldsSeq(x.kinds) {
				into := filepath.Join(dir, "into")
				if err := os.Mkdir(into, 0o755); err != nil {
					t.Fatal(err)
				}
				if out, err := run(t, into, x.command, files[kind], env...); err != nil || len(out) > 0 {
					t.Errorf("%s: %v %s", kind, err, out)
				}
				for _, complaint := range s.compare(t, into, x.loses) {
					t.Errorf("%s, %s, %s: %s", x.command, kind, env, complaint)
				}
				if err := os.RemoveAll(into); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// kinds writes each kind of archive.
func kinds(t *testing.T, s *set) map[string]func(io.Writer) error {
	copied := func(r *Reader) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.Copy(w, r); return err }
	}
	return map[string]func(io.Writer) error{
		"tar": copied(s.tar(t)),
		"zip": copied(s.zip(t)),
		"zst": func(w io.Writer) error { return StreamZstd(w, s.tar(t)) },
	}
}

// compare says where the files in a folder are not those of a set.
func (s *set) compare(t *testing.T, dir, but string) (complaints []string) {
	t.Helper()
	var found []string
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for i, e := range s.entries {
		n := slices.Index(found, e.Path)
		if n < 0 {
			complaints = append(complaints, e.Path+" is missing")
			continue
		}
		found = slices.Delete(found, n, n+1)
		path := filepath.Join(dir, e.Path)
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o644 && !strings.Contains(but, "mode") {
			complaints = append(complaints, fmt.Sprintf("%s has mode %v", e.Path, info.Mode()))
		}
		if !info.ModTime().Equal(e.Changed) && !strings.Contains(but, "time") {
			complaints = append(complaints, fmt.Sprintf("%s is of %v, not %v", e.Path, info.ModTime().UTC(), e.Changed))
		}
		want, err := io.ReadAll(io.NewSectionReader(s.contents[i], 0, e.Size))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			complaints = append(complaints, fmt.Sprintf("%s has other bytes: %v", e.Path, err))
		}
	}
	return append(complaints, found...)
}

// TestToolsPassLargeFiles: other programs find the file behind a large one, and see its
// size. The archives have holes in place of the zeros.
func TestToolsPassLargeFiles(t *testing.T) {
	needTools(t)
	t.Parallel()
	const python = "/usr/bin/python3 -c 'import sys, tarfile, zipfile; "
	for _, tc := range []struct {
		kind, set string
		commands  []string // print the file "last"
	}{
		{"tar", "8 GiB", []string{`tar -xOf "$1" last`, `bsdtar -xOf "$1" last`, `busybox tar -xOf "$1" last`, `7zz x -so "$1" last`,
			python + `print(tarfile.open(sys.argv[1]).extractfile("last").read().decode(), end="")' "$1"`}},
		// unzip misreads the entry after a file of 4 GiB - 1, whose size is also the mark of zip64.
		{"zip", "4 GiB - 1", []string{`bsdtar -xOf "$1" last`, `7zz x -so "$1" last`,
			python + `print(zipfile.ZipFile(sys.argv[1]).read("last").decode(), end="")' "$1"`}},
		{"zip", "4 GiB", []string{`unzip -tq "$1" last >&2; unzip -p "$1" last`, `bsdtar -xOf "$1" last`, `7zz x -so "$1" last`,
			python + `print(zipfile.ZipFile(sys.argv[1]).read("last").decode(), end="")' "$1"`}},
		{"zip", "offset of 4 GiB - 1", []string{`unzip -tq "$1" last >&2; unzip -p "$1" last`, `bsdtar -xOf "$1" last`, `7zz x -so "$1" last`,
			python + `print(zipfile.ZipFile(sys.argv[1]).read("last").decode(), end="")' "$1"`}},
	} {
		s := cases()[tc.set]
		archive := filepath.Join(t.TempDir(), "large."+tc.kind)
		writeHoles(t, archive, s.archives(t)[tc.kind])
		for _, command := range tc.commands {
			if out, err := run(t, t.TempDir(), command, archive); err != nil || string(out) != "last" {
				t.Errorf("%s of %s: %q, %v", tc.kind, tc.set, out, err)
			}
		}
		list, err := run(t, t.TempDir(), `bsdtar -tvf "$1"; 7zz l "$1"`, archive)
		for _, e := range s.entries {
			if err != nil || bytes.Count(list, fmt.Appendf(nil, " %d ", e.Size)) < 2 {
				t.Errorf("%s of %s: %d is not in the lists %s %v", tc.kind, tc.set, e.Size, list, err)
			}
		}
	}
}

// writeHoles writes an archive into a file, but for the bytes of large files.
func writeHoles(t *testing.T, path string, r *Reader) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // Truncate has reported what is wrong
	for i, end := range r.starts[1:] {
		start := r.starts[i]
		if end-start > 1<<20 {
			continue
		}
		if _, err := r.Seek(start, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.NewOffsetWriter(f, start), io.LimitReader(r, end-start)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(r.Size()); err != nil {
		t.Fatal(err)
	}
}
