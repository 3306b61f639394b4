package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// S3 is the parameters of an s3:// address.
type S3 struct {
	Bucket       string
	Prefix       string // without slashes at its ends; "" for the whole bucket
	Endpoint     string // an http or https URL without path; "" for Amazon
	Region       string // "" for the usual one
	PathStyle    string // "true", "false", or "" for what is usual at the endpoint
	SSE          string // "", "AES256" or "aws:kms"
	KMSKeyID     string // for "aws:kms"; "" for the account's own
	StorageClass string // "" for the bucket's
	UploadMemory int64  // bytes that all uploads together may hold, 10 MiB to 16 GiB
}

const (
	leastUploadMemory   = 10 * mebibyte // two of the smallest parts
	defaultUploadMemory = 32 * mebibyte
	mostUploadMemory    = 16 * gibibyte
)

// parseBlobs reads the place of blobs: file:DIRECTORY or
// s3://BUCKET/PREFIX?NAME=VALUE&...
func parseBlobs(c *Config, v string) error {
	if !strings.HasPrefix(v, "s3:") {
		c.S3 = S3{}
		if err := parsePlace(&c.Blobs, "file", v); err != nil {
			return fmt.Errorf("%w, or s3://BUCKET/PREFIX", err)
		}
		return nil
	}
	s, err := parseS3(v)
	if err != nil {
		return err
	}
	c.S3, c.Blobs = s, Location{Scheme: "s3", Path: strings.TrimPrefix(v, "s3:")}
	return nil
}

// WithBlobs is the same settings with another place of blobs, as written in the
// setting. The keys for S3 are those that c has.
func (c Config) WithBlobs(place string) (Config, error) {
	err := parseBlobs(&c, place)
	return c, err
}

func parseRepairFrom(c *Config, v string) error {
	if v != "" {
		if _, err := c.WithBlobs(v); err != nil {
			return err
		}
	}
	c.RepairFrom = v
	return nil
}

// RepairPlace is the same settings with the place that repair-from names as that of blobs;
// false if it names none.
func (c Config) RepairPlace() (Config, bool) {
	if c.RepairFrom == "" {
		return c, false
	}
	at, err := c.WithBlobs(c.RepairFrom)
	return at, err == nil // it was checked
}

func parseS3(v string) (S3, error) {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Scheme != "s3" || u.Host == "" || u.Fragment != "" || strings.ContainsAny(v, " \t\n\x00"):
		return S3{}, errors.New("want s3://BUCKET/PREFIX?endpoint=URL&region=NAME, the parts after the bucket are optional")
	case u.User != nil:
		return S3{}, errors.New("want no key in it: set GRANARY_S3_ACCESS_KEY_ID and GRANARY_S3_SECRET_ACCESS_KEY, or the AWS_* variables")
	case !isBucket(u.Host):
		return S3{}, errors.New("want a bucket's name after s3://, 3 to 63 of a-z, 0-9, . and -")
	}
	s := S3{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), UploadMemory: defaultUploadMemory}
	if slices.ContainsFunc(strings.Split(s.Prefix, "/"), func(part string) bool { return part == "." || part == ".." }) || strings.Contains(s.Prefix, "//") {
		return S3{}, errors.New("want a prefix without empty, . and .. parts")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return S3{}, errors.New("want NAME=VALUE after the question mark, with & between them")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if len(query[name]) > 1 {
			return S3{}, fmt.Errorf("want %s once", name)
		}
		if err := s.set(name, query.Get(name)); err != nil {
			return S3{}, err
		}
	}
	if s.KMSKeyID != "" && s.SSE != "aws:kms" {
		return S3{}, errors.New("want sse=aws:kms with sse_kms_key_id")
	}
	return s, nil
}

func (s *S3) set(name, v string) error {
	var err error
	switch name {
	case "endpoint":
		err = parseEndpoint(&s.Endpoint, v)
	case "region":
		err = parseWord(&s.Region, v)
	case "path_style":
		err = oneOf(&s.PathStyle, v, "true", "false")
	case "sse":
		err = oneOf(&s.SSE, v, "AES256", "aws:kms")
	case "sse_kms_key_id":
		err = parseWord(&s.KMSKeyID, v)
	case "storage_class":
		if err = parseWord(&s.StorageClass, v); v == "GLACIER" || v == "DEEP_ARCHIVE" {
			err = errors.New("want a class whose objects can be read at once")
		}
	case "upload_memory":
		err = parseSizeWithin(&s.UploadMemory, v, mostUploadMemory)
		if err == nil && s.UploadMemory < leastUploadMemory {
			err = fmt.Errorf("want at least %s", formatSize(leastUploadMemory))
		}
	default:
		return fmt.Errorf("there is no parameter %q; there are endpoint, region, path_style, sse, sse_kms_key_id, storage_class and upload_memory", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// parseEndpoint uses https if there is no scheme.
func parseEndpoint(to *string, v string) error {
	if !strings.Contains(v, "://") {
		v = "https://" + v
	}
	var endpoint string
	if err := parseExternalURL(&endpoint, v); err != nil {
		return errors.New("want a URL such as https://minio.example.com:9000")
	}
	if u, err := url.Parse(endpoint); err != nil || u.Path != "" {
		return errors.New("want a URL without a path, such as https://minio.example.com:9000")
	}
	*to = endpoint
	return nil
}

// parseWord accepts a value for a header.
func parseWord(to *string, v string) error {
	if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("want a word")
	}
	*to = v
	return nil
}

func parseS3Key(to *Secret, v string) error {
	var word string
	if err := parseWord(&word, v); err != nil {
		return errors.New("want the key as the store shows it")
	}
	*to = Secret(word)
	return nil
}

// isBucket is the part of Amazon's rule for names of buckets that other stores share.
func isBucket(name string) bool {
	inside := func(r rune) bool { return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' }
	return len(name) >= 3 && len(name) <= 63 && strings.Trim(name, ".-") == name &&
		!strings.ContainsFunc(name, func(r rune) bool { return !inside(r) && r != '.' && r != '-' })
}
