// Package s3 keeps blobs in a bucket of any store that speaks Amazon's S3 API.
//
// A store is a bucket, or the objects below a prefix in one, laid out as package disk
// lays out its folder:
//
//	ab/ab12...   a blob: 64 hexadecimal digits, below the first two
//	tmp/...      bodies whose digest is not known yet, and notes of several parts
//	damaged/...  blobs whose bytes are wrong, set aside
//	...          a note: any other object whose key is a note's name
//
// Nothing is kept on a local disk. docs/design/012-s3.md explains uploads, memory and
// links.
package s3

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"granary/internal/blob"
)

// Config is the bucket's address and how to use it.
type Config struct {
	Bucket          string
	Prefix          string // without slashes at its ends; "" for the whole bucket
	Endpoint        string // an http or https URL; "" for Amazon
	Region          string // "" for the environment's AWS_REGION, or the store's usual one
	PathStyle       *bool  // the bucket in the path (true) or in the host name; nil for what is usual at the endpoint
	SSE             string // "", "AES256" or "aws:kms"
	KMSKeyID        string // for "aws:kms", "" for the account's own
	StorageClass    string // of blobs; "" for the bucket's
	AccessKeyID     string // with SecretAccessKey; "" for the usual chain: AWS_* variables, credentials file, role
	SecretAccessKey string
	UploadMemory    int64 // bytes for all uploads together, at least LeastMemory; 0 for 32 MiB

	// LinkLife is how long a link holds, at most the 7 days that a signature can;
	// 0 for an hour.
	LinkLife time.Duration

	// Transport is asked in place of a connection of the store's own, for
	// tests that break it.
	Transport http.RoundTripper
}

// LeastMemory is the least UploadMemory: two of the smallest parts.
const LeastMemory = 2 * leastPart

const (
	// With the 2 MiB that blob.Receive holds for each, and what waits for the
	// garbage collector, eight uploads at once stay below 64 MiB.
	defaultMemory = 32 << 20
	linkLife      = time.Hour
	staging       = "tmp/"
)

var (
	_ blob.Store  = (*Store)(nil)
	_ blob.Linker = (*Store)(nil)
	_ blob.Tidier = (*Store)(nil)
)

// Store is a blob.Store in a bucket. Make one with Open. Any number of them, in
// any number of processes, may use the same bucket.
type Store struct {
	client   *client
	prefix   string // "" or ending in "/"
	memory   *memory
	linkLife time.Duration

	copyStep int64 // bytes that one server-side copy takes; smaller in tests
}

// Open connects to a bucket, which must be there. The error is one line that
// says what to do.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client: c, prefix: cfg.Prefix, memory: newMemory(cfg.UploadMemory),
		linkLife: cmp.Or(cfg.LinkLife, linkLife), copyStep: 128 << 20,
	}
	if s.prefix != "" {
		s.prefix += "/"
	}
	if err := c.check(ctx, s.prefix); err != nil {
		c.close()
		return nil, err
	}
	return s, nil
}

// Close closes idle connections.
func (s *Store) Close() error {
	s.client.close()
	return nil
}

// Open requests the blob's size; the first Read requests the bytes, from the offset of
// the last Seek.
func (s *Store) Open(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, error) {
	o, err := s.client.head(ctx, s.key(d))
	if err != nil {
		return nil, doing("opening "+d.String(), err)
	}
	return &reader{ctx: ctx, client: s.client, key: s.key(d), object: o}, nil
}

// Stat is the size of the blob's object.
func (s *Store) Stat(ctx context.Context, d blob.Digest) (int64, error) {
	o, err := s.client.head(ctx, s.key(d))
	if err != nil {
		return 0, doing("looking up "+d.String(), err)
	}
	return o.size, nil
}

// Delete removes the blob's object.
func (s *Store) Delete(ctx context.Context, d blob.Digest) error {
	if err := s.client.remove(ctx, s.key(d)); err != nil {
		return doing("deleting "+d.String(), err)
	}
	return nil
}

// List asks for a thousand objects at a time, and ends at the first error. What
// is not named as a blob would be is not listed.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	at := s.prefix + prefix
	if len(prefix) >= 2 {
		at = s.prefix + prefix[:2] + "/" + prefix
	}
	return func(yield func(blob.Info, error) bool) {
		for o, err := range s.client.objects(ctx, at) {
			if err != nil {
				yield(blob.Info{}, doing("listing", err))
				return
			}
			if d, ok := s.digestOf(o.key); ok && !yield(blob.Info{Digest: d, Size: o.size, Changed: o.changed}, nil) {
				return
			}
		}
	}
}

// Link is a presigned URL that holds for LinkLife, or for as long as the keys of a
// role that signed it. It names the key, not the secret.
func (s *Store) Link(ctx context.Context, d blob.Digest, contentType, disposition string) (string, error) {
	url, err := s.client.link(ctx, s.key(d), contentType, disposition, s.linkLife)
	if err != nil {
		return "", doing("signing a link to "+d.String(), err)
	}
	return url, nil
}

func (s *Store) key(d blob.Digest) string {
	name := d.String()
	return s.prefix + name[:2] + "/" + name
}

// digestOf reads the key of an object that holds a blob.
func (s *Store) digestOf(key string) (blob.Digest, bool) {
	_, name, _ := strings.Cut(strings.TrimPrefix(key, s.prefix), "/")
	d, err := blob.ParseDigest(name)
	return d, err == nil && key == s.key(d)
}

// doing adds to an error what was being done.
func doing(what string, err error) error { return fmt.Errorf("s3: %s: %w", what, err) }
