package archive

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// StreamZip writes a zip without knowing the CRC-32 of the entries. It computes each while
// it writes the file, and calls found with it; it does not compare the file with its
// digest. If StreamZip returns an error, what it has written is not a whole zip.
func StreamZip(w io.Writer, entries []Entry, open Opener, found func(i int, crc uint32)) error {
	s := zipStream{w: w, buffer: make([]byte, 64<<10)}
	offsets, sums := make([]int64, len(entries)), make([]uint32, len(entries))
	for i := range entries {
		header, err := zipHeader(&entries[i], zipLater)
		if err != nil {
			return err
		}
		offsets[i] = s.at
		s.write(header)
		sums[i] = s.content(&entries[i], i, open)
		s.write(zipAfter(&entries[i], sums[i]))
		if s.err != nil {
			return s.err
		}
		found(i, sums[i])
	}
	start := s.at
	for i := range entries {
		entry := entries[i]
		entry.CRC32 = sums[i]
		s.write(zipRecord(&entry, zipLater, offsets[i]))
	}
	s.write(zipTail(len(entries), start, s.at))
	return s.err
}

// zipAfter is the descriptor after a file.
func zipAfter(e *Entry, crc uint32) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(le.AppendUint32(nil, zipDescriptor), crc)
	if isLarge(e) {
		return le.AppendUint64(le.AppendUint64(b, uint64(e.Size)), uint64(e.Size))
	}
	return le.AppendUint32(le.AppendUint32(b, uint32(e.Size)), uint32(e.Size))
}

// zipStream counts what is written. After an error it writes nothing.
type zipStream struct {
	w      io.Writer
	buffer []byte
	at     int64
	err    error
}

func (s *zipStream) write(b []byte) {
	if s.err == nil {
		_, s.err = s.w.Write(b)
		s.at += int64(len(b))
	}
}

// content writes a file and returns its CRC-32.
func (s *zipStream) content(e *Entry, i int, open Opener) uint32 {
	if s.err != nil || e.Size == 0 {
		return 0
	}
	content, err := openEntry(e, i, open)
	if err != nil {
		s.err = inFile(e, err)
		return 0
	}
	defer func() { _ = content.Close() }() // it was only read
	crc := uint32(0)
	for left := e.Size; left > 0 && s.err == nil; {
		part := s.buffer[:min(left, int64(len(s.buffer)))]
		if _, err := io.ReadFull(content, part); err != nil {
			s.err = inFile(e, err)
			return 0
		}
		crc = crc32.Update(crc, crc32.IEEETable, part)
		s.write(part)
		left -= int64(len(part))
	}
	return crc
}

// StreamZstd writes a tar as tar.zst, in 3 MiB of memory and without other goroutines. If
// reading the tar fails, StreamZstd returns that error and does not end the stream.
func StreamZstd(w io.Writer, tar io.Reader) error {
	const window = 1 << 20 // the usual one takes 8 MiB
	z, err := zstd.NewWriter(w,
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window))
	if err != nil {
		return fmt.Errorf("compressing an archive: %w", err)
	}
	if _, err := io.Copy(z, tar); err != nil {
		return err
	}
	return z.Close()
}
