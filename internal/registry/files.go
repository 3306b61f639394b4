package registry

import (
	"context"
	"errors"
	"time"

	"granary/internal/access"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/page"
)

// PackageFiles returns a page of a package's files.
func (r *Registry) PackageFiles(ctx context.Context, a access.Actor, project string, id int64, p page.Request) (page.Of[PackageFile], error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return page.Of[PackageFile]{}, err
	}
	found, err := r.Records.FindPackage(ctx, place.ProjectID, id)
	if err != nil {
		return page.Of[PackageFile]{}, err
	}
	if !found.listed() {
		return page.Of[PackageFile]{}, fault.New(fault.NotFound, "")
	}
	return r.Records.ListFiles(ctx, found.ID, p)
}

// OpenByID opens the bytes of a file of a package that can be installed, whose id
// is 0 for whichever package of the project has the file. The caller closes them.
func (r *Registry) OpenByID(ctx context.Context, a access.Actor, project string, id, fileID int64) (*Content, error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return nil, err
	}
	f, small, damaged := r.Records.FindFileByID(ctx, fileID)
	if _, ok := errors.AsType[*blob.DamageError](damaged); damaged != nil && !ok {
		return nil, damaged // damage is told only of a file that is the project's
	}
	if id != 0 && id != f.PackageID {
		return nil, fault.New(fault.NotFound, "")
	}
	p, err := r.Records.FindPackage(ctx, place.ProjectID, f.PackageID)
	if err != nil {
		return nil, err
	}
	if !p.installable() {
		return nil, fault.New(fault.NotFound, "")
	}
	f.ProjectID = place.ProjectID
	return r.content(ctx, origin{place.FullPath, string(p.Name), string(p.Version)}, f, small, damaged)
}

// lastDownload is when a package was last downloaded as far as it is not
// recorded yet, nil for not since.
func (r *Registry) lastDownload(packageID int64) *time.Time {
	r.downloads.mu.Lock()
	defer r.downloads.mu.Unlock()
	if at, ok := r.downloads.at[packageID]; ok {
		return &at
	}
	return nil
}
