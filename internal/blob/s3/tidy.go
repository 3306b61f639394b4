package s3

import (
	"context"
	"iter"
	"strings"
	"time"
)

// Tidy removes bodies in tmp/ and unfinished uploads in parts. One that still
// gets parts is left alone, however long ago it began.
func (s *Store) Tidy(ctx context.Context, before time.Time) (removed int, err error) {
	for l, err := range s.left(ctx, before) {
		if err != nil {
			return removed, err
		}
		if l.upload == "" {
			if err := s.client.remove(ctx, l.key); err != nil {
				return removed, doing("removing "+l.key, err)
			}
		} else if err := s.client.forget(ctx, l.key, l.upload); err != nil {
			return removed, doing("removing an unfinished upload to "+l.key, err)
		}
		removed++
	}
	return removed, nil
}

// Left implements blob.Tidier.
func (s *Store) Left(ctx context.Context, before time.Time) (n int, err error) {
	for _, err := range s.left(ctx, before) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// leftover is the rest of an upload that was cut short: a body in tmp/, or if upload is
// not "", an upload in parts.
type leftover struct{ key, upload string }

// left walks the rests of uploads without progress since before, and ends at the first
// error.
func (s *Store) left(ctx context.Context, before time.Time) iter.Seq2[leftover, error] {
	return func(yield func(leftover, error) bool) {
		for o, err := range s.client.objects(ctx, s.prefix+staging) {
			if err != nil {
				yield(leftover{}, doing("listing "+staging, err))
				return
			}
			if o.changed.Before(before) && !yield(leftover{key: o.key}, nil) {
				return
			}
		}
		for u, err := range s.client.uploads(ctx, s.prefix) {
			if err != nil {
				yield(leftover{}, doing("listing unfinished uploads", err))
				return
			}
			if !s.ours(u.key) || !u.begun.Before(before) {
				continue
			}
			moved, err := s.client.moved(ctx, u)
			if gone(err) || err == nil && !moved.Before(before) {
				continue // it has ended meanwhile, or is running
			}
			if err != nil {
				yield(leftover{}, doing("looking at an unfinished upload to "+u.key, err))
				return
			}
			if !yield(leftover{u.key, u.id}, nil) {
				return
			}
		}
	}
}

// ours reports whether an upload to the key is one of a Store's.
func (s *Store) ours(key string) bool {
	_, isBlob := s.digestOf(key)
	return isBlob || strings.HasPrefix(key, s.prefix+staging) || strings.HasPrefix(key, s.prefix+aside)
}
