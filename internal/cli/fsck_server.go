package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"granary/internal/client"
	"granary/internal/daemon"
)

// isServer reports whether a place to repair from is the address of a server.
func isServer(place string) bool {
	return strings.HasPrefix(place, "https://") || strings.HasPrefix(place, "http://")
}

// otherServer is a server that has files of the same names: a mirror, or where they were
// published as well.
type otherServer struct{ client *client.Client }

// repairServer connects to a server, with the token that the commands of a client would
// take for it. It fails if the server does not answer.
func repairServer(ctx context.Context, env Env, address string) (otherServer, error) {
	o := connection{env: env, server: address, retries: client.DefaultAttempts - 1, context: func() context.Context { return ctx }}
	c, err := o.client()
	if err != nil {
		return otherServer{}, err
	}
	_, err = c.Metadata(ctx)
	e, answered := errors.AsType[*client.Error](err)
	if err != nil && !answered { // what it refuses now it may give by a file
		return otherServer{}, fmt.Errorf("cannot repair from %s: %w", address, err)
	}
	if answered && e.Status == http.StatusUnauthorized {
		env.notice("warning: %s has only what is public for who asks: %s", address, tokenAdvice(e))
	}
	return otherServer{c}, nil
}

// Copies implements daemon.Elsewhere: each file that has the bytes here may have them there.
// Uploads have no address by which another server knows them.
func (s otherServer) Copies(_ context.Context, b daemon.Wanted) (all []daemon.Copy, _ error) {
	for _, u := range b.Uses {
		if u.Package == "" {
			continue
		}
		at := client.Coordinates{Project: u.Project, Name: u.Package, Version: u.Version, Path: u.File}
		all = append(all, daemon.Copy{Where: u.Project + " " + at.String(), Open: func(ctx context.Context) (io.ReadCloser, error) {
			return s.open(ctx, at, b)
		}})
	}
	return all, nil
}

const (
	leastPatience = 5 * time.Minute
	slowestRepair = 64 << 10 // bytes a second, below which a download is given up
)

// open begins a download. It ends with the first byte that is too many, and if it takes too
// long; its error is Open's if nothing arrives.
func (s otherServer) open(ctx context.Context, at client.Coordinates, b daemon.Wanted) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, leastPatience+time.Duration(b.Size/slowestRepair)*time.Second)
	r, w := io.Pipe()
	go func() {
		_, err := s.client.Copy(ctx, at, client.File{Size: b.Size, SHA256: b.Digest.String()}, w, nil)
		_ = w.CloseWithError(err) // never fails; nil is the end
	}()
	d := &download{buffered: bufio.NewReader(r), pipe: r, cancel: cancel}
	if _, err := d.buffered.Peek(1); err != nil && err != io.EOF {
		cancel()
		return nil, err
	}
	return d, nil
}

// download is a file on its way from a server.
type download struct {
	buffered *bufio.Reader
	pipe     *io.PipeReader
	cancel   context.CancelFunc
}

func (d *download) Read(p []byte) (int, error) { return d.buffered.Read(p) }

// Close ends the download, and the goroutine that writes to the pipe.
func (d *download) Close() error {
	d.cancel()
	return d.pipe.Close()
}
