package api

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// part is what is left out of a value that is made into JSON, and written by
// itself: after is the JSON before it, to the quote or bracket that opens it.
type part struct {
	after string
	write func() error
}

// assemble adds a value whose parts are empty, with the parts in their places. A
// field's name between quotes stands nowhere else: in a text quotes are escaped.
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

// text adds the inside of a JSON string, a piece at a time, each as change makes
// it: the text itself is memory enough.
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

// pieces has add gather a text a piece at a time, and writes what is gathered now
// and then. Whole characters make a text.
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
