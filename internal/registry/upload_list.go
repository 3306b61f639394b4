package registry

import (
	"context"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/page"
)

// UploadAddress names an upload of a project: by its id, or if that is 0, by the
// secret and the name in its address.
type UploadAddress struct {
	ProjectID int64
	ID        int64
	Secret    string
	Name      FileName
}

// ListedUpload is an upload without its bytes, with the user who sent it.
type ListedUpload struct {
	Upload
	CreatorUsername string
	CreatorName     string
}

// ListUploads returns a project's uploads, the newest first, for maintenance: anybody
// who may upload can fill a project.
func (r *Registry) ListUploads(ctx context.Context, a access.Actor, project string, p page.Request) (page.Of[ListedUpload], error) {
	place, err := r.enter(ctx, a, project, access.ListUploads, uploadDoor(true))
	if err != nil {
		return page.Of[ListedUpload]{}, err
	}
	return r.Records.ListUploads(ctx, place.ProjectID, p)
}

// OpenUploadByID opens an upload by its id. NotFound if there is none. The caller
// closes the content.
func (r *Registry) OpenUploadByID(ctx context.Context, a access.Actor, project string, id int64) (*Content, error) {
	place, err := r.enter(ctx, a, project, access.ListUploads, uploadDoor(true))
	if err != nil {
		return nil, err
	}
	return r.openUpload(ctx, place, UploadAddress{ProjectID: place.ProjectID, ID: id})
}

// FetchUpload opens an upload by the parts of its address, for members. NotFound if
// there is none. The caller closes the content.
func (r *Registry) FetchUpload(ctx context.Context, a access.Actor, project, secret, name string) (*Content, error) {
	place, err := r.enter(ctx, a, project, access.FetchUpload, uploadDoor(true))
	if err != nil {
		return nil, err
	}
	return r.openUpload(ctx, place, UploadAddress{ProjectID: place.ProjectID, Secret: secret, Name: FileName(name)})
}

// DeleteUpload removes an upload; it sets at.ProjectID. NotFound if there is none. It
// cannot be opened from then on; the sweep removes the bytes.
func (r *Registry) DeleteUpload(ctx context.Context, a access.Actor, project string, at UploadAddress) error {
	place, err := r.enter(ctx, a, project, access.DestroyUpload, uploadDoor(true))
	if err != nil {
		return err
	}
	at.ProjectID = place.ProjectID
	return r.Records.RemoveUpload(ctx, at, audit.New(a, audit.UploadDeleted, r.Now(), place.entity()))
}
