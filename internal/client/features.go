package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"granary/internal/wire"
)

// note remembers the features that an answer of the client's own server names.
func (c *Client) note(resp *http.Response) {
	if named := resp.Header.Get(wire.FeaturesHeader); named != "" && elsewhere(resp) == "" {
		c.features.Store(&named)
	}
}

// has reports whether the server has named a feature in an answer.
func (c *Client) has(feature string) bool {
	named := c.features.Load()
	if named == nil {
		return false
	}
	for word := range strings.SplitSeq(*named, ",") {
		if strings.TrimSpace(word) == feature {
			return true
		}
	}
	return false
}

// errUnsupported is a call of a feature that the server does not have.
var errUnsupported = errors.New("that needs granary")

// Unsupported reports a call of a feature that the server does not have.
func Unsupported(err error) bool { return errors.Is(err, errUnsupported) }

// errNameless is an answer to a call of a feature that does not name the feature.
var errNameless = errors.New("its answer does not name them")

// isPlain is Unsupported once the server has shown that it is not granary, or an old
// one: it is not asked twice for what it does not have.
func (c *Client) isPlain(what string) error {
	if !c.plain.Load() {
		return nil
	}
	return &failure{Refused, fmt.Errorf("%s has no %s: %w", c.api.Host, what, errUnsupported)}
}

// orUnsupported is the error of a call of a feature: Refused, and Unsupported, if the
// server names no such feature, and so has no such route, whatever it answers. what is
// what was asked for, such as "channels".
func (c *Client) orUnsupported(err error, feature, what string) error {
	if err == nil || c.has(feature) || KindOf(err) == Broken || KindOf(err) == Busy || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	c.plain.Store(true)
	return &failure{Refused, fmt.Errorf("%s has no %s: %w (%v)", c.api.Host, what, errUnsupported, err)} //nolint:errorlint // what the lack of a route is answered with means nothing else
}
