package cli

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// refuseNames refuses a package whose files cannot lie side by side under their own
// names on a system (a GOOS), before anything is written: on Windows what would mean
// a device, a stream or another name, and there and on macOS two names that differ
// in letter case alone, of which one would replace the other.
func refuseNames(system string, paths []string) error {
	if system == "windows" {
		for _, p := range paths {
			if why := notOnWindows(p); why != "" {
				return refused("the package has a file %q, which Windows cannot have: %s; nothing was installed", p, why)
			}
		}
	}
	if system != "windows" && system != "darwin" {
		return nil
	}
	first := map[string]string{} // by the name without its case
	for _, p := range paths {
		folded := strings.ToLower(p)
		if other, taken := first[folded]; taken && other != p {
			return refused("the package has the files %q and %q, which would be one file here; nothing was installed; name the one that is wanted", other, p)
		}
		first[folded] = p
	}
	return nil
}

// notOnWindows says why Windows cannot have a file of this path, "" where it can.
// See "Naming Files, Paths, and Namespaces" of Microsoft's documentation.
func notOnWindows(p string) string {
	if i := strings.IndexFunc(p, func(r rune) bool { return r < ' ' || strings.ContainsRune(`<>:"|?*\`, r) }); i >= 0 {
		return fmt.Sprintf("%q is no part of a name there", p[i])
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
