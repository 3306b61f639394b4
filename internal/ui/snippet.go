package ui

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// installable is a file that a snippet installs.
type installable struct {
	Server    string // the external URL with its path, without a slash at the end
	Project   string // the full path
	ProjectID int64
	Name      string
	Version   string
	Path      string // below the version, not escaped
	SHA256    string // in hexadecimal
	Public    bool   // anyone may download it
}

// snippet is the text that one tool needs to install a file.
type snippet struct {
	Tool string
	Text string
}

// snippets are the texts for all tools, in the order in which a page shows them. They
// compare the SHA-256 if their tool can. They never have a token: they name the variable
// that has it, unless anyone may download. Nothing in a value is code to a tool: addresses
// and names of local files have a plain alphabet, the rest is quoted.
func snippets(f installable) []snippet {
	return []snippet{
		{"curl", f.curl("PRIVATE-TOKEN: $GRANARY_TOKEN", " \\\n  ") + "\n" + f.compare()},
		{"granary", f.granary()},
		{"wget", f.wget() + "\n" + f.compare()},
		{"PowerShell", f.powerShell()},
		{"GitLab CI", f.gitlabCI()},
		{"Dockerfile", f.dockerfile()},
		{"Ansible", f.ansible()},
		{"CMake", f.cmake()},
		{"GoReleaser", f.goReleaser()},
	}
}

// url has the project's number, because some proxies unescape the slashes of a path, and
// because it stays the same if the project moves.
func (f installable) url() string {
	address := f.server() + "/api/v4/projects/" + strconv.FormatInt(f.ProjectID, 10) + "/packages/generic"
	for _, part := range append([]string{f.Name, f.Version}, strings.Split(f.Path, "/")...) {
		address += "/" + escaped(part)
	}
	return address
}

// escaped escapes every byte that is not unreserved (RFC 3986).
func escaped(part string) string {
	return strings.ReplaceAll(url.QueryEscape(part), "+", "%20")
}

// server is the external URL; what no host or path needs is escaped, so that quotes, dollar
// signs and braces never reach a tool.
func (f installable) server() string {
	var b strings.Builder
	for _, c := range []byte(f.Server) {
		if isPlain(c) || strings.IndexByte(":/%[]", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString(escaped(string([]byte{c})))
		}
	}
	return b.String()
}

// local is the name under which the file is saved: its own, but for bytes that no file name
// of a package has. It never looks like an option or a home directory.
func (f installable) local() string {
	name := []byte(path.Base(f.Path))
	for i, c := range name {
		if !isPlain(c) && c != '+' && c != '@' {
			name[i] = '_'
		}
	}
	if name[0] == '-' || name[0] == '~' {
		return "./" + string(name)
	}
	return string(name)
}

// isPlain reports whether no tool treats the byte specially within a word.
func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// curl follows a redirect to the store only without a token: curl would send it there.
func (f installable) curl(token, wrap string) string {
	how := ` --header "` + token + `"`
	if f.Public {
		how = " --location"
	}
	return "curl --fail" + how + " --output " + f.local() + wrap + `"` + f.url() + `"`
}

// compare uses the short option, the only one of BusyBox.
func (f installable) compare() string {
	return `echo "` + f.SHA256 + "  " + f.local() + `" | sha256sum -c`
}

func (f installable) wget() string {
	header := ` --header="PRIVATE-TOKEN: $GRANARY_TOKEN"`
	if f.Public {
		header = ""
	}
	return "wget" + header + " -O " + f.local() + " \\\n  \"" + f.url() + `"`
}

// granary compares every file with the digest of its package. A file argument is a pattern.
func (f installable) granary() string {
	pattern := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(f.Path)
	return "granary pull --server " + shell(f.server()) + endOfOptions(f.Name, pattern) + " \\\n  " +
		shell(f.Project) + " " + shell(f.Name+"@"+f.Version) + " " + shell(pattern)
}

// pullLatest is the command that installs the latest version of a package.
func pullLatest(project, name string) string {
	return "granary pull" + endOfOptions(name) + " " + shell(project) + " " + shell(name+"@latest")
}

