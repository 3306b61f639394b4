package cli

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"granary/internal/client"
)

// sumsEscapes is how GNU's sha256sum writes a name on one line, with a backslash
// before the digest if the name has an escape. It has no other escapes.
const sumsEscapes = "a line that begins with \\ has names with \\\\, \\n or \\r"

// printSums prints lines as sha256sum does. A name that a screen would change is
// refused before: it would be another file's, and sha256sum prints it as it is.
func printSums(env Env, files []client.File) error {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
	var lines strings.Builder
	for _, f := range files {
		if f.SHA256 == "" {
			return refused("the server gives no digest of %s", f.Path)
		}
		mark, name := "", escape.Replace(f.Path)
		if name != f.Path {
			mark = `\`
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r != '\t' && isControl(r) }) {
			return refused("the name %q has a control character that sha256sum does not escape; --json does", f.Path)
		}
		fmt.Fprintf(&lines, "%s%s  %s\n", mark, onOneLine(f.SHA256), name)
	}
	_, err := io.WriteString(env.Stdout, lines.String())
	return err
}

// readSums reads digests by path from lines such as "<64 hex digits>  name". from is
// what holds them.
func readSums(r io.Reader, from string) (map[string]string, error) {
	have := map[string]string{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line, escaped := strings.CutPrefix(line, `\`)
		sum, name, ok := strings.Cut(line, " ")
		if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != 32 || len(name) < 2 {
			return nil, usagef("%s:%d is not a line of sha256sum: want 64 hex digits, two spaces and a name", from, n)
		}
		name = name[1:] // that was a blank, or * for binary
		if escaped {
			if name, ok = unescape(name); !ok {
				return nil, usagef("%s:%d is not a line of sha256sum: %s", from, n, sumsEscapes)
			}
		}
		have[strings.TrimPrefix(name, "./")] = strings.ToLower(sum)
	}
	if err := lines.Err(); err != nil {
		return nil, usagef("%s: %w", from, err)
	}
	return have, nil
}

// unescape is the name behind one that sha256sum has escaped.
func unescape(name string) (string, bool) {
	var plain strings.Builder
	for {
		before, after, more := strings.Cut(name, `\`)
		plain.WriteString(before)
		if !more {
			return plain.String(), true
		}
		if after == "" || !strings.Contains(`\nr`, after[:1]) {
			return "", false
		}
		plain.WriteByte(map[byte]byte{'\\': '\\', 'n': '\n', 'r': '\r'}[after[0]])
		name = after[1:]
	}
}
