package api

import (
	"net/url"
	"slices"
	"strings"

	"granary/internal/registry"
)

// splitGeneric splits the escaped path of a generic route into the project and the raw
// names, each decoded once; pattern is the route's, "" for none. Only literal slashes
// separate segments; an escaped one is a character of its segment. A path that ends with
// a slash has no route.
func splitGeneric(escaped string) (pattern, project string, raw registry.Raw) {
	// "", api, v4, projects, the project, packages, generic, name, version, the rest
	parts := strings.SplitN(escaped, "/", 10)
	if len(parts) < 8 || parts[len(parts)-1] == "" {
		return "", "", raw
	}
	rest := parts[len(parts)-1]
	for i := range parts {
		parts[i] = decoded(parts[i])
	}
	if !isGeneric(parts) {
		return "", "", raw
	}
	raw.Name = parts[7]
	if len(parts) == 8 {
		return genericName, parts[4], raw
	}
	raw.Version = parts[8]
	if len(parts) == 9 {
		return genericVersion, parts[4], raw
	}
	raw.Dir, raw.File = splitDir(rest)
	return genericPath, parts[4], raw
}

// belowGeneric reports whether a path is below packages/generic, of a route or not.
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

// splitDir splits directories from the file's name at the last literal slash. An
// empty directory becomes "/", which no grammar accepts.
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

// decoded is a part of a path, decoded once. net/http has checked that it decodes.
func decoded(part string) string {
	text, err := url.PathUnescape(part)
	if err != nil {
		return part
	}
	return text
}

// unclean reports a path that ServeMux would clean, and redirect to the result.
func unclean(path string) bool {
	return strings.Contains(path, "//") || strings.Contains(path, "/./") || strings.Contains(path, "/../") ||
		strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..")
}

// lostEscapes reports a path below packages/generic whose project has several segments
// and which has a ^: with a raw ^ Go's client and Caddy decode %2F.
func lostEscapes(path string) bool {
	project, rest, ok := strings.Cut(strings.TrimPrefix(path, prefix+"/projects/"), "/packages/generic/")
	return ok && strings.Contains(project, "/") && strings.Contains(rest, "%5E")
}
