package s3

import (
	"context"
	"errors"

	"granary/internal/blob"
)

// aside is the folder of blobs that were set aside, each named by the digest that it
// should have.
const aside = "damaged/"

var _ blob.Quarantiner = (*Store)(nil)

// Quarantine copies the blob's object inside the store.
func (s *Store) Quarantine(ctx context.Context, d blob.Digest) (remove func() error, err error) {
	o, err := s.client.head(ctx, s.key(d))
	if errors.Is(err, blob.ErrNotFound) {
		return func() error { return nil }, nil
	}
	if err == nil {
		err = s.copy(ctx, o.key, aim{key: s.prefix + aside + d.String(), blob: true}, o.size)
	}
	if err != nil {
		return nil, doing("setting "+d.String()+" aside", err)
	}
	return func() error {
		if err := s.client.remove(ctx, o.key); err != nil {
			return doing("setting "+d.String()+" aside", err)
		}
		return nil
	}, nil
}
