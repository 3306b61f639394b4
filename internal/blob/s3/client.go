package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"granary/internal/blob"
)

// client speaks to one bucket. This file, calls.go and access.go alone know the SDK, so
// that another can take its place. Its calls are small: none holds more than a part, and
// each is retried, with growing pauses, if the store was busy or the line broke and the
// call is idempotent.
type client struct {
	sdk       calls
	anyone    calls // the same, without keys
	bucket    string
	class     string          // storage class of blobs
	sse       encryption      // of all objects
	transport *http.Transport // nil if the caller gave another
	chain     *credentials.Credentials
}

const (
	tries    = 4                // of the SDK, with growing pauses
	patience = 20 * time.Second // for all tries of a call that moves no bytes
	listPage = 1000
)

func newClient(cfg Config) (*client, error) {
	endpoint, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("the endpoint is not a URL: %w", err)
	}
	if cfg.Endpoint == "" {
		endpoint = &url.URL{Scheme: "https", Host: "s3.amazonaws.com"}
	}
	c := &client{bucket: cfg.Bucket, class: cfg.StorageClass, sse: encryption{cfg.SSE, cfg.KMSKeyID}, chain: chain(cfg)}
	transport := cfg.Transport
	if transport == nil {
		c.transport = newTransport()
		transport = c.transport
	}
	options := minio.Options{
		Creds:        c.chain,
		Secure:       endpoint.Scheme == "https",
		Transport:    patient{inner: transport},
		Region:       region(cfg),
		BucketLookup: lookup(cfg.PathStyle),
		MaxRetries:   tries,
	}
	if c.sdk, err = connect(endpoint.Host, options); err == nil {
		options.Creds, options.MaxRetries = credentials.NewStatic("", "", "", credentials.SignatureAnonymous), 1
		c.anyone, err = connect(endpoint.Host, options)
	}
	if err != nil {
		return nil, fmt.Errorf("the endpoint %s: %w", cfg.Endpoint, err)
	}
	return c, nil
}

func lookup(pathStyle *bool) minio.BucketLookupType {
	switch {
	case pathStyle == nil:
		return minio.BucketLookupAuto
	case *pathStyle:
		return minio.BucketLookupPath
	}
	return minio.BucketLookupDNS
}

func (c *client) close() {
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}

// object is what the store says of an object.
type object struct {
	key     string
	size    int64 // bytes
	etag    string
	changed time.Time
}

// head looks an object up.
func (c *client) head(ctx context.Context, key string) (object, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o, err := c.sdk.stat(ctx, c.bucket, key, minio.StatObjectOptions{})
	if err != nil {
		return object{}, reason(err)
	}
	return object{key, o.Size, o.ETag, o.LastModified}, nil
}

// get begins to read the bytes of an object from one offset up to another, if it
// is still the one that head saw.
func (c *client) get(ctx context.Context, o object, from, to int64) (io.ReadCloser, error) {
	var options minio.GetObjectOptions
	err := options.SetMatchETag(o.etag)
	want := ""
	if from > 0 || to < o.size {
		err = errors.Join(err, options.SetRange(from, to-1))
		want = fmt.Sprintf("bytes %d-%d/%d", from, to-1, o.size)
	}
	if err != nil {
		return nil, err
	}
	body, got, header, err := c.sdk.get(ctx, c.bucket, o.key, options)
	if err != nil {
		return nil, reason(err)
	}
	// A store that knows no condition or no range answers with something else.
	if r := header.Get("Content-Range"); got.ETag != o.etag || r != want || want == "" && got.Size != o.size {
		return nil, errors.Join(fmt.Errorf("asked for bytes %d to %d of %d of %s, got %d of %s, %q", from, to, o.size, o.etag, got.Size, got.ETag, r), body.Close())
	}
	return body, nil
}

