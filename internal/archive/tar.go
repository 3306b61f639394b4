package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"time"
)

const (
	tarBlock = 512
	tarEnd   = 2 * tarBlock // of zeros
)

// NewTar lays out a tar of the entries in their order: regular files of mode 0644 that
// belong to user and group 0. The same entries give the same bytes in every release: a
// test pins them. NewTar returns an error if no header can hold an entry.
//
// The format is USTAR, or GNU's for an entry that USTAR cannot hold. It is never PAX:
// busybox takes a PAX member of 8 GiB for empty and leaves out the files after it.
func NewTar(entries []Entry, open Opener) (*Reader, error) {
	starts := make([]int64, 0, 2*len(entries)+2)
	at := int64(0)
	for i := range entries {
		header, err := tarHeader(&entries[i])
		if err != nil {
			return nil, err
		}
		starts = append(starts, at)
		at += int64(tarPadding(entries, i) + len(header))
		starts = append(starts, at)
		at += entries[i].Size
	}
	starts = append(starts, at)
	starts = append(starts, at+int64(tarPadding(entries, len(entries))+tarEnd))
	frameOf := func(segment int) []byte { return tarFrame(entries, segment/2) }
	return &Reader{layout: layout{starts, frameOf}, entries: entries, open: open}, nil
}

// tarFrame is the padding of the file before the i-th entry, and then the entry's header
// or, after the last entry, the end of the archive.
func tarFrame(entries []Entry, i int) []byte {
	padding := make([]byte, tarPadding(entries, i))
	if i == len(entries) {
		return append(padding, make([]byte, tarEnd)...)
	}
	header, _ := tarHeader(&entries[i]) // NewTar made it once
	return append(padding, header...)
}

// tarPadding is how many zeros stand before the header of the i-th entry.
func tarPadding(entries []Entry, i int) int {
	if i == 0 {
		return 0
	}
	return int(-entries[i-1].Size & (tarBlock - 1))
}

// tarHeader makes the header of an entry, in USTAR if it fits, else in GNU's format. It
// uses one tar.Writer per header: before a second header a tar.Writer wants the file.
func tarHeader(e *Entry) ([]byte, error) {
	h := tar.Header{
		Typeflag: tar.TypeReg,
		Name:     e.Path,
		Size:     e.Size,
		Mode:     0o644,
		ModTime:  time.Unix(max(0, e.Changed.Unix()), 0),
		Format:   tar.FormatUSTAR,
	}
	var header bytes.Buffer
	if tar.NewWriter(&header).WriteHeader(&h) == nil {
		return header.Bytes(), nil
	}
	h.Format = tar.FormatGNU
	header.Reset()
	if err := tar.NewWriter(&header).WriteHeader(&h); err != nil {
		return nil, fmt.Errorf("a tar cannot hold %q: %w", e.Path, err)
	}
	return header.Bytes(), nil
}
