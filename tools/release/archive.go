package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// entry is a file or a folder of an archive.
type entry struct {
	name string // with slashes; a folder's ends with one
	mode os.FileMode
	from string // the file whose bytes it has; "" for a folder
	user int    // who it belongs to, by number, and the group of the same number
}

// writeArchive packs a program with its licences, pages and, on Linux, the units of systemd.
func (r *release) writeArchive(p parts) error {
	top := r.stem(p.target)
	entries := []entry{
		{name: "granary" + p.target.suffix(), mode: 0o755, from: p.program},
		{name: "THIRD_PARTY_LICENSES", mode: 0o644, from: p.licences},
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		entries = append(entries, entry{name: name, mode: 0o644, from: filepath.Join(r.source, name)})
	}
	folders := map[string]string{"man/man1": p.pages.manuals, "completions": p.pages.completions}
	for name, folder := range folders {
		more, err := filesOf(name, filepath.Join(folder, "*"))
		if err != nil {
			return err
		}
		entries = append(entries, more...)
	}
	if p.target.os == "linux" {
		units, err := filesOf("deploy", r.units())
		if err != nil {
			return err
		}
		entries = append(entries, units...)
	}
	for i := range entries {
		entries[i].name = top + "/" + entries[i].name
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	r.say("packing %s", top)
	if p.target.os == "windows" {
		return r.writeZip(filepath.Join(r.out, top+".zip"), entries)
	}
	return writeFile(filepath.Join(r.out, top+".tar.gz"), func(w io.Writer) error {
		packed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		if err := writeTar(packed, entries, r.date); err != nil {
			return err
		}
		return packed.Close()
	})
}

// units is the pattern of systemd's units that granary has.
func (r *release) units() string { return filepath.Join(r.source, "deploy", "granary.*") }

// filesOf are the files of a pattern, below a folder of an archive.
func filesOf(folder, pattern string) ([]entry, error) {
	paths, err := filepath.Glob(pattern)
	var entries []entry
	for _, path := range paths {
		entries = append(entries, entry{name: folder + "/" + filepath.Base(path), mode: 0o644, from: path})
	}
	return entries, err
}

// writeTar writes entries in their order, all of one time.
func writeTar(w io.Writer, entries []entry, date time.Time) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: int64(e.mode.Perm()), ModTime: date, Uid: e.user, Gid: e.user, Typeflag: tar.TypeDir}
		if e.mode&os.ModeSticky != 0 {
			header.Mode |= 0o1000
		}
		var bytes []byte
		if e.from != "" {
			var err error
			if bytes, err = os.ReadFile(e.from); err != nil {
				return err
			}
			header.Typeflag, header.Size = tar.TypeReg, int64(len(bytes))
		}
		if err := t.WriteHeader(header); err != nil {
			return err
		}
		if _, err := t.Write(bytes); err != nil {
			return err
		}
	}
	return t.Close()
}

func (r *release) writeZip(file string, entries []entry) error {
	return writeFile(file, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for _, e := range entries {
			header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: r.date}
			header.SetMode(e.mode)
			f, err := z.CreateHeader(header)
			if err != nil {
				return err
			}
			bytes, err := os.ReadFile(e.from)
			if err != nil {
				return err
			}
			if _, err := f.Write(bytes); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

// writeFile makes a file; write fills it.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	return f.Close()
}

// compressed is a gzip of bytes, as Debian wants documents: smallest, without name or time.
func compressed(bytes []byte) ([]byte, error) {
	var text strings.Builder
	w, err := gzip.NewWriterLevel(&text, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(bytes); err != nil {
		return nil, err
	}
	err = w.Close()
	return []byte(text.String()), err
}
