package naming

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"granary/internal/fault"
)

// Name is a package's name: letters, digits, '.', '_', '-', and '+' if naming is
// relaxed.
type Name string

// Version is a package's version: X.Y.Z, or almost any single word if naming is
// relaxed.
type Version string

// FileName is a file's name as it is stored: with directories, the whole path
// percent-encoded into one component (contract 2.4).
type FileName string

// Coordinates name a file of a package. Only Parse makes them, so their names are safe
// to store.
type Coordinates struct {
	Name    Name
	Version Version
	File    FileName
}

// Raw is the coordinates as the caller sent them, decoded once.
type Raw struct {
	Name    string
	Version string
	Dir     string // relaxed naming only; "a/b"
	File    string // may hold a directory too, as "a/b/file"

	Selector bool // Version is a selector, which no grammar judges
	Whole    bool // there is no file; without Version, the address is of a name
}

// Limits in bytes. GitLab documents none; most file systems allow 255 for a name.
const (
	maxName    = 255
	maxVersion = 255
	maxFile    = 255
	maxDir     = 1024
)

// Parse applies the grammar of the mission (rows 5 to 7) if naming is strict, of contract
// 2.2 if it is relaxed. The fault is Invalid; its message has GitLab's words for every
// invalid part first, then the reasons.
func Parse(grammar Grammar, raw Raw) (Coordinates, error) {
	g := complaints{relaxed: grammar == Relaxed}
	dir, file := raw.Dir, raw.File
	if g.relaxed {
		dir, file = splitFile(dir, file)
	}
	g.name(raw.Name)
	if !raw.Selector && (!raw.Whole || raw.Version != "") {
		g.version(raw.Version)
	}
	if !raw.Whole {
		g.dir(dir)
		g.file(file)
	}
	if len(g.faults) > 0 {
		return Coordinates{}, fault.New(fault.Invalid, strings.Join(append(g.faults, g.reasons...), ", "))
	}
	stored := FileName(file)
	if dir != "" {
		stored = FileName(escapeComponent(dir + "/" + file))
	}
	return Coordinates{Name: Name(raw.Name), Version: Version(raw.Version), File: stored}, nil
}

// splitFile moves the directories at the beginning of a file's name to the end of dir. An
// empty one stays visible as an extra slash.
func splitFile(dir, file string) (string, string) {
	i := strings.LastIndexByte(file, '/')
	switch {
	case i < 0:
		return dir, file
	case dir != "":
		return dir + "/" + file[:i], file[i+1:]
	case i == 0:
		return "/", file[1:]
	}
	return file[:i], file[i+1:]
}

// complaints gathers what is wrong with each part.
type complaints struct {
	relaxed bool
	faults  []string // GitLab's words
	reasons []string // ours
}

func (g *complaints) fail(words, reason string) {
	g.faults = append(g.faults, words)
	g.reasons = append(g.reasons, reason)
}

// hint says how to get relaxed naming, if that would help.
func (g *complaints) hint(relaxedWouldDo bool) string {
	if g.relaxed || !relaxedWouldDo {
		return ""
	}
	return " (naming is strict here; an administrator of the server can set naming, or a maintainer of the project generic_package_naming, to relaxed)"
}

func (g *complaints) name(s string) {
	switch {
	case len(s) > maxName:
		g.fail("package_name is invalid", tooLong("package_name", s, maxName))
	case !only(s, isNameByte) && !(g.relaxed && only(s, isNameOrPlus)):
		g.fail("package_name is invalid", "package_name "+show(s)+" may have only the characters a-z A-Z 0-9 . - _"+g.plus()+g.hint(only(s, isNameOrPlus)))
	}
	g.path("package_name", s)
}

func (g *complaints) version(s string) {
	relaxedDoes := only(s, isVersionByte) && !strings.Contains(s, "..") && s != "."
	switch {
	case len(s) > maxVersion:
		g.fail("package_version is invalid", tooLong("package_version", s, maxVersion))
	case g.relaxed && !relaxedDoes:
		g.fail("package_version is invalid", "package_version "+show(s)+" may have only the characters a-z A-Z 0-9 . - _ +, and no two dots in a row")
	case !g.relaxed && !isXYZ(s):
		g.fail("package_version is invalid", "package_version "+show(s)+" must have the form X.Y.Z, of digits and dots only"+g.hint(relaxedDoes))
	}
}

