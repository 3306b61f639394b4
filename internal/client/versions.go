package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"granary/internal/versions"
	"granary/internal/wire"
)

const maxVersion = 128 << 20 // bytes of a version's JSON: of 10,000 files with long names

// Version is a version of a package and its newest files, by path.
type Version struct {
	Package
	ProjectID int64 // 0 if the server does not say
	Files     []File
	Manifest  string    // the SHA-256 of its manifest in hex; "" until it is final
	ExpiresAt time.Time // when a draft is discarded if nobody touches it; else zero
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
	text := cmp.Or(version, Latest)
	found, err := c.version(ctx, project, name, text)
	_, selects := versions.ParseSelector(text)
	switch {
	case err == nil && (found.Version == text || !pre || !IsRange(text)):
		return found, nil
	case status(err, http.StatusUnprocessableEntity):
		return c.large(ctx, project, name, version, pre)
	case err != nil && !isNoVersion(err):
		return found, err
	case err != nil && selects && !pre, !IsRange(text):
		return found, noVersion(err, project, name, version)
	}
	p, err := c.highest(ctx, project, name, version, pre)
	if err != nil {
		return found, err
	}
	return c.Select(ctx, project, name, p.Version, false)
}

// version asks for one version, by its name or by a selector of internal/versions.
func (c *Client) version(ctx context.Context, project, name, version string) (Version, error) {
	if err := c.isPlain("selectors of versions"); err != nil {
		return Version{}, err
	}
	found, err := c.whole(ctx, call{method: http.MethodGet, path: genericPath(project, name, version)})
	if err == nil && !c.has(wire.FeatureSelectors) {
		err = errNameless
	}
	if err != nil {
		return Version{}, c.orUnsupported(err, wire.FeatureSelectors, "selectors of versions")
	}
	return found, nil
}

// whole makes a call whose answer is a version with its files.
func (c *Client) whole(ctx context.Context, q call) (Version, error) {
	var row struct {
		wire.WholeVersion
		ExpiresAt *wire.Time `json:"expires_at"` // of a draft
	}
	q.most = maxVersion
	if _, err := c.json(ctx, q, false, &row); err != nil {
		return Version{}, err
	}
	found := Version{Package: markedPackage(row.NameVersion), ProjectID: row.ProjectID, Files: []File{}, Manifest: digestOf(textOf(row.ManifestSHA256))}
	if row.ExpiresAt != nil {
		found.ExpiresAt = time.Time(*row.ExpiresAt)
	}
	for _, f := range row.Files {
		found.Files = append(found.Files, File{Path: f.Path, Size: f.Size, SHA256: digestOf(f.SHA256)})
	}
	return found, nil
}

// HasVersion reports whether a package has a version of exactly this name.
func (c *Client) HasVersion(ctx context.Context, project, name, version string) (bool, error) {
	found, err := c.version(ctx, project, name, version)
	switch {
	case Unsupported(err):
		there, err := c.Packages(ctx, project, name, version)
		return len(there) > 0, err
	case isNoVersion(err):
		return false, nil
	case status(err, http.StatusUnprocessableEntity):
		return true, nil
	}
	return found.Version == version, err
}

// large is Select for a version with more files than the server shows at once.
func (c *Client) large(ctx context.Context, project, name, version string, pre bool) (Version, error) {
	all, err := c.Versions(ctx, project, name)
	if err != nil {
		return Version{}, err
	}
	chosen, err := Choose(all, cmp.Or(version, Latest), pre)
	if err != nil {
		return Version{}, err
	}
	p := chosen[len(chosen)-1]
	if IsRange(version) && p.Version != version {
		if p, err = Highest(all, version, pre); err != nil {
			return Version{}, err
		}
	}
	files, err := c.Files(ctx, project, p.ID)
	return Version{Package: p, Files: files}, err
}

// isNoVersion reports an answer that says that there is no such version, or that no
// version has such a name. Other words of a 404 are about the project.
func isNoVersion(err error) bool {
	e, ok := errors.AsType[*Error](err)
	noThing := ok && e.Status == http.StatusNotFound && e.Message != "" && !strings.HasSuffix(e.Message, "Not Found") && !e.Unescaped
	return noThing || ok && e.Status == http.StatusBadRequest
}

// noVersion says in words that do not depend on the server that nothing is selected.
func noVersion(err error, project, name, version string) error {
	text := fmt.Sprintf("%s, package %s: no version is in the range %s", project, name, version)
	switch e, _ := errors.AsType[*Error](err); {
	case version == "" || version == Latest:
		text = fmt.Sprintf("%s has no package %s, or none of its versions can be the latest", project, name)
	case strings.HasPrefix(version, "@"):
		text = project + ": " + e.Message
	case !IsRange(version):
		text = fmt.Sprintf("%s has no package %s %s", project, name, version)
	}
	return &failure{NotFound, errors.New(text)}
}

func markedPackage(row wire.NameVersion) Package {
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
// server has any. Neither has hidden ones.
func (c *Client) Versions(ctx context.Context, project, name string) ([]Package, error) {
	found := []Package{}
	err := c.versionPages(ctx, project, name, func(p versionPage) bool {
		found = append(found, p.packages...)
		return true
	})
	switch {
	case Unsupported(err):
		return c.Packages(ctx, project, name, "")
	case isNoVersion(err):
		return nil, nil // no package has this name
	}
	return found, err
}

// Channels lists the channels of a package. It is Unsupported on a server without.
func (c *Client) Channels(ctx context.Context, project, name string) ([]wire.Channel, error) {
	var found []wire.Channel
	err := c.versionPages(ctx, project, name, func(p versionPage) bool {
		found = p.channels
		return false
	})
	if isNoVersion(err) {
		err = &failure{NotFound, fmt.Errorf("%s has no package %s", project, name)}
	}
	return found, err
}

// versionPage is a page of the versions of a package, the highest first.
type versionPage struct {
	packages []Package
	channels []wire.Channel
	last     bool
}

// versionPages asks for one page after the other until do returns false.
func (c *Client) versionPages(ctx context.Context, project, name string, do func(versionPage) bool) error {
	if err := c.isPlain("list of a package's versions"); err != nil {
		return err
	}
	query := url.Values{}
	for range maxPages {
		var got wire.NameVersions
		header, err := c.get(ctx, genericPath(project, name), query, &got)
		if err == nil && !c.has(wire.FeatureVersions) {
			err = errNameless
		}
		if err != nil {
			return c.orUnsupported(err, wire.FeatureVersions, "list of a package's versions")
		}
		next := nextCursor(header)
		p := versionPage{channels: got.Channels, last: next == ""}
		for _, row := range got.Versions {
			p.packages = append(p.packages, markedPackage(row))
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
