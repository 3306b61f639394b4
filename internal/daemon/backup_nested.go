package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"granary/internal/config"
)

// refuseNested refuses a place of backups within what belongs to a server, and the other way
// round: each would take the files of the other for its own, or be lost with it.
func refuseNested(place, server config.Config) error {
	if place.Blobs.Scheme != "file" {
		return refuseNestedPrefix(place, server)
	}
	at, err := resolved(place.Blobs.Path)
	if err != nil {
		return err
	}
	for _, own := range []struct{ what, path string }{{"store of the server", storeDirectory(server)}, {"data directory", server.DataDir}} {
		if own.path == "" {
			continue
		}
		theirs, err := resolved(own.path)
		if err != nil {
			return err
		}
		if within(at, theirs) {
			return fmt.Errorf("%s is in the %s, %s; name a place outside of it", place.Blobs, own.what, own.path)
		}
		if within(theirs, at) {
			return fmt.Errorf("the %s, %s, is in %s; name a place that does not hold it", own.what, own.path, place.Blobs)
		}
	}
	return nil
}

// refuseNestedPrefix is refuseNested for two prefixes of one bucket.
func refuseNestedPrefix(place, server config.Config) error {
	at, theirs := place.S3, server.S3
	if server.Blobs.Scheme != place.Blobs.Scheme || at.Bucket != theirs.Bucket || at.Endpoint != theirs.Endpoint {
		return nil
	}
	if within("/"+at.Prefix, "/"+theirs.Prefix) {
		return fmt.Errorf("%s is in the store of the server, %s; name a prefix beside it, or another bucket", place.Blobs, server.Blobs)
	}
	if within("/"+theirs.Prefix, "/"+at.Prefix) {
		return fmt.Errorf("the store of the server, %s, is in %s; name a prefix beside it, or another bucket", server.Blobs, place.Blobs)
	}
	return nil
}

// storeDirectory is "" for a store in a bucket.
func storeDirectory(server config.Config) string {
	if server.Blobs.Scheme != "file" {
		return ""
	}
	return server.Blobs.Path
}

// within reports whether a path is below a directory. The same path is not: a store that is
// the place itself has words of its own.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != "." && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// resolved is an absolute path without symbolic links, of which the end need not be there yet.
func resolved(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	end := ""
	for at := path; ; at = filepath.Dir(at) {
		real, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Join(real, end), nil
		}
		_, link := os.Lstat(at)
		if !errors.Is(err, fs.ErrNotExist) || link == nil || at == filepath.Dir(at) {
			return "", fmt.Errorf("cannot follow the path %s: %w", path, plain(err))
		}
		end = filepath.Join(filepath.Base(at), end)
	}
}
