package api

import (
	"net/http"

	"granary/internal/registry"
	"granary/internal/wire"
)

func listPackageFiles(c *call) error {
	id, err := c.id("package_id")
	if err != nil {
		return err
	}
	ask := c.page(false, "id", "created_at", "file_name")
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Registry.PackageFiles(c.r.Context(), c.actor, c.path("id"), id, ask)
	return listed(c, ask, found, err, c.packageFile)
}

func (c *call) packageFile(f registry.PackageFile) wire.PackageFile {
	w := wire.PackageFile{
		ID: f.ID, PackageID: f.PackageID, CreatedAt: wire.Time(f.CreatedAt), FileName: string(f.Name), Size: f.Size,
		FileSHA256: f.Digest.String(),
	}
	for _, p := range f.Pipelines {
		w.Pipelines = append(w.Pipelines, *c.pipeline(&p))
	}
	return w
}

// fileIDs reads the ids of a package and of its file.
func (c *call) fileIDs() (packageID, fileID int64, err error) {
	if packageID, err = c.id("package_id"); err != nil {
		return 0, 0, err
	}
	fileID, err = c.id("package_file_id")
	return packageID, fileID, err
}

func downloadPackageFile(c *call) error {
	packageID, fileID, err := c.fileIDs()
	if err != nil {
		return err
	}
	return c.sendPackageFile(c.path("id"), packageID, fileID)
}

// sendPackageFile answers with a file by its id. packageID is 0 if the request does not
// name the package.
func (c *call) sendPackageFile(project string, packageID, fileID int64) error {
	content, err := c.s.Registry.OpenByID(c.r.Context(), c.actor, project, packageID, fileID)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	if c.r.Method == http.MethodGet {
		c.s.Registry.Downloaded(content.File)
	}
	return c.send(content, "application/octet-stream")
}

func deletePackageFile(c *call) error {
	packageID, fileID, err := c.fileIDs()
	if err != nil {
		return err
	}
	if err := c.s.Registry.DeletePackageFile(c.r.Context(), c.actor, c.path("id"), packageID, fileID, unmodifiedSince(c.r)); err != nil {
		return err
	}
	return c.noContent()
}
