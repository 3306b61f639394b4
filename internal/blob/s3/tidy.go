package s3

import (
	"context"
	"strings"
	"time"
)

// Tidy removes bodies in tmp/ and unfinished uploads in parts. One that still
// gets parts is left alone, however long ago it began.
func (s *Store) Tidy(ctx context.Context, before time.Time) (removed int, err error) {
	for o, err := range s.client.objects(ctx, s.prefix+staging) {
		if err != nil {
			return removed, doing("listing "+staging, err)
		}
		if !o.changed.Before(before) {
			continue
		}
		if err := s.client.remove(ctx, o.key); err != nil {
			return removed, doing("removing "+o.key, err)
		}
		removed++
	}
	for u, err := range s.client.uploads(ctx, s.prefix) {
		if err != nil {
			return removed, doing("listing unfinished uploads", err)
		}
		if !s.ours(u.key) || !u.begun.Before(before) {
			continue
		}
		moved, err := s.client.moved(ctx, u)
		if gone(err) || err == nil && !moved.Before(before) {
			continue // it has ended meanwhile, or is running
		}
		if err == nil {
			err = s.client.forget(ctx, u.key, u.id)
		}
		if err != nil {
			return removed, doing("removing an unfinished upload to "+u.key, err)
		}
		removed++
	}
	return removed, nil
}

// ours reports whether an upload to the key is one of a Store's.
func (s *Store) ours(key string) bool {
	_, isBlob := s.digestOf(key)
	return isBlob || strings.HasPrefix(key, s.prefix+staging)
}
