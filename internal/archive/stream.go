package archive

import (
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// CRC32 reads the file of the i-th entry and returns its CRC-32, which a zip needs.
func CRC32(e *Entry, i int, open Opener) (uint32, error) {
	if e.Size == 0 {
		return 0, nil
	}
	content, err := openEntry(e, i, open)
	if err != nil {
		return 0, inFile(e, err)
	}
	defer func() { _ = content.Close() }() // it was only read
	sum := crc32.NewIEEE()
	if _, err := io.CopyN(sum, content, e.Size); err != nil {
		return 0, inFile(e, err)
	}
	return sum.Sum32(), nil
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
