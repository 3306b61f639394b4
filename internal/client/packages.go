package client

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"granary/internal/wire"
)

// Package is one version of a package.
type Package struct {
	ID        int64
	Name      string
	Version   string
	Status    string
	CreatedAt time.Time
	WebURL    string // its page; "" where the server names none

	// Of granary's alone, and only if Find, Select or Versions returned the package:
	Final       bool     // its files never change
	Yanked      bool     // no selector and no range chooses it
	YankReason  string   // may be ""
	Deprecation string   // what to use instead, "" if it is not deprecated
	Channels    []string // that point to it
}

// File is a file of a package: of several that were published under one name,
// the newest.
type File struct {
	ID        int64
	Path      string // with slashes if it is in directories
	Size      int64  // bytes; -1 if the server does not say (Stat)
	SHA256    string // in hex; "" where the server does not know it
	CreatedAt time.Time
	Older     []int64 // ids of what was published under this name before
}

// Packages lists the generic packages of a project, oldest first: all of them,
// those of one name, or one version of it.
func (c *Client) Packages(ctx context.Context, project, name, version string) ([]Package, error) {
	return c.packages(ctx, project, name, version, "")
}

// HiddenPackages lists as Packages does what was published with the status
// hidden: Packages does not show it, though its files can be installed. Files
// does not list those of a hidden package.
func (c *Client) HiddenPackages(ctx context.Context, project, name, version string) ([]Package, error) {
	return c.packages(ctx, project, name, version, "hidden")
}

func (c *Client) packages(ctx context.Context, project, name, version, status string) ([]Package, error) {
	query := url.Values{"package_type": {"generic"}}
	if status != "" {
		query.Set("status", status)
	}
	if version != "" {
		query.Set("package_version", version)
	}
	var rows []wire.Package
	var err error
	if path := projectPath(project) + "/packages"; name == "" {
		rows, err = List[wire.Package](ctx, c, path, query)
	} else {
		query.Set("package_name", name) // finds longer names too
		rows, err = c.named(ctx, path, name, query)
	}
	if err != nil {
		return nil, err
	}
	found := []Package{}
	for _, r := range rows {
		if r.PackageType != "generic" || name != "" && r.Name != name || version != "" && r.Version != version ||
			status != "" && r.Status != status {
			continue
		}
		found = append(found, c.packageOf(r))
	}
	return found, nil
}

// Package asks for a version by its id.
func (c *Client) Package(ctx context.Context, project string, id int64) (Package, error) {
	var row wire.Package
	_, err := c.get(ctx, packagePath(project, id), nil, &row)
	return c.packageOf(row), err
}

func (c *Client) packageOf(r wire.Package) Package {
	p := Package{ID: r.ID, Name: r.Name, Version: r.Version, Status: r.Status, CreatedAt: time.Time(r.CreatedAt)}
	if r.Links.WebPath != "" {
		p.WebURL = c.api.Scheme + "://" + c.api.Host + r.Links.WebPath
	}
	return p
}

// Files lists the files of a package by name.
func (c *Client) Files(ctx context.Context, project string, packageID int64) ([]File, error) {
	rows, err := List[wire.PackageFile](ctx, c, packagePath(project, packageID)+"/package_files", nil)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b wire.PackageFile) int { return cmp.Compare(b.ID, a.ID) })
	byPath := map[string]*File{}
	for _, r := range rows {
		path := decodeName(r.FileName)
		if newer := byPath[path]; newer != nil {
			newer.Older = append(newer.Older, r.ID)
			continue
		}
		byPath[path] = &File{ID: r.ID, Path: path, Size: r.Size, SHA256: digestOf(r.FileSHA256), CreatedAt: time.Time(r.CreatedAt)}
	}
	files := make([]File, 0, len(byPath))
	for _, f := range byPath {
		files = append(files, *f)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// ProtectionRules lists the roles that may publish and delete packages of protected
// names in a project. It returns Denied or NotFound if the caller is not a maintainer.
func (c *Client) ProtectionRules(ctx context.Context, project string) ([]wire.ProtectionRule, error) {
	return List[wire.ProtectionRule](ctx, c, projectPath(project)+"/packages/protection/rules", nil)
}

// decodeName undoes how a file in directories is listed: percent-encoded as one
// word (contract generic-packages 2.4). A name without directories has no
// percent sign.
func decodeName(stored string) string {
	if path, err := url.PathUnescape(stored); err == nil {
		return path
	}
	return stored
}

// DeletePackage removes a version with all its files.
func (c *Client) DeletePackage(ctx context.Context, project string, packageID int64) error {
	return c.remove(ctx, packagePath(project, packageID), nil)
}

// DeleteFile removes a file, and what was published under its name before.
func (c *Client) DeleteFile(ctx context.Context, project string, packageID int64, f File) error {
	for _, id := range append(slices.Clone(f.Older), f.ID) { // the newest last: no older one shows meanwhile
		path := packagePath(project, packageID) + "/package_files/" + strconv.FormatInt(id, 10)
		if err := c.remove(ctx, path, nil); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes. Gone at the second attempt means that the first one did it.
func (c *Client) remove(ctx context.Context, path string, query url.Values) error {
	return c.retry(ctx, func(attempt int) error {
		_, err := c.jsonOnce(ctx, call{method: http.MethodDelete, path: path, query: query}, nil)
		if attempt > 0 && KindOf(err) == NotFound {
			return nil
		}
		return err
	})
}

func packagePath(project string, id int64) string {
	return projectPath(project) + "/packages/" + strconv.FormatInt(id, 10)
}