// remove deletes an object; a missing one is not an error.
func (c *client) remove(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := reason(c.sdk.remove(ctx, c.bucket, key, minio.RemoveObjectOptions{}))
	if errors.Is(err, blob.ErrNotFound) { // some say so when two delete at once
		return nil
	}
	return err
}

// objects lists the objects whose keys begin with a prefix.
func (c *client) objects(ctx context.Context, prefix string) iter.Seq2[object, error] {
	return c.list(ctx, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: listPage})
}

// folder is objects up to the next slash after the prefix: that of many objects is listed
// once, as a key that ends in it.
func (c *client) folder(ctx context.Context, prefix string) iter.Seq2[object, error] {
	return c.list(ctx, minio.ListObjectsOptions{Prefix: prefix, MaxKeys: listPage})
}

func (c *client) list(ctx context.Context, options minio.ListObjectsOptions) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for o := range c.sdk.list(ctx, c.bucket, options) {
			if o.Err != nil {
				yield(object{}, reason(o.Err))
				return
			}
			if !yield(object{o.Key, o.Size, o.ETag, o.LastModified}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil { // the iterator ends without a word
			yield(object{}, context.Cause(ctx))
		}
	}
}

// aim is the target of bytes.
type aim struct {
	key    string
	blob   bool // for good, and so of the blobs' storage class
	absent bool // only if the key has no object
}

func (c *client) options(a aim) minio.PutObjectOptions {
	o := minio.PutObjectOptions{DisableContentSha256: true} // it is in the signature
	if c.sse.algorithm != "" {
		o.ServerSideEncryption = c.sse
	}
	if a.blob {
		o.StorageClass = c.class
	}
	if a.absent {
		o.SetMatchETagExcept("*")
	}
	return o
}

// put stores an object of one part. The store verifies the digest.
func (c *client) put(ctx context.Context, a aim, body io.ReadSeeker, size int64, sha256 [32]byte) error {
	_, err := c.sdk.put(ctx, c.bucket, a.key, body, size, "", hex.EncodeToString(sha256[:]), c.options(a))
	return reason(err)
}

// begin starts an upload in parts. The condition is for its end: MinIO's server
// would refuse it here.
func (c *client) begin(ctx context.Context, a aim) (id string, err error) {
	a.absent = false
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = again(ctx, func() error {
		id, err = c.sdk.begin(ctx, c.bucket, a.key, c.options(a))
		return err
	})
	return id, reason(err)
}

// send uploads the n-th part, n from 0. The store verifies the digest.
func (c *client) send(ctx context.Context, key, id string, n int, body io.ReadSeeker, size int64, sha256 [32]byte) (etag string, err error) {
	p, err := c.sdk.putPart(ctx, c.bucket, key, id, n+1, body, size,
		minio.PutObjectPartOptions{Sha256Hex: hex.EncodeToString(sha256[:]), DisableContentSha256: true})
	if err == nil && p.ETag == "" {
		err = errors.New("the store gave no ETag to a part")
	}
	return p.ETag, reason(err)
}

// finish puts the parts together. If the answer is lost and the SDK retries, the
// second answer may be that there is no such upload.
func (c *client) finish(ctx context.Context, a aim, id string, etags []string) error {
	parts := make([]minio.CompletePart, len(etags))
	for n, etag := range etags {
		parts[n] = minio.CompletePart{PartNumber: n + 1, ETag: etag}
	}
	var options minio.PutObjectOptions
	if a.absent {
		options.SetMatchETagExcept("*")
	}
	_, err := c.sdk.complete(ctx, c.bucket, a.key, id, parts, options)
	return reason(err)
}

// forget ends an upload in parts; an ended one is not an error.
func (c *client) forget(ctx context.Context, key, id string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := c.sdk.abort(ctx, c.bucket, key, id)
	if gone(err) {
		return nil
	}
	return reason(err)
}

// again does what the SDK does not: it retries once if the answer began well and broke
// off. It does not retry a refusal.
func again(ctx context.Context, do func() error) error {
	err := do()
	if _, answered := errors.AsType[minio.ErrorResponse](err); err == nil || answered || ctx.Err() != nil {
		return err
	}
	return do()
}

