package registry

import (
	"context"
	"errors"

	"granary/internal/access"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/page"
)

// PackageFiles returns a page of a package's files. A hidden package has none.
func (r *Registry) PackageFiles(ctx context.Context, a access.Actor, project string, id int64, p page.Request) (page.Of[PackageFile], error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return page.Of[PackageFile]{}, err
	}
	found, err := r.Records.FindPackage(ctx, place.ProjectID, id)
	if err != nil {
		return page.Of[PackageFile]{}, err
	}
	if !r.sees(a, place, found, found.Status.Listed()) {
		return page.Of[PackageFile]{}, fault.New(fault.NotFound, "")
	}
	return r.Records.ListFiles(ctx, found.ID, p)
}

// NewestFile returns the newest file of a name in an installable package, whose bytes Open
// opens. The version is an exact one. NotFound if there is none, Invalid if no file
// can have such a name.
func (r *Registry) NewestFile(ctx context.Context, a access.Actor, project string, raw Raw) (File, error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return File{}, err
	}
	c, err := naming.Parse(naming.Relaxed, raw)
	if err != nil {
		return File{}, err
	}
	f, _, err := r.Records.FindFile(ctx, place.ProjectID, c)
	if _, damaged := errors.AsType[*blob.DamageError](err); damaged {
		err = nil // it is reported when the file is opened
	}
	return f, err
}

// OpenByID opens a file of an installable package. id is the package's, or 0 for any
// package of the project. The caller closes the content.
func (r *Registry) OpenByID(ctx context.Context, a access.Actor, project string, id, fileID int64) (*Content, error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return nil, err
	}
	f, small, damaged := r.Records.FindFileByID(ctx, fileID)
	if _, ok := errors.AsType[*blob.DamageError](damaged); damaged != nil && !ok {
		return nil, damaged // damage is reported later, if the file is the project's
	}
	if id != 0 && id != f.PackageID {
		return nil, fault.New(fault.NotFound, "")
	}
	p, err := r.Records.FindPackage(ctx, place.ProjectID, f.PackageID)
	if err != nil {
		return nil, err
	}
	if !r.sees(a, place, p, p.Status.Installable()) {
		return nil, fault.New(fault.NotFound, "")
	}
	f.ProjectID = place.ProjectID
	return r.content(ctx, origin{place.FullPath, string(p.Name), string(p.Version)}, f, small, damaged)
}
