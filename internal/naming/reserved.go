package naming

import (
	"slices"
	"strings"
)

// Reserved reports whether no new user and no new group at the top may have the path: its
// pages would be hidden by those of the program, since the API is at /api, and groups are
// below /groups, too. It is of any case, as paths are.
func Reserved(path string) bool {
	return slices.Contains(ReservedPaths(), strings.ToLower(path))
}

// ReservedPaths lists those paths.
func ReservedPaths() []string { return []string{"api", "groups"} }
