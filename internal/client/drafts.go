package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"granary/internal/proof"
	"granary/internal/wire"
)

// MaxFiles is how many files a version may have that becomes final.
const MaxFiles = proof.MaxFiles

const statusDraft = "draft"

func draftQuery() url.Values { return url.Values{"status": {statusDraft}} }

// HasDrafts reports whether the server has named drafts in an answer. Before its first
// answer it is false.
func (c *Client) HasDrafts() bool { return c.has(wire.FeatureDrafts) }

// mayAsk refuses a request about a draft to a server that has not named drafts: an old
// GitLab ignores the parameter, and would publish.
func (c *Client) mayAsk(q call) error {
	if q.query.Get("status") == statusDraft && !c.HasDrafts() {
		return c.noDrafts()
	}
	return nil
}

func (c *Client) noDrafts() error {
	return &failure{Refused, fmt.Errorf("%s has no drafts: %w", c.api.Host, errUnsupported)}
}

// needDrafts returns an Unsupported error if the server has no drafts. A server that has
// not answered yet is asked for the project, since every answer names the features.
func (c *Client) needDrafts(ctx context.Context, project string) error {
	if c.features.Load() == nil && !c.plain.Load() {
		_, err := c.Project(ctx, project)
		if _, answered := errors.AsType[*Error](err); err != nil && !answered {
			return err
		}
	}
	if !c.HasDrafts() {
		return c.noDrafts()
	}
	return nil
}

// Draft finds the draft of a version, and its files. It is NotFound if there is none, or
// if the caller may not publish it, and Unsupported on a server without drafts.
func (c *Client) Draft(ctx context.Context, project, name, version string) (Version, error) {
	if err := c.needDrafts(ctx, project); err != nil {
		return Version{}, err
	}
	return c.whole(ctx, call{method: http.MethodGet, path: genericPath(project, name, version), query: draftQuery()})
}

// Drafts lists the drafts of a project that the caller may publish: all, or those of one
// name. It is Unsupported on a server without drafts.
func (c *Client) Drafts(ctx context.Context, project, name string) ([]Package, error) {
	if err := c.needDrafts(ctx, project); err != nil {
		return nil, err
	}
	return c.packages(ctx, project, name, "", statusDraft)
}

// Discard removes the draft of a version. It is NotFound if there is none: a published
// version stays. It is Unsupported on a server without drafts.
func (c *Client) Discard(ctx context.Context, project, name, version string) error {
	if err := c.needDrafts(ctx, project); err != nil {
		return err
	}
	return c.remove(ctx, genericPath(project, name, version), draftQuery())
}

// Published finds the version of exactly this name, also a hidden one, and its files. It
// is NotFound if there is none, and Unsupported on a server without versions as resources.
func (c *Client) Published(ctx context.Context, project, name, version string) (Version, error) {
	found, err := c.version(ctx, project, name, version)
	if status(err, http.StatusUnprocessableEntity) { // too many files for one answer
		packages, err := c.Packages(ctx, project, name, version)
		if err != nil || len(packages) == 0 {
			return Version{}, err
		}
		p := packages[len(packages)-1]
		files, err := c.Files(ctx, project, p.ID)
		return Version{Package: p, Files: files}, err
	}
	if err == nil && found.Version != version || isNoVersion(err) {
		return Version{}, noVersion(err, project, name, version)
	}
	return found, err
}

// Final is what a version became.
type Final struct {
	Package
	Files    int    // how many it has
	Size     int64  // bytes of all of them
	Manifest string // the SHA-256 of its manifest in hex
}

// Finalise makes a version final: its draft, or an open version. If it is final already
// with the same files, that is no error. hidden gives it the status hidden.
//
// With files (path and SHA-256) the version must have these and no others. If not, the
// error is Refused, and its Difference says why; the version stays as it was. It is
// Unsupported on a server without drafts.
func (c *Client) Finalise(ctx context.Context, project, name, version string, files []File, hidden bool) (Final, error) {
	q := call{method: http.MethodPost, path: genericPath(project, name, version), query: url.Values{}}
	if hidden {
		q.query.Set("status", "hidden")
	}
	manifest, err := manifestOf(files)
	if err != nil {
		return Final{}, err
	}
	if files != nil {
		sum := sha256.Sum256(manifest)
		q.form = url.Values{"manifest_sha256": {hex.EncodeToString(sum[:])}}
	}
	found, err := c.finalise(ctx, q)
	if files != nil && status(err, http.StatusConflict) {
		found, err = c.finaliseListed(ctx, q, manifest, err)
	}
	return found, c.orUnsupported(err, wire.FeatureDrafts, "drafts")
}

// finalise makes the call. The answer has all files, which are not read.
func (c *Client) finalise(ctx context.Context, q call) (Final, error) {
	var row struct {
		wire.NameVersion
		Size  int64 `json:"size"`
		Count int   `json:"files_count"`
	}
	q.most = maxVersion
	_, err := c.json(ctx, q, false, &row)
	return Final{markedPackage(row.NameVersion), row.Count, row.Size, digestOf(textOf(row.ManifestSHA256))}, err
}

// finaliseListed repeats a refused call with the whole listing, so that the server says
// which files differ. If it says nothing of files, why it refused before is the error.
func (c *Client) finaliseListed(ctx context.Context, q call, manifest []byte, before error) (Final, error) {
	q.form, q.text = nil, string(manifest)
	found, err := c.finalise(ctx, q)
	if e, ok := errors.AsType[*Error](err); ok && e.Difference == nil {
		return found, before
	}
	return found, err
}

// manifestOf is the text of a version with these files.
func manifestOf(files []File) ([]byte, error) {
	lines := make([]proof.File, len(files))
	for i, f := range files {
		lines[i].Path = f.Path
		sum, err := hex.DecodeString(f.SHA256)
		if err != nil || copy(lines[i].Digest[:], sum) != sha256.Size {
			return nil, &failure{Refused, fmt.Errorf("the SHA-256 of %s is not known", printable(f.Path))}
		}
	}
	return proof.Manifest(lines), nil
}

// CheckPaths returns a Refused error if files with these paths cannot be the content of a
// final version, as the server judges when it is made final.
func CheckPaths(paths []string) error {
	files := make([]proof.File, len(paths))
	for i, path := range paths {
		files[i].Path = path
	}
	if err := proof.Check(files); err != nil {
		return &failure{Refused, errors.New(strings.ToValidUTF8(err.Error(), "?"))}
	}
	return nil
}

// Difference is how a version differs from what was expected of it: some of the paths,
// since the server lists 100 of each kind at most.
type Difference struct {
	Missing []string // expected, and not there
	Extra   []string // there, and not expected
	Differs []string // there with other bytes
}

// paths are names of files that a server says, fit to be shown.
func (c *Client) paths(said []string) (paths []string) {
	for _, path := range said {
		paths = append(paths, c.said(path))
	}
	return paths
}
