package cli

import (
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
	if !printable(b) {
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

// printable reports plain ASCII, which nearly everything is.
func printable(b []byte) bool {
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

// raw is the stream behind a screen, for bytes that are not ours to change: a
// file's, another program's, and what we ourselves tell a terminal to do.
func raw(w io.Writer) io.Writer {
	if s, ok := w.(screen); ok {
		return s.w
	}
	return w
}
