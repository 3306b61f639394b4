package archive

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// The numbers of the format, by the specification of its format (APPNOTE 6.3.10).
const (
	zipLocal     = 0x04034b50
	zipCentral   = 0x02014b50
	zip64End     = 0x06064b50
	zip64Locator = 0x07064b50
	zipEnd       = 0x06054b50

	zipVersion    = 20 // folders in names
	zip64Version  = 45
	zipUnix       = 3 << 8 // made by Unix: attributes hold a mode
	zipMode       = 0o100644 << 16
	zipUTF8       = 1 << 11
	zip64Extra    = 0x0001
	zipTimeExtra  = 0x5455 // seconds in UTC; without it a reader takes the time for a local one
	zip64Size     = math.MaxUint32
	zip64Entries  = math.MaxUint16
	zipNameLength = math.MaxUint16
)

// NewZip lays out a zip of the entries in their order, which stores the files without
// compression, with mode 0644. It needs the CRC-32 of each entry. The same entries give the
// same bytes in every release: a test pins them. NewZip returns an error if no header can
// hold an entry.
//
// It uses zip64 only if a size or an offset is 4 GiB - 1 or more, or there are 65,535
// entries or more, because busybox reads no zip64.
func NewZip(entries []Entry, open Opener) (*Reader, error) {
	n := len(entries)
	starts := make([]int64, 0, 3*n+2)
	at := int64(0)
	for i := range entries {
		header, err := zipHeader(&entries[i])
		if err != nil {
			return nil, err
		}
		starts = append(starts, at, at+int64(len(header)))
		at += int64(len(header)) + entries[i].Size
	}
	for i := range entries {
		starts = append(starts, at)
		at += int64(len(zipRecord(&entries[i], starts[2*i])))
	}
	starts = append(starts, at)
	starts = append(starts, at+int64(len(zipTail(n, starts[2*n], at))))
	frameOf := func(segment int) []byte { return zipFrame(entries, starts, segment) }
	return &Reader{layout: layout{starts, frameOf}, entries: entries, open: open}, nil
}

// zipFrame is a header, a record of the central directory, or what follows that.
func zipFrame(entries []Entry, starts []int64, segment int) []byte {
	n := len(entries)
	switch {
	case segment < 2*n:
		header, _ := zipHeader(&entries[segment/2]) // NewZip made it once
		return header
	case segment < 3*n:
		i := segment - 2*n
		return zipRecord(&entries[i], starts[2*i])
	}
	return zipTail(n, starts[2*n], starts[3*n])
}

// zipHeader is the header before a file.
func zipHeader(e *Entry) ([]byte, error) {
	if len(e.Path) > zipNameLength || e.Size < 0 {
		return nil, fmt.Errorf("a zip cannot hold a file of %d bytes whose path has %d: a path may have %d", e.Size, len(e.Path), zipNameLength)
	}
	extra := zipTime(e)
	if isLarge(e) {
		extra = appendExtra(extra, zip64Extra, uint64(e.Size), uint64(e.Size))
	}
	le := binary.LittleEndian
	b := le.AppendUint32(nil, zipLocal)
	b = appendCommon(b, e, isLarge(e))
	b = le.AppendUint16(b, uint16(len(e.Path)))
	b = le.AppendUint16(b, uint16(len(extra)))
	return append(append(b, e.Path...), extra...), nil
}

// zipRecord is the central directory's record of an entry whose header is at an offset.
func zipRecord(e *Entry, offset int64) []byte {
	large := isLarge(e) || offset >= zip64Size
	extra := zipTime(e)
	switch {
	case isLarge(e) && offset >= zip64Size:
		extra = appendExtra(extra, zip64Extra, uint64(e.Size), uint64(e.Size), uint64(offset))
	case isLarge(e):
		extra = appendExtra(extra, zip64Extra, uint64(e.Size), uint64(e.Size))
	case offset >= zip64Size:
		extra = appendExtra(extra, zip64Extra, uint64(offset))
	}
	le := binary.LittleEndian
	b := le.AppendUint32(nil, zipCentral)
	b = le.AppendUint16(b, zipUnix|needed(large))
	b = appendCommon(b, e, large)
	b = le.AppendUint16(b, uint16(len(e.Path)))
	b = le.AppendUint16(b, uint16(len(extra)))
	b = append(b, make([]byte, 2+2+2)...) // no comment, disk 0, no internal attributes
	b = le.AppendUint32(b, zipMode)
	b = le.AppendUint32(b, uint32(min(offset, zip64Size)))
	return append(append(b, e.Path...), extra...)
}

