package client

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Coordinates say which file of which version of which package is meant.
type Coordinates struct {
	Project string // id, or path with the groups above
	Name    string
	Version string
	Path    string // of the file, with slashes if it is in directories
	Draft   bool   // in the version's draft; only a server with drafts is asked
}

// String is the file as people write it, on one line: names come from servers.
func (at Coordinates) String() string { return printable(at.Name + "/" + at.Version + "/" + at.Path) }

// File is another file of the same version.
func (at Coordinates) File(path string) Coordinates {
	at.Path = path
	return at
}

// path is the file's address. What would change it on the way is refused here.
func (at Coordinates) path() (string, error) {
	parts := append([]string{at.Name, at.Version}, strings.Split(at.Path, "/")...)
	if at.Project == "" || slices.ContainsFunc(parts, func(p string) bool { return p == "" || p == "." || p == ".." }) {
		return "", &failure{Refused, fmt.Errorf("%q is not the address of a file", at)}
	}
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return projectPath(at.Project) + "/packages/generic/" + strings.Join(parts, "/"), nil
}

// query is what an address in a draft needs.
func (at Coordinates) query() url.Values {
	if !at.Draft {
		return url.Values{}
	}
	return draftQuery()
}
