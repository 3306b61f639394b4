package s3

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// calls are the functions of the SDK that a client needs. The SDK's own client in their place
// would bring all of its methods into the program, two megabytes: an interface reaches it, and a
// template may call any method of what one reaches, as far as the linker knows.
type calls struct {
	stat   func(ctx context.Context, bucket, key string, o minio.StatObjectOptions) (minio.ObjectInfo, error)
	get    func(ctx context.Context, bucket, key string, o minio.GetObjectOptions) (io.ReadCloser, minio.ObjectInfo, http.Header, error)
	put    func(ctx context.Context, bucket, key string, body io.Reader, size int64, md5Base64, sha256Hex string, o minio.PutObjectOptions) (minio.UploadInfo, error)
	copy   func(ctx context.Context, fromBucket, from, toBucket, to string, header map[string]string, o minio.CopySrcOptions, of minio.PutObjectOptions) (minio.ObjectInfo, error)
	remove func(ctx context.Context, bucket, key string, o minio.RemoveObjectOptions) error
	list   func(ctx context.Context, bucket string, o minio.ListObjectsOptions) iter.Seq[minio.ObjectInfo]
	sign   func(ctx context.Context, bucket, key string, life time.Duration, answer url.Values) (*url.URL, error)

	// Of uploads in parts.
	begin    func(ctx context.Context, bucket, key string, o minio.PutObjectOptions) (id string, err error)
	putPart  func(ctx context.Context, bucket, key, id string, n int, body io.Reader, size int64, o minio.PutObjectPartOptions) (minio.ObjectPart, error)
	copyPart func(ctx context.Context, fromBucket, from, toBucket, to, id string, n int, offset, size int64, header map[string]string) (minio.CompletePart, error)
	complete func(ctx context.Context, bucket, key, id string, parts []minio.CompletePart, o minio.PutObjectOptions) (minio.UploadInfo, error)
	abort    func(ctx context.Context, bucket, key, id string) error
	uploads  func(ctx context.Context, bucket, prefix, afterKey, afterID, delimiter string, most int) (minio.ListMultipartUploadsResult, error)
	parts    func(ctx context.Context, bucket, key, id string, after, most int) (minio.ListObjectPartsResult, error)

	endpoint *url.URL
	context  *credentials.CredContext // for who asks for the keys
}

// connect makes the calls to a host, with or without a port.
func connect(host string, o minio.Options) (calls, error) {
	core, err := minio.NewCore(host, &o)
	if err != nil {
		return calls{}, err
	}
	return calls{
		stat: core.StatObject, get: core.GetObject, put: core.PutObject, copy: core.CopyObject,
		remove: core.RemoveObject, list: core.ListObjectsIter, sign: core.PresignedGetObject,
		begin: core.NewMultipartUpload, putPart: core.PutObjectPart, copyPart: core.CopyObjectPart,
		complete: core.CompleteMultipartUpload, abort: core.AbortMultipartUpload,
		uploads: core.ListMultipartUploads, parts: core.ListObjectParts,
		endpoint: core.EndpointURL(), context: core.CredContext(),
	}, nil
}
