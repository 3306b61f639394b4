package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	resumable  = 4 << 20 // bytes from which a broken download is worth keeping
	segment    = 8 << 20 // bytes that one part has at least
	mostParts  = 64      // of one file, which are asked for in order, so that hashing is never far behind
	maxStreams = 4       // parts of one file at once
)

// One connection fills a line of a gigabit a second, and several would only share it.
// If less than slowLine bytes arrive within lookEvery, another one is opened: then the
// distance, or a limit for each connection, slows them.
const (
	lookEvery = 500 * time.Millisecond
	slowLine  = 50 << 20
)

// Download is a file to be installed.
type Download struct {
	Coordinates
	File       File        // as Files or Stat returned it
	Root       *os.Root    // nothing is written outside
	Executable bool        // set the executable bits
	Progress   func(int64) // bytes that have arrived, negative if they are discarded; may be nil
}

// Download installs a file below d.Root under its own path, and makes directories.
// The file appears there whole, with the server's digest, or not at all. verified
// reports whether there was a digest.
//
// A file of 4 MiB and more arrives in a partial file in the same directory. If the
// download breaks off, the file stays, and the next download resumes it. Its name
// contains the digest, so that only the same bytes are added to it.
func (c *Client) Download(ctx context.Context, d Download) (verified bool, err error) {
	if d.Progress == nil {
		d.Progress = func(int64) {}
	}
	name := filepath.FromSlash(d.Path)
	if !filepath.IsLocal(name) {
		return false, local(fmt.Errorf("%q leads out of the directory", d.Path))
	}
	if dir := filepath.Dir(name); dir != "." {
		if err := d.Root.MkdirAll(dir, 0o777); err != nil {
			return false, local(err)
		}
	}
	if d.File.SHA256 == "" || d.File.Size < resumable {
		return c.downloadWhole(ctx, d, name)
	}
	verified, err = c.downloadLarge(ctx, d, name)
	if errors.Is(err, errStale) {
		verified, err = c.downloadLarge(ctx, d, name) // what was left there is gone now
	}
	if errors.Is(err, errNoRanges) {
		return c.downloadWhole(ctx, d, name)
	}
	return verified, err
}

// downloadWhole leaves nothing behind if it fails. It restarts a torn transfer as often
// as a call is retried.
func (c *Client) downloadWhole(ctx context.Context, d Download, name string) (verified bool, err error) {
	p, err := newPartial(d.Root, name, d.File.Size)
	if err != nil {
		return false, local(err)
	}
	f, temp := p.f, p.name
	counted := int64(0)
	progress := func(n int64) { counted += n; d.Progress(n) }
	for attempt := 0; ; attempt++ {
		verified, err = c.Copy(ctx, d.Coordinates, d.File, f, progress)
		if _, again := errors.AsType[torn](err); !again || !c.pause(ctx, attempt, err) {
			break
		}
		progress(-counted)
		if err = empty(f); err != nil {
			break
		}
	}
	if err == nil {
		err = d.settle(f, temp, name)
	}
	if err != nil {
		d.Progress(-counted)
		_ = d.Root.Remove(temp) // the error says more
	}
	return verified, errors.Join(err, f.Close())
}

// empty takes out of a file what was written to it.
func empty(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	if err == nil {
		err = f.Truncate(0)
	}
	if err != nil {
		return local(err)
	}
	return nil
}

// settle gives a whole file its name.
func (d Download) settle(f *os.File, temp, name string) error {
	if d.Executable {
		info, err := f.Stat()
		if err != nil {
			return local(err)
		}
		// Who may read it may run it.
		if err := f.Chmod(info.Mode().Perm() | info.Mode().Perm()>>2&0o111); err != nil {
			return local(err)
		}
	}
	if err := d.Root.Rename(temp, name); err != nil {
		return local(err)
	}
	return nil
}

// downloadLarge brings the parts of a file together.
func (c *Client) downloadLarge(ctx context.Context, d Download, name string) (verified bool, err error) {
	p, err := openPartial(d.Root, name, d.File)
	if err != nil {
		return false, local(err)
	}
	defer p.close()
	begun := p.arrived()
	d.Progress(begun)
	sum, err := c.fill(ctx, d, p)
	if err == nil {
		verified, err = checkSum(d.Coordinates, sum, d.File.SHA256)
		if err != nil && begun > 0 {
			err = fmt.Errorf("%w: %w", errStale, err)
		}
	}
	if err != nil {
		d.Progress(-p.arrived())
		if KindOf(err) == Damaged || errors.Is(err, errNoRanges) {
			_ = d.Root.Remove(p.name) // it is of no use
		}
		return false, err
	}
	if err := p.f.Truncate(p.size); err != nil {
		return false, local(err)
	}
	return verified, d.settle(p.f, p.name, name)
}

// errStale is a partial file that turned out to hold something else.
var errStale = errors.New("the partial file was damaged")

// fill downloads what is missing from a partial file and hashes the file behind it.
func (c *Client) fill(ctx context.Context, d Download, p *partial) (hash.Hash, error) {
	sum := sha256.New()
	hashed := make(chan error, 1)
	go func() { hashed <- p.follow(sum) }()
	err := c.fillParts(ctx, d, p)
	p.end()
	if hashErr := <-hashed; err == nil && hashErr != nil {
		err = local(hashErr)
	}
	return sum, err
}

// fillParts begins with one stream, and opens others while little arrives.
func (c *Client) fillParts(ctx context.Context, d Download, p *partial) error {
	streams, ctx := errgroup.WithContext(ctx)
	todo := make(chan int, len(p.parts))
	for i := range p.parts {
		todo <- i
	}
	close(todo)
	ended := make(chan struct{})
	streams.Go(func() error {
		defer close(ended)
		return c.fillNext(ctx, d, p, todo)
	})
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for n, before := 1, p.arrived(); n < min(maxStreams, len(p.parts)); {
		select {
		case <-ended: // with an error, or as no part is left to be taken
			return streams.Wait()
		case <-look.C:
		}
		now := p.arrived()
		if now-before < slowLine {
			n++
			streams.Go(func() error { return c.fillNext(ctx, d, p, todo) })
		}
		before = now
	}
	return streams.Wait()
}

// fillNext fills one part after the other, until none is left.
func (c *Client) fillNext(ctx context.Context, d Download, p *partial, parts <-chan int) error {
	for i := range parts {
		if err := c.fillPart(ctx, d, p, i); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) fillPart(ctx context.Context, d Download, p *partial, i int) error {
	from, to := p.missing(i)
	if from == to {
		return nil
	}
	_, err := c.copyPart(ctx, d.Coordinates, part{from: from, to: to, size: p.size, digest: true}, &partWriter{p, i, d.Progress})
	return errors.Join(err, p.note())
}

// partWriter writes one part of a partial file in order.
type partWriter struct {
	p        *partial
	i        int
	progress func(int64)
}

func (w *partWriter) Write(b []byte) (int, error) {
	n, err := w.p.write(w.i, b)
	w.progress(int64(n))
	return n, err
}
