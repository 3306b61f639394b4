package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"granary/internal/blob/disk"
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

// refuseWithinPlace refuses a place of backups within another, whose notes would be mixed with its
// own, and within the store or the data directory of any server, with which it would be lost. A
// prefix or directory that may not be looked at counts as none.
func refuseWithinPlace(ctx context.Context, place config.Config) error {
	refusal := func(outer any, what string) error {
		return fmt.Errorf("%s is in %v, which %s; name a place outside of it", place.Blobs, outer, what)
	}
	if place.Blobs.Scheme != "file" {
		for outer := place; outer.S3.Prefix != ""; {
			above := strings.TrimSuffix(outer.S3.Prefix, "/")
			outer.S3.Prefix = above[:max(strings.LastIndexByte(above, '/'), 0)]
			store, err := openSource(ctx, outer)
			if err != nil {
				continue
			}
			_, has, _ := readMarker(store.Note(ctx, markerNote))
			identity, _ := readIdentity(store.Note(ctx, identityNote))
			closeStore(store)
			if at := fmt.Sprintf("s3://%s/%s", outer.S3.Bucket, outer.S3.Prefix); has {
				return refusal(at, isPlace)
			} else if identity != "" {
				return refusal(at, isStore)
			}
		}
		return nil
	}
	at, err := resolved(place.Blobs.Path)
	if err != nil {
		return err
	}
	for dir := filepath.Dir(at); ; dir = filepath.Dir(dir) {
		if _, has, _ := readMarker(disk.NoteIn(dir, markerNote)); has {
			return refusal(dir, isPlace)
		}
		if identity, _ := readIdentity(disk.NoteIn(dir, identityNote)); identity != "" {
			return refusal(dir, isStore)
		}
		if isDataDirectory(dir) {
			return refusal(dir, "is a server's data directory")
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// isDataDirectory reports whether a directory has the lock of a server and its blobs. A lock alone
// may be that of a database which has no directory of its own.
func isDataDirectory(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, lockName))
	identity, _ := readIdentity(disk.NoteIn(filepath.Join(dir, "blobs"), identityNote))
	return err == nil && identity != ""
}

// What a place must not be in.
const (
	isPlace = "is a place of backups itself"
	isStore = "is a server's store"
)

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
		if errors.Is(err, fs.ErrNotExist) && link == nil {
			return "", fmt.Errorf("cannot follow the path %s: %s is a symbolic link to something that is not there", path, at)
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return "", fmt.Errorf("cannot follow the path %s: %w", path, plain(err))
		}
		end = filepath.Join(filepath.Base(at), end)
	}
}
