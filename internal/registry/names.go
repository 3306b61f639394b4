package registry

import (
	"slices"
	"strings"

	"granary/internal/fault"
)

// NameFilter chooses packages by parts of their names: the name must contain every
// term, whatever its case. The zero value chooses all.
type NameFilter struct {
	Terms []string // none empty, none twice
}

const maxTerms = 100 // more than a name of 255 bytes has sensible parts

// ParseNameFilter splits a text into terms at white space; a phrase in quotes, between
// spaces, is one term (contract rest-api A1). Invalid if there are too many.
func ParseNameFilter(text string) (NameFilter, error) {
	var terms []string
	var rest strings.Builder
	for i := 0; i < len(text); {
		if phrase, ok := quotedAt(text, i); ok {
			terms = append(terms, phrase)
			i += len(phrase) + 2
			continue
		}
		rest.WriteByte(text[i])
		i++
	}
	terms = append(strings.Fields(rest.String()), terms...)
	var f NameFilter
	for _, term := range terms {
		if !slices.Contains(f.Terms, term) {
			f.Terms = append(f.Terms, term)
		}
		if len(f.Terms) > maxTerms {
			return NameFilter{}, fault.New(fault.Invalid, "package_name is invalid")
		}
	}
	return f, nil
}

// quotedAt is the phrase in quotes that begins at i, if spaces or the ends of the text
// surround it. Any other quote is a character like others.
func quotedAt(text string, i int) (string, bool) {
	if text[i] != '"' || i > 0 && text[i-1] != ' ' {
		return "", false
	}
	n := strings.IndexByte(text[i+1:], '"')
	end := i + 1 + n + 1
	if n < 1 || end < len(text) && text[end] != ' ' {
		return "", false
	}
	return text[i+1 : i+1+n], true
}
