package projects

import (
	"strings"
	"unicode/utf8"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/naming"
)

// Limits of names and paths, in characters or levels.
const (
	maxName        = 255
	maxPath        = 255
	maxFullPath    = 255
	maxDescription = 2000
	maxGroupDepth  = 20
)

// checkPath is GitLab's grammar of one path segment: letters, digits, '_', '-'
// and '.', not beginning with '-', not ending in '.', '.git' or '.atom'.
func checkPath(path string) error {
	const rule = "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'"
	lower := strings.ToLower(path)
	switch {
	case path == "":
		return fault.Field("path", "can't be blank")
	case len(path) > maxPath:
		return fault.Field("path", "is too long (maximum is 255 characters)")
	case strings.HasPrefix(path, "-"), strings.HasSuffix(path, "."), strings.HasPrefix(path, "."):
		return fault.Field("path", rule)
	case strings.HasSuffix(lower, ".git"), strings.HasSuffix(lower, ".atom"):
		return fault.Field("path", rule)
	}
	for _, c := range []byte(path) {
		if !isWord(c) && c != '-' && c != '.' {
			return fault.Field("path", rule)
		}
	}
	return nil
}

// checkReserved refuses the path of a group that comes to the top, or gets a new path there,
// if the program has that path. Groups of older servers keep theirs.
func checkReserved(g Group) error {
	if g.ParentID == 0 && naming.Reserved(g.Path) {
		return fault.Field("path", g.Path+" is a reserved name")
	}
	return nil
}

// CheckFullPath refuses the full path of a group or project that is too long for a
// request, in the words of GitLab's routes, and a group that is too deep.
func CheckFullPath(path string, group bool) error {
	if utf8.RuneCountInString(path) > maxFullPath {
		return fault.Field("route.path", "is too long (maximum is 255 characters)")
	}
	if group && depth(path) > maxGroupDepth {
		return fault.Field("parent_id", "has too deep level of nesting")
	}
	return nil
}

// CheckNewPath is CheckFullPath for a group or project that has a path: one that is too
// long or too deep already may become less so.
func CheckNewPath(from, to string, group bool) error {
	if len(to) <= len(from) && depth(to) <= depth(from) {
		return nil
	}
	return CheckFullPath(to, group)
}

// depth is how many segments a full path has.
func depth(fullPath string) int { return strings.Count(fullPath, "/") + 1 }

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// checkName allows any text of one line without control characters.
func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fault.Field("name", "can't be blank")
	case utf8.RuneCountInString(name) > maxName:
		return fault.Field("name", "is too long (maximum is 255 characters)")
	case !utf8.ValidString(name), strings.ContainsFunc(name, isControl):
		return fault.Field("name", "can contain no control characters")
	}
	return nil
}

func checkDescription(text string) error {
	if utf8.RuneCountInString(text) > maxDescription || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fault.Field("description", "is too long (maximum is 2000 characters)")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// slug makes a path from a name if no path is given: "My Tool" becomes "my-tool".
func slug(name string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ToLower(name)) {
		switch {
		case isWord(c), c == '.', c == '-':
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-.")
}

// checkInside refuses a child that is more visible than its group.
func checkInside(child, parent access.Visibility) error {
	if child > parent {
		return fault.Field("visibility_level", VisibilityName(child)+" is not allowed in a "+VisibilityName(parent)+" group.")
	}
	return nil
}

// VisibilityName is the wire's word for a visibility.
func VisibilityName(v access.Visibility) string {
	switch v {
	case access.Public:
		return "public"
	case access.Internal:
		return "internal"
	}
	return "private"
}
