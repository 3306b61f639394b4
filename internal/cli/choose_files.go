package cli

import (
	"fmt"
	"path"

	"granary/internal/client"
)

// chooseFiles takes the files that are named or match, or all where nothing is
// wanted in particular. What matches nothing is an error.
func chooseFiles(files []client.File, wanted []string, of client.Package) (chosen []client.File, err error) {
	used := make([]bool, len(wanted))
	for _, f := range files {
		take := len(wanted) == 0
		for i, w := range wanted {
			matches, err := path.Match(w, f.Path)
			if err != nil {
				return nil, usagef("%s: %w", w, err)
			}
			if matches || w == f.Path {
				take, used[i] = true, true
			}
		}
		if take {
			chosen = append(chosen, f)
		}
	}
	for i, ok := range used {
		if !ok {
			return nil, exitError{fmt.Errorf("%s %s has no file %s; granary show lists those it has", of.Name, of.Version, wanted[i]), exitNotFound}
		}
	}
	if len(chosen) == 0 {
		return nil, exitError{fmt.Errorf("%s %s has no files", of.Name, of.Version), exitNotFound}
	}
	return chosen, nil
}
