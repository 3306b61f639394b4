package client

import (
	"context"
	"net/http"
	"net/url"

	"granary/internal/wire"
)

// SetChannel points a channel of a package to a version, and makes the channel if there
// is none. With was it must point to that version now: else the error is Refused (412).
func (c *Client) SetChannel(ctx context.Context, project, name, channel, version, was string) error {
	q := call{method: http.MethodPut, path: genericPath(project, name, "@"+channel), form: url.Values{"version": {version}}, header: http.Header{}}
	if was != "" {
		q.header.Set("If-Match", `"`+was+`"`)
	}
	_, err := c.json(ctx, q, was != "", nil)
	return c.orUnsupported(err, wire.FeatureChannels, "channels of packages")
}

// RemoveChannel removes a channel of a package, and no version.
func (c *Client) RemoveChannel(ctx context.Context, project, name, channel string) error {
	return c.orUnsupported(c.remove(ctx, genericPath(project, name, "@"+channel), nil), wire.FeatureChannels, "channels of packages")
}

// Yank marks a version, so that no selector and no range chooses it; its exact name
// still does.
func (c *Client) Yank(ctx context.Context, project, name, version, reason string) (Package, error) {
	return c.editVersion(ctx, project, name, version, url.Values{"yanked": {"true"}, "reason": {reason}})
}

// Unyank takes the mark of Yank away.
func (c *Client) Unyank(ctx context.Context, project, name, version string) (Package, error) {
	return c.editVersion(ctx, project, name, version, url.Values{"yanked": {"false"}})
}

// Deprecate gives a version a message for all who install it; "" takes it away.
func (c *Client) Deprecate(ctx context.Context, project, name, version, message string) (Package, error) {
	return c.editVersion(ctx, project, name, version, url.Values{"deprecated": {message}})
}

func (c *Client) editVersion(ctx context.Context, project, name, version string, form url.Values) (Package, error) {
	var row wire.WholeVersion
	_, err := c.json(ctx, call{method: http.MethodPatch, path: genericPath(project, name, version), form: form}, false, &row)
	return markedPackage(row.NameVersion), c.orUnsupported(err, wire.FeatureVersions, "marks of versions")
}
