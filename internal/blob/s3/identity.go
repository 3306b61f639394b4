package s3

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"

	"granary/internal/blob"
)

// identityKey holds the identity, next to the folders of blobs.
const identityKey = "identity"

var _ blob.Identified = (*Store)(nil)

// Identity implements blob.Identified.
func (s *Store) Identity(ctx context.Context) (string, error) {
	text, err := s.client.text(ctx, s.prefix+identityKey)
	if errors.Is(err, blob.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", doing("reading the identity", err)
	}
	return strings.TrimSpace(text), nil // people may have written it
}

// SetIdentity implements blob.Identified.
func (s *Store) SetIdentity(ctx context.Context, text string) error {
	err := s.client.put(ctx, aim{key: s.prefix + identityKey}, strings.NewReader(text), int64(len(text)), sha256.Sum256([]byte(text)))
	if err != nil {
		return doing("writing the identity", err)
	}
	return nil
}

// text reads a small object.
func (c *client) text(ctx context.Context, key string) (string, error) {
	o, err := c.head(ctx, key)
	if err != nil {
		return "", err
	}
	body, err := c.get(ctx, o, 0, o.size)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(body, 1<<10))
	return string(text), errors.Join(err, body.Close())
}
