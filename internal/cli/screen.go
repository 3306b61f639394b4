package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// screen is standard output or standard error without control characters but
// line breaks and tabs: names, messages and errors come from servers, and could
// move a terminal's cursor, hide what was printed or type into its answers.
// Main puts it around both, so no command has to think of it. Each write holds
// whole characters.
type screen struct{ w io.Writer }

func (s screen) Write(b []byte) (int, error) {
	clean := b
	if !isPlain(b) {
		clean = []byte(strings.Map(func(r rune) rune {
			if r != '\n' && r != '\t' && isControl(r) {
				return '?'
			}
			return r
		}, string(b)))
	}
	if n, err := s.w.Write(clean); err != nil {
		return min(n, len(b)), err
	}
	return len(b), nil
}

// isPlain reports plain ASCII, which nearly everything is.
func isPlain(b []byte) bool {
	for _, c := range b {
		if c != '\n' && c != '\t' && (c < ' ' || c >= 0x7f) {
			return false
		}
	}
	return true
}

// isControl reports what is obeyed rather than shown. Among it are the
// characters that turn the direction of writing, and bytes that are no UTF-8.
func isControl(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}

// onOneLine is a value as a cell of a table: it can begin no other cell and no
// other line.
func onOneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return '?'
		}
		return r
	}, text)
}

// raw is the stream behind a screen, for bytes that must not change: a file's, another
// program's, and our own control sequences.
func raw(w io.Writer) io.Writer {
	if s, ok := w.(screen); ok {
		return s.w
	}
	return w
}

// printJSON prints a result for programs, in which no name can move a terminal's cursor.
func printJSON(env Env, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := env.Stdout.Write(escapeControls(text.Bytes()))
	return err
}

// escapeControls escapes in JSON the control characters that encoding/json
// leaves as they are, so that a program reads them and no terminal does.
func escapeControls(text []byte) []byte {
	if isPlain(text) {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if r != '\n' && r != utf8.RuneError && isControl(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

// orEmpty is a list as JSON shows it: an empty one is [], not null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
