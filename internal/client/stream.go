package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// Stream reads a whole file as it arrives, for a caller that passes it on, and resumes
// after a broken connection. f is the file as Files or Stat returned it.
//
// It returns the last bytes only if the whole file has the size and the digest of f
// (if f has one). A reader with f.Size bytes has the right ones, and a sender fails
// before it completes a wrong file.
//
// The first Read sends the request. Errors of a Stream name the server; Publish does
// not retry them, because Stream did. Close ends the transfer.
func (c *Client) Stream(ctx context.Context, at Coordinates, f File) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{cancel: cancel}
	s.out, s.in = io.Pipe()
	s.fetch = func() {
		g := &gate{at: at, file: f, w: s.in, hash: sha256.New(), left: f.Size}
		_, err := c.copyPart(ctx, at, part{to: -1, size: f.Size, digest: f.SHA256 != ""}, g)
		if err == nil && g.left > 0 {
			err = &failure{Damaged, fmt.Errorf("%s ended %d bytes before its size of %d", at, g.left, f.Size)}
		}
		if err != nil {
			err = final{fmt.Errorf("reading from %s: %w", c.api.Host, err)}
		}
		_ = s.in.CloseWithError(err) // it never fails
	}
	return s
}

// stream is the reader's end.
type stream struct {
	out    *io.PipeReader
	in     *io.PipeWriter
	cancel context.CancelFunc
	fetch  func() // nil once it runs
}

func (s *stream) Read(p []byte) (int, error) {
	if s.fetch != nil {
		go s.fetch()
		s.fetch = nil
	}
	return s.out.Read(p)
}

func (s *stream) Close() error {
	s.cancel()
	return s.out.Close()
}

// gate passes bytes on, and the last of them only if all are right.
type gate struct {
	at   Coordinates
	file File
	w    io.Writer
	hash hash.Hash
	left int64
}

func (g *gate) Write(p []byte) (int, error) {
	g.left -= int64(len(p))
	if g.left < 0 {
		return 0, &failure{Damaged, fmt.Errorf("the server sent more than the %[2]d bytes of %[1]s", g.at, g.file.Size)}
	}
	g.hash.Write(p)
	if g.left == 0 && g.file.SHA256 != "" {
		if got := hex.EncodeToString(g.hash.Sum(nil)); got != g.file.SHA256 {
			return 0, &failure{Damaged, fmt.Errorf("%s arrived damaged: SHA-256 %s, want %s", g.at, got, g.file.SHA256)}
		}
	}
	return g.w.Write(p)
}
