package proof

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// ParseListing reads a listing as `sha256sum` prints it, in any order: the text of
// Manifest. The error names the line. It refuses what such a listing has on other systems
// or of names that no manifest holds: CR LF, the mark of binary mode, escaped names.
func ParseListing(text []byte) ([]File, error) {
	var files []File
	seen := map[string]int{}
	for number := 1; len(text) > 0; number++ {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		if number > MaxFiles {
			return nil, fmt.Errorf("the listing has more than %d lines", MaxFiles)
		}
		f, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d of the listing %w", number, err)
		}
		if first, twice := seen[f.Path]; twice {
			return nil, fmt.Errorf("line %d of the listing has the path %q of line %d", number, f.Path, first)
		}
		seen[f.Path] = number
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the listing is empty: want a line of sha256sum for each file")
	}
	return files, nil
}

func parseLine(line []byte) (f File, err error) {
	const digits = 2 * len(f.Digest)
	switch {
	case bytes.HasSuffix(line, []byte("\r")):
		return f, fmt.Errorf("ends with CR LF: want LF")
	case bytes.HasPrefix(line, []byte(`\`)):
		return f, fmt.Errorf("has an escaped name: a final version has no such path")
	case len(line) < digits+3:
		return f, fmt.Errorf("is no line of sha256sum: want 64 hexadecimal digits, two blanks and a path")
	case line[digits] == ' ' && line[digits+1] == '*':
		return f, fmt.Errorf("has the mark * of binary mode: want two blanks before the path")
	case line[digits] != ' ' || line[digits+1] != ' ' || bytes.ContainsFunc(line[:digits], notLowerHex):
		return f, fmt.Errorf("is no line of sha256sum: want 64 hexadecimal digits in lower case, two blanks and a path")
	}
	if _, err := hex.Decode(f.Digest[:], line[:digits]); err != nil {
		return f, err
	}
	f.Path = string(line[digits+2:])
	if why := unfit(f.Path); why != nil {
		return f, fmt.Errorf("has a path that %w", why)
	}
	return f, nil
}

func notLowerHex(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }
