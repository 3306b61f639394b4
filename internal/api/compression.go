package api

import (
	"io"
	"net/http"
	"runtime"

	"granary/internal/archive"
)

// Limits of Server.Compression. An archive takes 3 MiB while it is compressed.
const (
	CompressionMemory = 96 << 20 // of all archives
	CompressionEach   = 24 << 20 // of those for one user, deploy token or anonymous address
	compressionStep   = 3 << 20
)

// sendZstd answers with a compressed tar of all files.
func sendZstd(c *call, p packed) error {
	tar, err := archive.NewTar(p.Entries(), c.opener(p))
	if err != nil {
		return err
	}
	defer func() { _ = tar.Close() }() // it was only read
	if c.r.Method == http.MethodGet {
		err := c.reserve(c.s.Compression, c.key(), compressionStep, "too many archives are being compressed; try again later, or ask for @all.tar")
		if err != nil {
			return err
		}
		defer c.s.Compression.Give(c.key(), compressionStep)
	}
	return c.sendStream(p, func(w io.Writer) error {
		c.s.compressing <- struct{}{}
		defer func() { <-c.s.compressing }()
		return archive.StreamZstd(outOfTurn{w, c.s.compressing}, tar)
	})
}

// mostCompressing is how many archives are compressed at the same moment: one on each
// core.
func mostCompressing() int { return runtime.GOMAXPROCS(0) }

// outOfTurn writes to a client. While it waits for the client, another archive may be
// compressed.
type outOfTurn struct {
	io.Writer
	turns chan struct{}
}

func (o outOfTurn) Write(p []byte) (int, error) {
	<-o.turns
	defer func() { o.turns <- struct{}{} }()
	return o.Writer.Write(p)
}
