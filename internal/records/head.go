package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
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
	case errors.Is(err, syscall.EIO):
		return h, fmt.Errorf("the note %s %w: %w", headName, ErrDamaged, err)
	case err != nil:
		return h, err
	}
	switch err := json.Unmarshal(text, &h); {
	case len(text) > mostHead || err != nil:
		return Head{}, fmt.Errorf("the note %s %w: it is not the JSON that was written", headName, ErrDamaged)
	case h.Format > Format:
		return h, fmt.Errorf("the note %s has the format %d, and this granary knows formats up to %d; use a newer granary", headName, h.Format, Format)
	case h.Format < 1 || h.Base < 0:
		return Head{}, fmt.Errorf("the note %s %w: it has the format %d and the base %d", headName, ErrDamaged, h.Format, h.Base)
	}
	return h, nil
}
