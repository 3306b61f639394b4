package sqldb

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// oneLine is an error in one line that names each address once. pgx reports each
// attempt to connect on a line of its own, with the address two or three times.
type oneLine struct{ error }

func (e oneLine) Unwrap() error { return e.error }

func (e oneLine) Error() string {
	text := e.error.Error()
	if failed, ok := errors.AsType[*pgconn.ConnectError](e.error); ok {
		text = strings.ReplaceAll(text, failed.Error(), "cannot connect to "+attempts(failed.Unwrap().Error()))
	}
	return eachOnce(text, func(line string) string { return line })
}

// attempts is what was tried and what came of it. Each line of text is like
//
//	192.0.2.1:5432 (db.example.com): dial error: dial tcp 192.0.2.1:5432: connect: connection refused
func attempts(text string) string {
	return eachOnce(text, func(line string) string {
		address, rest, _ := strings.Cut(line, " (")
		host, why, ok := strings.Cut(rest, "): ")
		if !ok {
			return line
		}
		for _, again := range []string{"dial error: ", "dial tcp ", "dial unix ", address + ": ", "connect: "} {
			why = strings.TrimPrefix(why, again)
		}
		if !strings.Contains(address, host) {
			address = host + " (" + address + ")"
		}
		return address + ": " + why
	})
}

// eachOnce joins the lines of a text, each rewritten by words, without repetitions.
func eachOnce(text string, words func(line string) string) string {
	var parts []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if line = words(line); !slices.Contains(parts, line) {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}
