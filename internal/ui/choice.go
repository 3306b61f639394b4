package ui

import (
	"path"
	"slices"
	"strings"
)

// choice is a file of a version that a page may show first.
type choice struct {
	Path string // below the version
	Size int64  // in bytes
}

// defaultFile is the index of the file that most people want: the first archive for Linux
// on amd64, else the largest file, the first of equal ones. It is -1 if there is none.
func defaultFile(files []choice) int {
	largest := -1
	for i, f := range files {
		if isArchive(f.Path) && isLinuxAMD64(f.Path) {
			return i
		}
		if largest < 0 || f.Size > files[largest].Size {
			largest = i
		}
	}
	return largest
}

// isArchive reports whether CMake and people unpack a file of this name.
func isArchive(file string) bool {
	name := strings.ToLower(path.Base(file))
	return slices.ContainsFunc([]string{".tar.gz", ".tgz", ".zip", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst", ".tar", ".7z"},
		func(ending string) bool { return strings.HasSuffix(name, ending) && len(name) > len(ending) })
}

// isLinuxAMD64 reads the words of a file's path.
func isLinuxAMD64(file string) bool {
	one := strings.NewReplacer("x86_64", "amd64", "x86-64", "amd64")
	words := strings.FieldsFunc(one.Replace(strings.ToLower(file)), func(r rune) bool {
		return strings.ContainsRune("-_./+~@ ", r)
	})
	has := func(names ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(names, word) })
	}
	return has("linux", "linux64") && has("amd64", "x64", "linux64")
}
