package api

import (
	"granary/internal/registry"
	"granary/internal/wire"
)

// The deeds that list and delete uploads of a project: GitLab's "Markdown uploads".

func listUploads(c *call) error {
	ask := c.page(true)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Registry.ListUploads(c.r.Context(), c.actor, c.path("id"), ask)
	return listed(c, ask, found, err, listedUpload)
}

func listedUpload(u registry.ListedUpload) wire.ListedUpload {
	return wire.ListedUpload{
		ID: u.ID, Size: u.Size, Filename: string(u.Name), CreatedAt: wire.Time(u.CreatedAt),
		UploadedBy: wire.Uploader{ID: u.CreatorID, Name: u.CreatorName, Username: u.CreatorUsername},
	}
}

func getUploadByID(c *call) error {
	id, err := c.id("upload_id")
	if err != nil {
		return err
	}
	content, err := c.s.Registry.OpenUploadByID(c.r.Context(), c.actor, c.path("id"), id)
	if err != nil {
		return err
	}
	return c.sendUpload(content)
}

func fetchUpload(c *call) error {
	content, err := c.s.Registry.FetchUpload(c.r.Context(), c.actor, c.path("id"), c.path("secret"), c.path("filename"))
	if err != nil {
		return err
	}
	return c.sendUpload(content)
}

func deleteUploadByID(c *call) error {
	id, err := c.id("upload_id")
	if err != nil {
		return err
	}
	return c.deleteUpload(registry.UploadAddress{ID: id})
}

func deleteUpload(c *call) error {
	return c.deleteUpload(registry.UploadAddress{Secret: c.path("secret"), Name: registry.FileName(c.path("filename"))})
}

func (c *call) deleteUpload(at registry.UploadAddress) error {
	if err := c.s.Registry.DeleteUpload(c.r.Context(), c.actor, c.path("id"), at); err != nil {
		return err
	}
	return c.noContent()
}