// endOfOptions is what keeps words from being taken for options; "" if none looks like one.
func endOfOptions(words ...string) string {
	if slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, "-") }) {
		return " --"
	}
	return ""
}

// shell is one word of a POSIX shell.
func shell(word string) string {
	plain := func(r rune) bool { return r < 0x80 && (isPlain(byte(r)) || strings.ContainsRune("/:@+%,", r)) }
	if word != "" && word[0] != '~' && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (f installable) powerShell() string {
	headers := " -Headers @{'PRIVATE-TOKEN' = $env:GRANARY_TOKEN}"
	if f.Public {
		headers = ""
	}
	return "$f = '" + f.local() + "'\n" +
		"Invoke-WebRequest -UseBasicParsing" + headers + " -OutFile $f `\n" +
		"  -Uri '" + f.url() + "'\n" +
		"if ((Get-FileHash -LiteralPath $f).Hash -ne '" + f.SHA256 + "') { throw 'wrong digest' }"
}

func (f installable) gitlabCI() string {
	return "install:\n  script:\n    - >-\n      " + f.curl("JOB-TOKEN: $CI_JOB_TOKEN", "\n      ") + "\n    - " + yaml(f.compare())
}

// yaml is a scalar in one line.
func yaml(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// dockerfile lets the builder itself fetch what anyone may read; it has no header for a
// token.
func (f installable) dockerfile() string {
	if f.Public {
		return "ADD --checksum=sha256:" + f.SHA256 + " \\\n  " + f.url() + " \\\n  ./" + strings.TrimPrefix(f.local(), "./")
	}
	return "RUN --mount=type=secret,id=granary_token,env=GRANARY_TOKEN \\\n  " +
		f.curl("PRIVATE-TOKEN: $GRANARY_TOKEN", " \\\n  ") + " \\\n  && " + f.compare()
}

func (f installable) ansible() string {
	headers := `    headers: {PRIVATE-TOKEN: "{{ granary_token }}"}` + "\n"
	if f.Public {
		headers = ""
	}
	return "- ansible.builtin.get_url:\n    url: " + yaml(f.url()) + "\n" + headers +
		"    checksum: sha256:" + f.SHA256 + "\n    dest: " + yaml("/tmp/"+strings.TrimPrefix(f.local(), "./"))
}

// cmake gives a file that is no archive as it is.
func (f installable) cmake() string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && isPlain(byte(r)) && !strings.ContainsRune("-.~", r) {
			return r
		}
		return '_'
	}, f.Name)
	if slices.Contains([]string{"0", "FALSE", "IGNORE", "N", "NO", "NOTFOUND", "OFF"}, strings.ToUpper(name)) {
		name += "_" // CMake takes these for no name
	}
	how := ""
	if !isArchive(f.Path) {
		how = "\n  DOWNLOAD_NO_EXTRACT TRUE"
	}
	if local := strings.TrimPrefix(f.local(), "./"); how != "" || local != escaped(local) {
		how = "\n  DOWNLOAD_NAME \"" + local + `"` + how
	}
	if !f.Public {
		how = "\n  HTTP_HEADER \"PRIVATE-TOKEN: $ENV{GRANARY_TOKEN}\"" + how
	}
	return "include(FetchContent)\nFetchContent_Declare(" + name + "\n  URL \"" + f.url() + `"` + how +
		"\n  URL_HASH SHA256=" + f.SHA256 + ")\nFetchContent_MakeAvailable(" + name + ")"
}

// goReleaser publishes; it has no digest to compare.
func (f installable) goReleaser() string {
	owner, name := path.Split(f.Project)
	return "# .goreleaser.yaml of the project that publishes\ngitlab_urls:\n" +
		"  api: " + yaml(f.server()+"/api/v4") + "\n  download: " + yaml(f.server()) + "\n  use_package_registry: true\n" +
		"release:\n  gitlab:\n    owner: " + yaml(strings.TrimSuffix(owner, "/")) + "\n    name: " + yaml(name)
}
