package api

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// part is a field that is left empty in a value's JSON and written separately. after is
// the JSON before its content, up to the quote or bracket that opens it.
type part struct {
	after string
	write func() error
}

// assemble adds a value whose parts are empty, and fills in the parts. A quoted field
// name occurs nowhere else in the JSON, since quotes inside a text are escaped.
func (a *answerWriter) assemble(v any, parts ...part) error {
	var whole bytes.Buffer
	if err := encodeJSON(&whole, v); err != nil {
		return err
	}
	rest := whole.Bytes()
	for _, p := range parts {
		before, after, found := bytes.Cut(rest, []byte(p.after))
		if !found {
			return fmt.Errorf("%T in JSON has no %s", v, p.after)
		}
		a.buf.Write(before)
		a.raw(p.after)
		if err := p.write(); err != nil {
			return err
		}
		rest = after
	}
	a.buf.Write(rest)
	return a.flush(flushAt)
}

// text adds the content of a JSON string, changing and encoding one piece at a time, so
// that a long text is not in memory twice.
func (a *answerWriter) text(text string, change func(string) string) error {
	return a.pieces(text, func(piece string) error {
		var quoted bytes.Buffer
		if err := encodeJSON(&quoted, change(piece)); err != nil {
			return err
		}
		a.buf.Write(quoted.Bytes()[1 : quoted.Len()-1])
		return nil
	})
}

// pieces calls add for each piece of a text, and writes when enough is collected. It
// never splits a character.
func (a *answerWriter) pieces(text string, add func(piece string) error) error {
	if err := a.flush(1); err != nil {
		return err
	}
	a.buf = bytes.Buffer{}
	for len(text) > 0 {
		n := min(len(text), textPiece)
		for n < len(text) && n > textPiece-utf8.UTFMax && !utf8.RuneStart(text[n]) {
			n--
		}
		if err := add(text[:n]); err != nil {
			return err
		}
		text = text[n:]
		if err := a.flush(flushTextAt); err != nil {
			return err
		}
	}
	return nil
}
