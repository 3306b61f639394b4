package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// Stat asks for a file's size and digest without its bytes.
func (c *Client) Stat(ctx context.Context, at Coordinates) (File, error) {
	path, err := at.path()
	if err != nil {
		return File{}, err
	}
	var f File
	err = c.retry(ctx, func(int) error {
		ctx, watch := c.watch(ctx)
		defer watch.stop()
		resp, err := c.send(ctx, call{method: http.MethodHead, path: path, query: at.query()})
		if err != nil {
			return err
		}
		f = File{Path: at.Path, Size: resp.ContentLength, SHA256: digestOf(resp.Header.Get("X-Checksum-SHA256"))}
		return resp.Body.Close()
	})
	return f, err
}

// damagedWords begin granary's 500 for a file whose bytes are not as they were published.
const damagedWords = "the bytes of this file are lost or damaged"

// Lost reports whether the server knows a file but has lost its bytes: GitLab answers
// 404 then, and granary 500 with a message of its own. It is false if the caller may
// not know. Any other failure of the server is an error.
func (c *Client) Lost(ctx context.Context, at Coordinates) (bool, error) {
	_, err := c.Stat(ctx, at)
	if status(err, http.StatusInternalServerError) { // HEAD has no words
		err = c.Probe(ctx, at)
	}
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return false, err
	case e.Status == http.StatusInternalServerError && strings.HasPrefix(e.Message, damagedWords), e.Status == http.StatusNotFound:
		return true, nil
	case e.Status < http.StatusInternalServerError && e.kind() != Busy:
		return false, nil
	}
	return false, err
}

// Probe asks for a file as a download does, and takes none of it. A name that the
// server does not take is Refused, in its words.
func (c *Client) Probe(ctx context.Context, at Coordinates) error {
	return c.retry(ctx, func(int) error {
		ctx, watch := c.watch(ctx)
		defer watch.stop()
		got, err := c.open(ctx, at, part{to: -1})
		if err != nil {
			return err
		}
		return got.Close()
	})
}
