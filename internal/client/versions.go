package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"granary/internal/versions"
	"granary/internal/wire"
)

// Version is a version of a package and its newest files, by path.
type Version struct {
	Package
	ProjectID int64 // 0 if the server does not say
	Files     []File
}

// Find finds the version that a text names, as Resolve does, and its files. A server
// with selectors is asked once.
func (c *Client) Find(ctx context.Context, project, name, version string, pre bool) (Version, error) {
	found, err := c.Select(ctx, project, name, version, pre)
	if !Unsupported(err) {
		return found, err
	}
	p, err := c.Resolve(ctx, project, name, version, pre)
	if err != nil {
		return Version{}, err
	}
	files, err := c.Files(ctx, project, p.ID)
	return Version{Package: p, Files: files}, err
}

// Select is Find on a server with versions as resources. On another one the error is
// Unsupported.
//
// The server resolves its selectors. Other ranges are compared with its list of
// versions, the highest first, up to the first that is in the range.
func (c *Client) Select(ctx context.Context, project, name, version string, pre bool) (Version, error) {
	text := version
	if text == "" {
		text = Latest
	}
	found, err := c.version(ctx, project, name, text)
	_, selects := versions.ParseSelector(text)
	switch {
	case err == nil && (found.Version == text || !pre || !IsRange(text)):
		return found, nil
	case err != nil && !status(err, http.StatusNotFound) && !status(err, http.StatusBadRequest), isMissingProject(err):
		return found, err
	case err != nil && selects && !pre, !IsRange(text):
		return found, c.noVersion(err, project, name, version)
	}
	p, err := c.highest(ctx, project, name, version, pre)
	if err != nil {
		return found, err
	}
	return c.version(ctx, project, name, p.Version)
}

// version asks for one version, by its name or by a selector of internal/versions.
func (c *Client) version(ctx context.Context, project, name, version string) (Version, error) {
	var row wire.GenericVersion
	if _, err := c.get(ctx, genericPath(project, name, version), nil, &row); err != nil {
		return Version{}, c.orUnsupported(err, FeatureSelectors, "versions in its addresses")
	}
	found := Version{Package: packageOf(row), ProjectID: row.ProjectID, Files: []File{}}
	for _, f := range row.Files {
		found.Files = append(found.Files, File{Path: f.Path, Size: f.Size, SHA256: digestOf(f.SHA256)})
	}
	return found, nil
}

// isMissingProject reports a 404 that is not about a package.
func isMissingProject(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound && strings.HasPrefix(e.Message, "Project ")
}

// noVersion says in the client's own words that nothing is selected, or that no package
// can have such a name or version. If the server says more than that, its words stay.
func (c *Client) noVersion(err error, project, name, version string) error {
	return &failure{NotFound, fmt.Errorf("%s has no package %s: %w", project, strings.TrimSpace(name+" "+version), err)}
}

func packageOf(row wire.GenericVersion) Package {
	return Package{ID: row.PackageID, Name: row.Name, Version: row.Version, Status: row.Status, CreatedAt: time.Time(row.CreatedAt),
		Final: row.FinalAt != nil, Yanked: row.Yanked, YankReason: textOf(row.YankReason), Deprecation: textOf(row.Deprecated), Channels: row.Channels}
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// genericPath is the address of a package's name, of a version or of a channel. ^ is
// written %5E: some proxies unescape the whole path for the sake of one ^.
func genericPath(project, name string, below ...string) string {
	path := projectPath(project) + "/packages/generic/" + url.PathEscape(name)
	for _, part := range below {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// Versions lists the versions of a package, in no order: with their marks, if the
// server has any. Hidden ones are left out.
func (c *Client) Versions(ctx context.Context, project, name string) ([]Package, error) {
	found := []Package{}
	err := c.versionPages(ctx, project, name, func(p versionPage) bool {
		found = append(found, p.packages...)
		return true
	})
	switch {
	case Unsupported(err):
		return c.Packages(ctx, project, name, "")
	case status(err, http.StatusBadRequest), status(err, http.StatusNotFound) && !isMissingProject(err):
		return nil, nil // no package has this name
	}
	return slices.DeleteFunc(found, func(p Package) bool { return p.Status == "hidden" }), err
}

// Channels lists the channels of a package. It is Unsupported on a server without.
func (c *Client) Channels(ctx context.Context, project, name string) ([]wire.GenericChannel, error) {
	var found []wire.GenericChannel
	err := c.versionPages(ctx, project, name, func(p versionPage) bool {
		found = p.channels
		return false
	})
	return found, err
}

// versionPage is a page of the versions of a package, the highest first.
type versionPage struct {
	packages []Package
	channels []wire.GenericChannel
	last     bool
}

// versionPages asks for one page after the other until do returns false.
func (c *Client) versionPages(ctx context.Context, project, name string, do func(versionPage) bool) error {
	query := url.Values{}
	for range maxPages {
		var got wire.GenericVersions
		header, err := c.get(ctx, genericPath(project, name), query, &got)
		if err != nil {
			return c.orUnsupported(err, FeatureVersions, "list of a package's versions")
		}
		next := nextCursor(header)
		p := versionPage{channels: got.Channels, last: next == ""}
		for _, row := range got.Versions {
			p.packages = append(p.packages, packageOf(row))
		}
		if !do(p) || p.last {
			return nil
		}
		if next == query.Get("cursor") || len(p.packages) == 0 {
			break
		}
		query.Set("cursor", next)
	}
	return fmt.Errorf("the list of versions of %s does not end", name)
}

// nextCursor is that of the next page in Link, "" after the last one. Nothing else of
// the address is used: it may name another host, which the token must not reach.
func nextCursor(h http.Header) string {
	for link := range strings.SplitSeq(strings.Join(h.Values("Link"), ","), ",") {
		address, rel, _ := strings.Cut(link, ";")
		if !strings.Contains(rel, `rel="next"`) {
			continue
		}
		if u, err := url.Parse(strings.Trim(address, " <>")); err == nil {
			return u.Query().Get("cursor")
		}
	}
	return ""
}
