package records

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"granary/internal/blob"
)

// A journal is the records of a database as notes in its store of blobs, from which the
// database can be made again:
//
//	records/head                      what the newest base is, and what it needs; written last
//	records/<event>.base.jsonl.zst    all rows; the event is the last one covered
//	records/<event>.delta.jsonl.zst   what has changed since the file before
//	records/packs/<sha256>.pack       small bodies
const (
	headName   = "records/head"
	filePrefix = "records/"
	baseEnd    = ".base.jsonl.zst"
	deltaEnd   = ".delta.jsonl.zst"
	packPrefix = "records/packs/"
	packEnd    = ".pack"

	// mostHead is the largest head in bytes.
	mostHead = 16 << 20
)

// The digits of an event's id make names sort like events.
func baseName(to int64) string { return fmt.Sprintf("%s%019d%s", filePrefix, to, baseEnd) }

func deltaName(to int64) string { return fmt.Sprintf("%s%019d%s", filePrefix, to, deltaEnd) }

func packName(d blob.Digest) string { return packPrefix + d.String() + packEnd }

// eventIn is the event in the name of a base or delta, which end is of.
func eventIn(name, end string) (to int64, ok bool) {
	digits, found := strings.CutSuffix(strings.TrimPrefix(name, filePrefix), end)
	if !found || len(digits) != 19 || !strings.HasPrefix(name, filePrefix) {
		return 0, false
	}
	to, err := strconv.ParseInt(digits, 10, 64)
	return to, err == nil && to >= 0
}

// packIn is the digest in the name of a pack.
func packIn(name string) (blob.Digest, bool) {
	text, ok := strings.CutPrefix(name, packPrefix)
	text, whole := strings.CutSuffix(text, packEnd)
	d, err := blob.ParseDigest(text)
	return d, ok && whole && err == nil
}

// notesOf walks the notes of a journal. A directory in the place of one is walked as that one,
// whatever is in it.
func notesOf(ctx context.Context, from Notes) iter.Seq2[blob.NoteInfo, error] {
	return func(yield func(blob.NoteInfo, error) bool) {
		hidden := ""
		for note, err := range from.Notes(ctx, filePrefix) {
			if at := above(note.Name); err == nil && at != "" {
				if at == hidden {
					continue
				}
				hidden, note = at, blob.NoteInfo{Name: at}
			}
			if !yield(note, err) {
				return
			}
		}
	}
}

// above is the base, delta or pack in the place of which is the folder of a note; "" if there is
// none.
func above(name string) string {
	for _, folder := range []string{packPrefix, filePrefix} {
		part, _, below := strings.Cut(strings.TrimPrefix(name, folder), "/")
		if !below || !strings.HasPrefix(name, folder) {
			continue
		}
		at := folder + part
		_, base := eventIn(at, baseEnd)
		_, delta := eventIn(at, deltaEnd)
		if _, pack := packIn(at); base || delta || pack {
			return at
		}
	}
	return ""
}

// Head says what the newest base is.
type Head struct {
	Format   int       `json:"format"`
	Identity string    `json:"identity"` // of the store
	Schema   int64     `json:"schema"`
	Base     int64     `json:"base,string"`  // the base covers the events up to this one
	Event    int64     `json:"event,string"` // the last event in the base
	At       time.Time `json:"at"`           // when the base was begun
	Packs    []string  `json:"packs"`        // digests of the packs with the base's small bodies

	// Begins is the event of the base that the journal of this database begins with. Files
	// of events before are of another database, in place of which it came. 0: there are none.
	Begins int64 `json:"begins,string"`

	// Retired are notes that this base does not need, and when one first did not. The base
	// before needs them; they stay for a day.
	Retired map[string]time.Time `json:"retired,omitempty"`
}

// encode is the head as a line of JSON, and a line with the SHA-256 of the first: most bytes
// could be another without a sign, such as those of a time.
func (h Head) encode() ([]byte, error) {
	line, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encoding the note %s: %w", headName, err)
	}
	return appendSum(append(line, '\n')), nil
}

// appendSum appends to a line another one with its SHA-256.
func appendSum(line []byte) []byte {
	sum := sha256.Sum256(line)
	return fmt.Appendf(line, `{"sha256":"%x"}`+"\n", sum)
}

// cutSum is the line of which appendSum made the text; false if it did not.
func cutSum(text []byte) (line []byte, right bool) {
	end := bytes.IndexByte(text, '\n') + 1
	return text[:end], end > 0 && bytes.Equal(text, appendSum(bytes.Clone(text[:end])))
}

// ErrDamaged is to errors.Is what is damaged in a journal: its head or its newest delta. A
// journal that begins anew does without them.
var ErrDamaged = errors.New("is damaged")

// otherStore is the error of a note that belongs to another store than the one that has it.
func otherStore(note, of, here string) error {
	return fmt.Errorf("the note %s belongs to the store %q, and this is the store %q", note, of, here)
}

// ReadHead is the head of the journal in a store. It is blob.ErrNotFound if there is none.
func ReadHead(ctx context.Context, from Notes) (h Head, err error) {
	note, err := from.Note(ctx, headName)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(note, mostHead+1))
		err = errors.Join(err, note.Close())
	}
	switch {
	case failure(err) != nil:
		return h, unread{err}
	case errors.Is(err, blob.ErrUnreadable):
		return h, fmt.Errorf("the note %s %w: %w", headName, ErrDamaged, err)
	case err != nil:
		return h, err
	}
	line, right := text, true
	if bytes.IndexByte(text, '\n') >= 0 { // a head without a checksum, of an early granary, is one line without its end
		line, right = cutSum(text)
	}
	switch err := json.Unmarshal(line, &h); {
	case len(text) > mostHead || !right || err != nil:
		return Head{}, fmt.Errorf("the note %s %w: it is not what was written, or is cut short", headName, ErrDamaged)
	case h.Format > Format:
		return h, fmt.Errorf("the note %s has the format %d, and this granary knows formats up to %d; use a newer granary", headName, h.Format, Format)
	case h.Format < 1 || h.Base < 0:
		return Head{}, fmt.Errorf("the note %s %w: it has the format %d and the base %d", headName, ErrDamaged, h.Format, h.Base)
	}
	return h, nil
}
