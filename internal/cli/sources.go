package cli

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// source is a local file, and what it is called in a package.
type source struct {
	local string
	path  string // with slashes
	size  int64
}

// findSources turns a command's paths into files: a file is its base name, a
// directory all regular files below it under their relative paths, a pattern
// what it matches. With flat only base names count. Two files of one name are
// an error, and so is a path that leads to none.
func findSources(paths []string, flat bool) ([]source, error) {
	var found []source
	for _, p := range paths {
		matches, err := expand(p)
		if err != nil {
			return nil, err
		}
		for _, m := range matches {
			some, err := sourcesAt(m)
			if err != nil {
				return nil, err
			}
			found = append(found, some...)
		}
	}
	for i := range found {
		if flat {
			found[i].path = path.Base(found[i].path)
		}
	}
	slices.SortFunc(found, func(a, b source) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.local, b.local))
	})
	for i, s := range found[min(1, len(found)):] {
		if s.path == found[i].path && s.local != found[i].local {
			return nil, usagef("%s and %s would both be %s", found[i].local, s.local, s.path)
		}
	}
	found = slices.CompactFunc(found, func(a, b source) bool { return a.path == b.path })
	if len(found) == 0 {
		return nil, usagef("there is no file in %s", strings.Join(paths, ", "))
	}
	return found, nil
}

// expand is for patterns that no shell has expanded.
func expand(p string) ([]string, error) {
	if _, err := os.Lstat(p); err == nil || !strings.ContainsAny(p, "*?[") {
		return []string{p}, nil
	}
	matches, err := filepath.Glob(p)
	if err != nil {
		return nil, usagef("%s: %w", p, err)
	}
	if len(matches) == 0 {
		return nil, usagef("nothing matches %s", p)
	}
	return matches, nil
}

func sourcesAt(at string) ([]source, error) {
	info, err := os.Stat(at)
	if err != nil {
		return nil, usageError{err}
	}
	if !info.IsDir() {
		s, err := newSource(at, filepath.Base(at))
		return []source{s}, err
	}
	var found []source
	err = filepath.WalkDir(at, func(local string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(at, local)
		if err != nil {
			return err
		}
		s, err := newSource(local, filepath.ToSlash(relative))
		found = append(found, s)
		return err
	})
	return found, err
}

// newSource follows a link to a file. A link to a directory could lead anywhere
// and round in circles; who means it names it.
func newSource(local, path string) (source, error) {
	info, err := os.Stat(local)
	if err != nil {
		return source{}, usageError{err}
	}
	if !info.Mode().IsRegular() {
		return source{}, usagef("%s is no regular file", local)
	}
	return source{local: local, path: path, size: info.Size()}, nil
}

// sum is the file's SHA-256 in hex.
func (s source) sum() (string, error) {
	f, err := os.Open(s.local)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, n, err := sumOf(f, s.size)
	if err == nil && n != s.size {
		err = fmt.Errorf("%s changed while it was read", s.local)
	}
	return sum, err
}

// read is the bytes of a file that is small.
func (s source) read() ([]byte, error) {
	f, err := os.Open(s.local)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, s.size+1) // with room to see that it has grown
	n, err := io.ReadFull(f, data)
	switch {
	case err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, err
	case int64(n) != s.size:
		return nil, fmt.Errorf("%s changed while it was read", s.local)
	}
	return data[:n], nil
}

func sumOfBytes(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// sumOf is the SHA-256 in hex and the length of what is left of a file, which should
// be so many bytes.
func sumOf(r io.Reader, size int64) (string, int64, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, min(256<<10, size+1)))
	return hex.EncodeToString(h.Sum(nil)), n, err
}
