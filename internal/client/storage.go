package client

import (
	"context"
	"net/url"

	"granary/internal/wire"
)

// Storage is what a place keeps, and its largest parts.
type Storage = wire.Storage

// ProjectStorage returns what a project keeps. Its parts are packages.
func (c *Client) ProjectStorage(ctx context.Context, project string) (Storage, error) {
	return c.storage(ctx, projectPath(project))
}

// GroupStorage returns what a group keeps, with all that is below it.
func (c *Client) GroupStorage(ctx context.Context, group string) (Storage, error) {
	return c.storage(ctx, "/groups/"+url.PathEscape(group))
}

// InstanceStorage returns what all projects keep. It is for administrators.
func (c *Client) InstanceStorage(ctx context.Context) (Storage, error) { return c.storage(ctx, "") }

// storage is Unsupported by servers without these sums.
func (c *Client) storage(ctx context.Context, place string) (s Storage, err error) {
	_, err = c.get(ctx, place+"/storage", nil, &s)
	return s, c.orUnsupported(err, wire.FeatureStorage, "sums of what is kept")
}