// copyAll copies an object inside the store, up to 5 GiB.
func (c *client) copyAll(ctx context.Context, from string, to aim) error {
	header := map[string]string{}
	for name, values := range c.options(to).Header() {
		header[name] = values[0]
	}
	return reason(again(ctx, func() error {
		o, err := c.sdk.copy(ctx, c.bucket, from, c.bucket, to.key, header, minio.CopySrcOptions{}, minio.PutObjectOptions{})
		if err == nil && o.ETag == "" { // an error with the status 200
			err = errors.New("the store did not copy")
		}
		return err
	}))
}

// copyPart makes the n-th part, n from 0, of bytes that another object has.
func (c *client) copyPart(ctx context.Context, from string, offset, size int64, key, id string, n int) (etag string, err error) {
	err = again(ctx, func() error {
		p, err := c.sdk.copyPart(ctx, c.bucket, from, c.bucket, key, id, n+1, offset, size, nil)
		if etag = p.ETag; err == nil && etag == "" {
			err = errors.New("the store did not copy a part")
		}
		return err
	})
	return etag, reason(err)
}

// unfinished is an upload in parts that has not ended.
type unfinished struct {
	key, id string
	begun   time.Time
}

// uploads lists the unfinished ones below a prefix. MinIO's server lists none.
func (c *client) uploads(ctx context.Context, prefix string) iter.Seq2[unfinished, error] {
	return func(yield func(unfinished, error) bool) {
		for key, id := "", ""; ; {
			page, err := c.uploadsPage(ctx, prefix, key, id)
			if err != nil {
				yield(unfinished{}, reason(err))
				return
			}
			for _, u := range page.Uploads {
				if !yield(unfinished{u.Key, u.UploadID, u.Initiated}, nil) {
					return
				}
			}
			key, id = page.NextKeyMarker, page.NextUploadIDMarker
			if !page.IsTruncated || key == "" {
				return
			}
		}
	}
}

func (c *client) uploadsPage(ctx context.Context, prefix, key, id string) (minio.ListMultipartUploadsResult, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.sdk.uploads(ctx, c.bucket, prefix, key, id, "", listPage)
}

// moved is when the last part of an unfinished upload came.
func (c *client) moved(ctx context.Context, u unfinished) (time.Time, error) {
	last := u.begun
	for after := 0; ; {
		page, err := c.partsPage(ctx, u, after)
		if err != nil {
			return last, reason(err)
		}
		for _, p := range page.ObjectParts {
			if p.LastModified.After(last) {
				last = p.LastModified
			}
		}
		if !page.IsTruncated || page.NextPartNumberMarker <= after {
			return last, nil
		}
		after = page.NextPartNumberMarker
	}
}

func (c *client) partsPage(ctx context.Context, u unfinished, after int) (minio.ListObjectPartsResult, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.sdk.parts(ctx, c.bucket, u.key, u.id, after, listPage)
}

// link signs a GET whose answer has the headers given.
func (c *client) link(ctx context.Context, key, contentType, disposition string, life time.Duration) (string, error) {
	u, err := c.sdk.sign(ctx, c.bucket, key, life, url.Values{
		"response-content-type":        {contentType},
		"response-content-disposition": {disposition},
		"response-cache-control":       {"private, no-store"},
	})
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// encryption is what is asked of the store for each object.
type encryption struct{ algorithm, key string }

// Type implements encrypt.ServerSide.
func (e encryption) Type() encrypt.Type {
	if e.algorithm == "aws:kms" {
		return encrypt.KMS
	}
	return encrypt.S3
}

// Marshal implements encrypt.ServerSide.
func (e encryption) Marshal(h http.Header) {
	h.Set("X-Amz-Server-Side-Encryption", e.algorithm)
	if e.key != "" {
		h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", e.key)
	}
}
