package cli

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"granary/internal/client"
)

// The limits of a name: of a part, those of file systems; of the whole, a length that
// leaves room for the directory above, because a path has about 4000 bytes at most.
const (
	maxPart   = 255 // bytes
	maxPath   = 2048
	maxLevels = 255 // of directories with the file
)

// unfit says why pull installs a file of this path on no system, and push publishes
// none; "" if they do.
func unfit(p string) string {
	if why := tooLong(p); why != "" {
		return why
	}
	switch base := path.Base(p); {
	case !filepath.IsLocal(filepath.FromSlash(p)):
		return "leads out of the directory"
	case path.Clean(p) != p || strings.ContainsRune(p, 0):
		return "is not a plain path"
	case inGit(p):
		return "git would take for its own"
	case client.IsPullList(base), base == client.PullLock:
		return "is what pull calls its own list or lock"
	}
	return ""
}

// tooLong says which limit a path exceeds, "" for none.
func tooLong(p string) string {
	if len(p) > maxPath {
		return fmt.Sprintf("has %d bytes in its name, and %d are the most", len(p), maxPath)
	}
	if n := strings.Count(p, "/") + 1; n > maxLevels {
		return fmt.Sprintf("has %d levels, and %d are the most", n, maxLevels)
	}
	for part := range strings.SplitSeq(p, "/") {
		if len(part) > maxPart {
			return fmt.Sprintf("has %d bytes in a part of its name, and %d are the most", len(part), maxPart)
		}
	}
	return ""
}

// shortened is a name for a message.
func shortened(p string) string {
	const most = 120 // bytes
	if len(p) <= most {
		return p
	}
	return strings.ToValidUTF8(p[:most], "") + "..."
}

// inGit reports a path with an element that git reads its settings and hooks from.
func inGit(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.EqualFold(part, ".git") {
			return true
		}
	}
	return false
}

// clash names a file that is also a directory of another one's path; "" if there is
// none.
func clash(paths []string) string {
	names := map[string]bool{}
	for _, p := range paths {
		names[p] = true
	}
	for _, p := range paths {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if names[dir] {
				return fmt.Sprintf("a file %s and a directory of that name, with %s: only one of both can be in a directory", dir, p)
			}
		}
	}
	return ""
}

// strange names a file of a package that cannot have its own name on a system (a
// GOOS); "" if all can. On Windows that is a name of a device or a stream, or one that
// Windows changes; there and on macOS also two names that differ only in letter case,
// because one would replace the other.
func strange(system string, paths []string) string {
	if system == "windows" {
		for _, p := range paths {
			if why := notOnWindows(p); why != "" {
				return fmt.Sprintf("a file %q, which Windows cannot have: %s", p, why)
			}
		}
	}
	if system != "windows" && system != "darwin" {
		return ""
	}
	first := map[string]string{} // by the name without its case
	for _, p := range paths {
		folded := strings.ToLower(p)
		if other, taken := first[folded]; taken && other != p {
			return fmt.Sprintf("the files %q and %q, which would be one file on Windows and macOS", other, p)
		}
		first[folded] = p
	}
	return ""
}

// notOnWindows says why Windows cannot have a file of this path, "" if it can.
// See "Naming Files, Paths, and Namespaces" of Microsoft's documentation.
func notOnWindows(p string) string {
	if i := strings.IndexFunc(p, func(r rune) bool { return r < ' ' || strings.ContainsRune(`<>:"|?*\`, r) }); i >= 0 {
		return fmt.Sprintf("%q cannot be part of a name there", p[i])
	}
	for element := range strings.SplitSeq(p, "/") {
		if strings.HasSuffix(element, ".") || strings.HasSuffix(element, " ") {
			return "a dot or a space at the end of a name is dropped there"
		}
		if isDevice(element) {
			return fmt.Sprintf("%q is a device there", element)
		}
	}
	return ""
}

// isDevice reports whether a name means a device, whatever follows a dot in it.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(path.Base(name)), ".")
	base = strings.TrimRight(base, " ")
	if slices.Contains([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}, base) {
		return true
	}
	number, ok := strings.CutPrefix(base, "COM")
	if !ok {
		number, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && slices.Contains([]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "\u00b9", "\u00b2", "\u00b3"}, number)
}
