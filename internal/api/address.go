package api

import (
	"net/url"
	"slices"
	"strings"

	"granary/internal/registry"
)

// splitGeneric takes the escaped path of a generic route apart: the project,
// and what stands in place of coordinates, each decoded once. Only literal
// slashes part segments; an escaped one is a character of its segment.
func splitGeneric(escaped string) (project string, raw registry.Raw, ok bool) {
	// "", api, v4, projects, the project, packages, generic, name, version, the rest
	parts := strings.SplitN(escaped, "/", 10)
	if len(parts) < 10 || parts[9] == "" {
		return "", registry.Raw{}, false
	}
	rest := parts[9]
	for i := range parts {
		parts[i] = decoded(parts[i])
	}
	if !isGeneric(parts) {
		return "", registry.Raw{}, false
	}
	raw = registry.Raw{Name: parts[7], Version: parts[8]}
	raw.Dir, raw.File = splitDir(rest)
	return parts[4], raw, true
}

// belowGeneric reports a path that has a place in the path for generic packages,
// or would have.
func belowGeneric(escaped string) bool {
	parts := strings.SplitN(escaped, "/", 8)
	if len(parts) < 8 {
		return false
	}
	for i := range parts[:7] {
		parts[i] = decoded(parts[i])
	}
	return isGeneric(parts)
}

// isGeneric reports whether decoded parts of a path lead to generic packages.
func isGeneric(parts []string) bool {
	return slices.Equal(parts[:4], []string{"", "api", "v4", "projects"}) && parts[5] == "packages" && parts[6] == "generic"
}

// splitDir parts the directories from the file's name at the last literal
// slash. A directory without a name is "/", which no grammar takes.
func splitDir(escaped string) (dir, file string) {
	i := strings.LastIndexByte(escaped, '/')
	switch {
	case i < 0:
		return "", decoded(escaped)
	case i == 0:
		return "/", decoded(escaped[1:])
	}
	return decoded(escaped[:i]), decoded(escaped[i+1:])
}

// decoded is a part of a path decoded once; the server has made sure that it
// can be.
func decoded(part string) string {
	text, err := url.PathUnescape(part)
	if err != nil {
		return part
	}
	return text
}

// unclean reports a path that ServeMux would clean.
func unclean(path string) bool {
	return strings.Contains(path, "//") || strings.Contains(path, "/./") || strings.Contains(path, "/../") ||
		strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..")
}
