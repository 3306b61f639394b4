package cli

import (
	"bufio"
	"encoding/hex"
	"io"
	"strings"

	"granary/internal/client"
)

// sumsEscapes is how GNU's sha256sum writes names on one line, with a backslash
// before the digest where there is one in the name. All else in a name stays.
const sumsEscapes = "a line that begins with \\ has names with \\\\, \\n or \\r"

// printSums prints lines as sha256sum does. A name is changed for a terminal alone:
// sha256sum -c wants the name that the file has.
func printSums(env Env, files []client.File) error {
	out := &printer{w: raw(env.Stdout)}
	if _, ok := terminal(env.Stdout); ok {
		out.w = env.Stdout
	}
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
	for _, f := range files {
		if f.SHA256 == "" {
			return refused("the server tells no digest of %s", f.Path)
		}
		mark, name := "", escape.Replace(f.Path)
		if name != f.Path {
			mark = `\`
		}
		out.printf("%s%s  %s\n", mark, f.SHA256, []byte(name)) // bytes are printed as they are
	}
	return out.err
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
			return nil, usagef("%s:%d is no line of sha256sum: want 64 hex digits, two spaces and a name", from, n)
		}
		name = name[1:] // that was a blank, or * for binary
		if escaped {
			if name, ok = unescape(name); !ok {
				return nil, usagef("%s:%d is no line of sha256sum: %s", from, n, sumsEscapes)
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
