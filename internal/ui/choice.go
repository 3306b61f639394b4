package ui

import (
	"path"
	"slices"
	"strings"

	"granary/internal/fault"
	"granary/internal/registry"
)

// choice is a file of a version that a page may show first.
type choice struct {
	Path string // below the version
	Size int64  // in bytes
}

// offered are the files that the commands of a version may install, of the files of its
// page, and which of them is chosen. An address serves the newest file of a name, so older
// ones are not offered. The file that the request asks for may be on another page; missing
// is its path if the version does not have it.
func (v *visit) offered(facts registry.VersionFacts, page []fileRow) (files []fileRow, chosen int, missing string, err error) {
	var among []choice
	for _, f := range page {
		if !f.Replaced {
			files = append(files, f)
			among = append(among, choice{Path: f.Path, Size: f.Size})
		}
	}
	asked := v.query("file")
	chosen = slices.IndexFunc(files, func(f fileRow) bool { return f.Path == asked })
	if chosen < 0 && asked != "" {
		f, err := v.newest(facts, asked)
		if err == nil {
			return append(files, f), len(files), "", nil
		}
		if !absent(err) && !fault.Is(err, fault.Invalid) {
			return nil, 0, "", err
		}
		missing = asked
	}
	if chosen < 0 {
		chosen = defaultFile(among)
	}
	if chosen == len(files)-1 && len(page) == filesOf { // the next page may have a newer file of this name
		f, err := v.newest(facts, files[chosen].Path)
		if err != nil && !absent(err) {
			return nil, 0, "", err
		}
		if err == nil {
			files[chosen] = f
		}
	}
	return files, chosen, missing, nil
}

// newest is the newest file of a path below the version.
func (v *visit) newest(facts registry.VersionFacts, file string) (fileRow, error) {
	raw := registry.Raw{Name: string(facts.Name), Version: string(facts.Version), File: file}
	f, err := v.s.Registry.NewestFile(v.r.Context(), v.actor, number(v.project.ID), raw)
	return fileRow{Path: f.Name.Path(), Size: f.Size, Digest: f.Digest.String()}, err
}

// markReplaced marks the files that a newer one of the same name replaced. The rows are in
// the order of the names, and the newer after the older.
func markReplaced(rows []fileRow) {
	for i := range len(rows) - 1 {
		rows[i].Replaced = rows[i].Path == rows[i+1].Path
	}
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
