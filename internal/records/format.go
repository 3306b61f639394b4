// Package records is the one format in which the records of a database are written down:
// for making a lost database again, for backups, and for moving to another database. It
// knows files and lines. Which tables and columns there are, a Source and a Target know.
//
// A file is one frame of zstd, and after it a frame with the SHA-256 of all bytes before
// it, which zstd's tools skip. The frame holds lines of JSON, without white space:
//
//	{"granary":"records","format":1,"kind":"base","schema":23,"identity":"...","from":"0","to":"1764374400123456"}
//	{"t":"packages","r":{"id":1,"name":"tool","manifest":{"b":"base64"},"yanked_at":null}}
//	{"t":"packages","k":{"id":17},"gone":true}
//	{"all":"members"}
//	{"last":{"users":17}}
//	{"end":{"packages":[1,"hex of a checksum"]}}
//
// A value is null, a whole number, a text, {"b":...}, which is bytes in base64, or
// {"t":...}, which is a text that is not valid UTF-8, in base64. A file without its last
// line or its last frame is no file.
package records

import (
	"errors"
	"fmt"
)

// Format is the number of the format that this package writes. It reads all up to it.
const Format = 1

// maxLine is the greatest length of a line, in bytes. The largest values are contents of
// blobs in the database, of up to 1 MiB, and descriptions of releases, of up to 1 MB.
const maxLine = 16 << 20

// Bounds of what a file names, so that a reader's memory has a bound.
const (
	mostTables  = 1000
	mostColumns = 1000    // of a table, and tables in the line of last ids
	mostName    = 64      // bytes of a table's or column's name
	mostEnd     = 1 << 20 // bytes of the last line
)

// Kind says what a file holds.
type Kind string

// The kinds.
const (
	KindBase   Kind = "base"   // all rows, of one snapshot
	KindDelta  Kind = "delta"  // the rows that changed since an earlier file
	KindExport Kind = "export" // all rows, and those that only a server that moves needs
)

// Header is the first line of a file.
type Header struct {
	Kind     Kind
	Schema   int64  // number of the database's newest migration
	Identity string // of the store of blobs to which the records belong; "" if there is none yet

	// From and To are ids of audit events. The file tells what changed after From, up
	// to To and perhaps later. From is 0 for a base and an export. To is one more than the file
	// before has if no event is later than that one's.
	From, To int64
}

// Summary says what a file or a database got.
type Summary struct {
	Header
	Tables []Table // in the order of the file
}

// Table is a table of a Summary.
type Table struct {
	Name string
	Checksum
}

// Rows is how many rows all tables have.
func (s Summary) Rows() (n int64) {
	for _, t := range s.Tables {
		n += t.Checksum.Rows
	}
	return n
}

// check refuses a header that no writer writes.
func (h Header) check() error {
	switch {
	case h.Kind != KindBase && h.Kind != KindDelta && h.Kind != KindExport:
		return fmt.Errorf("the kind %q is unknown", h.Kind)
	case h.Schema < 1:
		return fmt.Errorf("there is no schema version %d", h.Schema)
	case h.From < 0 || h.To < h.From:
		return fmt.Errorf("it cannot tell what changed from %d to %d", h.From, h.To)
	case h.Kind != KindDelta && h.From != 0:
		return errors.New("only a delta begins after an event")
	}
	return nil
}