// appendCommon appends what header and record have in common.
func appendCommon(b []byte, e *Entry, large bool) []byte {
	le := binary.LittleEndian
	date, clock := dosTime(zipSeconds(e))
	b = le.AppendUint16(b, needed(large))
	b = le.AppendUint16(b, zipUTF8)
	b = le.AppendUint16(b, 0) // stored
	b = le.AppendUint16(b, clock)
	b = le.AppendUint16(b, date)
	b = le.AppendUint32(b, e.CRC32)
	size := uint32(min(e.Size, zip64Size))
	b = le.AppendUint32(b, size)
	return le.AppendUint32(b, size)
}

// zipTail is what follows the central directory, which reaches from start to end.
func zipTail(n int, start, end int64) []byte {
	le := binary.LittleEndian
	var b []byte
	if n >= zip64Entries || start >= zip64Size || end-start >= zip64Size {
		b = le.AppendUint32(b, zip64End)
		b = le.AppendUint64(b, 44) // bytes that follow
		b = le.AppendUint16(b, zipUnix|zip64Version)
		b = le.AppendUint16(b, zip64Version)
		b = le.AppendUint64(b, 0) // disks 0 and 0
		b = le.AppendUint64(b, uint64(n))
		b = le.AppendUint64(b, uint64(n))
		b = le.AppendUint64(b, uint64(end-start))
		b = le.AppendUint64(b, uint64(start))
		b = le.AppendUint32(b, zip64Locator)
		b = le.AppendUint32(b, 0) // disk 0
		b = le.AppendUint64(b, uint64(end))
		b = le.AppendUint32(b, 1) // disks
	}
	b = le.AppendUint32(b, zipEnd)
	b = le.AppendUint32(b, 0) // disks 0 and 0
	b = le.AppendUint16(b, uint16(min(n, zip64Entries)))
	b = le.AppendUint16(b, uint16(min(n, zip64Entries)))
	b = le.AppendUint32(b, uint32(min(end-start, zip64Size)))
	b = le.AppendUint32(b, uint32(min(start, zip64Size)))
	return le.AppendUint16(b, 0) // no comment
}

func isLarge(e *Entry) bool { return e.Size >= zip64Size }

// needed is the version of the format that a reader must know.
func needed(large bool) uint16 {
	if large {
		return zip64Version
	}
	return zipVersion
}

func appendExtra(b []byte, id uint16, fields ...uint64) []byte {
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint16(b, uint16(8*len(fields)))
	for _, f := range fields {
		b = binary.LittleEndian.AppendUint64(b, f)
	}
	return b
}

// zipTime is the extra field with the time of an entry.
func zipTime(e *Entry) []byte {
	b := binary.LittleEndian.AppendUint16(nil, zipTimeExtra)
	b = binary.LittleEndian.AppendUint16(b, 5)
	return binary.LittleEndian.AppendUint32(append(b, 1), uint32(zipSeconds(e))) // 1: only the time of change
}

// zipSeconds is the time of an entry in seconds since 1970. Readers take them for 31 bits.
func zipSeconds(e *Entry) int64 { return min(max(0, e.Changed.Unix()), math.MaxInt32) }

// dosTime is a time in UTC as the format had it first, from 1980 on, in steps of 2 s.
func dosTime(seconds int64) (date, clock uint16) {
	t := time.Unix(seconds, 0).UTC()
	if t.Year() < 1980 {
		t = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	return uint16(t.Day() + int(t.Month())<<5 + (t.Year()-1980)<<9), uint16(t.Second()/2 + t.Minute()<<5 + t.Hour()<<11)
}
