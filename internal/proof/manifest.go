// Package proof is the text that stands for a version's content. Server and client share
// it, so that both compute the same digest.
package proof

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxFiles is how many files a manifest may have.
const MaxFiles = 10_000

// File is a file of a version.
type File struct {
	Path   string // decoded, relative, with slashes
	Digest [sha256.Size]byte
}

// Manifest is the text that names the files: one line per file, as `sha256sum` prints it,
// sorted by the bytes of the path. Its SHA-256 is the digest of the version.
//
//	manifest = *( 64*64lowercase-hex SP SP path LF )
//
// Manifest takes every path, because an open version may have a path that CheckPath
// refuses, and the listing must still show it. `sha256sum --check` understands the line:
// Manifest escapes a backslash, a line feed and a carriage return as GNU does, with a
// backslash before the digest, and writes the path - as ./-, because sha256sum takes - for
// the standard input.
func Manifest(files []File) []byte {
	size := 0
	for _, f := range files {
		size += 2*sha256.Size + len("  \n") + len(f.Path)
	}
	text := make([]byte, 0, size)
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
	sorted := slices.SortedFunc(slices.Values(files), func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	for _, f := range sorted {
		path := escape.Replace(f.Path)
		if path != f.Path {
			text = append(text, '\\')
		}
		if path == "-" {
			path = "./-"
		}
		text = hex.AppendEncode(text, f.Digest[:])
		text = append(text, "  "...)
		text = append(text, path...)
		text = append(text, '\n')
	}
	return text
}

// Check returns an error if files cannot be the content of a final version: there are
// more than MaxFiles, CheckPath refuses a path, two paths are equal, or a path is both a
// file and a folder, which no file system can hold.
func Check(files []File) error {
	if len(files) > MaxFiles {
		return fmt.Errorf("%d files are too many: a version may have %d", len(files), MaxFiles)
	}
	paths := make([]string, len(files))
	for i, f := range files {
		if err := CheckPath(f.Path); err != nil {
			return err
		}
		paths[i] = f.Path
	}
	slices.SortFunc(paths, byFolder)
	for i := 1; i < len(paths); i++ {
		switch before, path := paths[i-1], paths[i]; {
		case before == path:
			return fmt.Errorf("the path %q is there twice", path)
		case strings.HasPrefix(path, before+"/"):
			return fmt.Errorf("the path %q is a file and, because of %q, a folder", before, path)
		}
	}
	return nil
}

// CheckPath returns an error if a manifest of a final version cannot hold the path: it
// must be UTF-8, relative, without empty parts, without . and .. as parts, without
// backslashes and control characters, and not the path -.
func CheckPath(path string) error {
	if why := unfit(path); why != nil {
		return fmt.Errorf("the path %q %w", path, why)
	}
	return nil
}

func unfit(path string) error {
	switch {
	case !utf8.ValidString(path):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(path, unicode.IsControl):
		return errors.New("has a control character")
	case strings.Contains(path, `\`):
		return errors.New("has a backslash")
	case path == "-":
		return errors.New("is the standard input of sha256sum")
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("has the part %q", part)
		}
	}
	return nil
}

// byFolder compares paths with the slash as the lowest byte, so that the files in a folder
// come directly after a file with the folder's name.
func byFolder(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			if a[i] == '/' {
				return -1
			}
			if b[i] == '/' {
				return 1
			}
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}
