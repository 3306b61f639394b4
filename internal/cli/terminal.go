package cli

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// clearLine brings a terminal's cursor to the start of its line, and empties it.
const clearLine = "\r\x1b[K"

// terminal is the descriptor of a stream that is a terminal.
func terminal(stream any) (fd int, ok bool) {
	if s, ok := stream.(screen); ok {
		stream = s.w
	}
	f, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}

// notice prints a message apart from the results. On a terminal it replaces the line of
// the progress, which is drawn again below it. Texts and errors in args come from
// others, and are kept on one line.
func (e Env) notice(format string, args ...any) {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = onOneLine(a)
		case error:
			args[i] = onOneLine(a.Error())
		}
	}
	if _, ok := terminal(e.Stderr); ok {
		fmt.Fprint(raw(e.Stderr), clearLine)
	}
	fmt.Fprintf(e.Stderr, "granary: "+format+"\n", args...)
}