func (g *complaints) file(s string) {
	relaxedDoes := only(s, isFileByte) && !strings.ContainsAny(edges(s), "~@")
	switch {
	case len(s) > maxFile:
		g.fail("file_name is invalid", tooLong("file_name", s, maxFile))
	case g.relaxed && !relaxedDoes:
		g.fail("file_name is invalid", "file_name "+show(s)+" may have only the characters a-z A-Z 0-9 . - _ + ~ @, with ~ and @ neither first nor last")
	case !g.relaxed && !only(s, isNameByte):
		g.fail("file_name is invalid", "file_name "+show(s)+" may have only the characters a-z A-Z 0-9 . - _"+g.hint(relaxedDoes || strings.Contains(s, "/")))
	}
	g.path("file_name", s)
}

func (g *complaints) dir(s string) {
	switch {
	case s == "":
	case !g.relaxed:
		g.fail("path is invalid", "path "+show(s)+": directories are not allowed"+g.hint(!badPath(s)))
	case len(s) > maxDir:
		g.fail("path is invalid", tooLong("path", s, maxDir))
	case badPath(s) || badDir(s):
		g.fail("path should be a valid file path", "path "+show(s)+" must be relative, without empty, '.' or '..' parts and without control characters")
	}
}

// path is GitLab's check that a value is a valid file path.
func (g *complaints) path(param, s string) {
	if badPath(s) {
		g.fail(param+" should be a valid file path", param+" "+show(s)+" must not lead out of its folder")
	}
}

func (g *complaints) plus() string {
	if g.relaxed {
		return " +"
	}
	return ""
}

// badPath is the file-path check of contract 2.2. The value is decoded once
// more, so that a path encoded twice is refused too.
func badPath(s string) bool {
	if leadsOut(s) {
		return true
	}
	again, err := url.PathUnescape(s)
	return err == nil && again != s && leadsOut(again)
}

func leadsOut(s string) bool {
	if strings.ContainsAny(s, "\n\x00") || strings.HasPrefix(s, "/") || strings.HasPrefix(s, `\`) {
		return true
	}
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == ".." {
			return true
		}
	}
	return s == "."
}

// badDir refuses directories that GitLab accepts, but that file systems treat differently.
func badDir(s string) bool {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return true
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part == "." || len(part) > maxFile {
			return true
		}
	}
	return false
}

// isXYZ is \A\d+\.\d+\.\d+\z.
func isXYZ(s string) bool {
	parts := strings.Split(s, ".")
	return len(parts) == 3 && only(parts[0], isDigit) && only(parts[1], isDigit) && only(parts[2], isDigit)
}

// only reports whether s is not empty and ok accepts all its bytes.
func only(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isAlnum(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isNameByte(c byte) bool    { return isAlnum(c) || c == '.' || c == '_' || c == '-' }
func isNameOrPlus(c byte) bool  { return isNameByte(c) || c == '+' }
func isVersionByte(c byte) bool { return isNameOrPlus(c) }
func isFileByte(c byte) bool    { return isNameOrPlus(c) || c == '~' || c == '@' }

// edges returns the first and the last byte of s.
func edges(s string) string {
	if s == "" {
		return ""
	}
	return s[:1] + s[len(s)-1:]
}

func tooLong(param, s string, limit int) string {
	return param + " has " + strconv.Itoa(len(s)) + " bytes, " + strconv.Itoa(limit) + " are allowed"
}

// show quotes a value for a message, cut to a readable length.
func show(s string) string {
	const enough = 80
	if len(s) > enough {
		s = s[:enough] + "..."
	}
	return strconv.QuoteToASCII(s)
}

// escapeComponent percent-encodes everything but letters, digits, and "*-._",
// as GitLab stores the name of a file in a directory (contract 2.4).
func escapeComponent(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if isNameByte(c) || c == '*' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// Path is the file's path below its version: a file in a directory is stored under its
// escaped path.
func (f FileName) Path() string {
	path, err := url.PathUnescape(string(f))
	if err != nil || !strings.Contains(path, "/") {
		return string(f) // a name of no directory may look escaped
	}
	return path
}

// Base is the file's own name, without the directories: a browser saves it under that.
func (f FileName) Base() string {
	if !strings.Contains(string(f), "%") {
		return string(f)
	}
	path, err := url.PathUnescape(string(f))
	if err != nil {
		return string(f)
	}
	return path[strings.LastIndexByte(path, '/')+1:]
}
