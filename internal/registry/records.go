package registry

import (
	"context"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/page"
)

// Records is all that the registry keeps in a database. Each method is one transaction,
// and durable when it returns.
type Records interface {
	Projects
	Packages
	Files
	Publishing
	Sweeping
	Protections
	Uploads
}

// Projects finds projects as publishing and installing see them.
type Projects interface {
	// FindPackageProject takes a decimal id or a full path, of any case, old ones too.
	// NotFound where there is no such project.
	FindPackageProject(ctx context.Context, ref string, a access.Actor) (Project, error)
	// GroupPackageProjects returns the projects in a group, and below it if so asked, as
	// far as permission goes: id, full path, standing.
	GroupPackageProjects(ctx context.Context, groupID int64, below bool, a access.Actor) ([]Project, error)
}

// Packages finds packages, and removes them. Orders of a page are created_at, name,
// version, type and, over several projects, project_path.
type Packages interface {
	// ListPackages returns a page. Past ten thousand rows the total may be any
	// number above that and above what is on the page and before.
	ListPackages(ctx context.Context, f PackageFilter, p page.Request) (page.Of[Package], error)
	FindPackage(ctx context.Context, projectID, packageID int64) (Package, error)
	// ListVersions returns the listed packages of the same name but for this
	// one, by version as text: limit of them that follow after, from the first
	// where it is the zero Package.
	ListVersions(ctx context.Context, p, after Package, limit int) ([]Package, error)
	// ListPipelines returns those of a package, newest first, with ids below
	// before where that is not 0.
	ListPipelines(ctx context.Context, packageID, before int64, limit int) ([]Pipeline, error)
	// RemovePackage removes a package with its files. It is gone when RemovePackage
	// returns, and its name and version are free; the records wait for PurgeDeleted. It
	// calls check with the package, does nothing if that refuses, and records the event
	// that check returns.
	RemovePackage(ctx context.Context, r Removed, check func(Package) (audit.Event, error)) error
}

// Files finds files of packages, and removes them.
type Files interface {
	// FindFile returns the newest file at the coordinates in a package that can
	// be installed, and its bytes where the database keeps them itself.
	// NotFound where there is none. Together with the file, a *blob.DamageError
	// where these bytes are not those of its digest.
	FindFile(ctx context.Context, projectID int64, c Coordinates) (f File, small []byte, err error)
	// FindFileByID returns a file, and its bytes where the database keeps them
	// itself; a *blob.DamageError as FindFile does.
	FindFileByID(ctx context.Context, fileID int64) (f File, small []byte, err error)
	// ListFiles returns a page of a package's files. Orders are id, created_at
	// and file_name.
	ListFiles(ctx context.Context, packageID int64, p page.Request) (page.Of[PackageFile], error)
	// RemoveFile is RemovePackage for one file. check gets its id, name and time, too.
	RemoveFile(ctx context.Context, r Removed, fileID int64, check func(Package, File) (audit.Event, error)) error
}

// Publishing records what was published, and when it was downloaded.
type Publishing interface {
	// PinBlob creates or touches the row of a blob, so that the sweep leaves
	// its bytes alone for the time of grace.
	PinBlob(ctx context.Context, d blob.Digest, size int64, now time.Time) error
	// AddFile records a published file, and makes the package where it is new. Hidden if
	// the project is gone. Unavailable if bytes without Small are not pinned, or were
	// swept since. With Restored it records that this file has its bytes again:
	// Unavailable where the file was removed meanwhile, so that who tries again
	// publishes it anew.
	AddFile(ctx context.Context, p Publication) (File, error)
	// TouchDownloads records when packages, by id, were last downloaded.
	TouchDownloads(ctx context.Context, at map[int64]time.Time) error
}

// Sweeping removes the records of what is gone, and the bytes that nothing refers to.
type Sweeping interface {
	// PurgeDeleted removes up to limit records of each kind that are gone: packages,
	// uploads and releases with their project, packages and files by themselves, and
	// the dates of removed files after an hour. It reports how many it removed. Their
	// blobs are touched now.
	PurgeDeleted(ctx context.Context, limit int, now time.Time) (int, error)
	// SweepBlob picks one blob that no file refers to and that nobody touched
	// since before, calls remove with its digest, and then removes its row: in
	// one transaction, so that a publisher of the same bytes waits at its pin
	// until the bytes are gone for certain. It reports whether it found one, and
	// its size in bytes.
	SweepBlob(ctx context.Context, before time.Time, remove func(blob.Digest) error) (size int64, found bool, err error)
	// AskSweep asks the server that sweeps for all for a sweep, with its event, and
	// returns its id.
	AskSweep(ctx context.Context, e audit.Event) (id int64, err error)
}

// Protections keeps protection rules.
type Protections interface {
	// ListProtections returns a page in the order in which they were made.
	ListProtections(ctx context.Context, projectID int64, p page.Request) (page.Of[ProtectionRule], error)
	// InsertProtection fails with Conflict where the type has the pattern, and
	// with Full where the project has as many rules as the limit.
	InsertProtection(ctx context.Context, rule ProtectionRule, most fault.Limit, e audit.Event) (ProtectionRule, error)
	// UpdateProtection calls change with the rule as it is, keeps what it makes
	// of it, and records what it returns. Conflict as above.
	UpdateProtection(ctx context.Context, projectID, id int64, change func(*ProtectionRule) (audit.Event, error)) (ProtectionRule, error)
	DeleteProtection(ctx context.Context, projectID, id int64, e audit.Event) error
}

// Uploads keeps the records of uploads.
type Uploads interface {
	// AddUpload fails with Full where the project has as many as the limit, with
	// Hidden where it is gone, and with Unavailable as AddFile does.
	AddUpload(ctx context.Context, u Upload, most fault.Limit, e audit.Event) (Upload, error)
	// FindUpload returns NotFound where there is none; with the upload, a
	// *blob.DamageError where the bytes are not those of its digest.
	FindUpload(ctx context.Context, at UploadAddress) (Upload, error)
	// ListUploads returns a project's, the newest first, without their bytes.
	ListUploads(ctx context.Context, projectID int64, p page.Request) (page.Of[ListedUpload], error)
	// RemoveUpload removes the record, NotFound where there is none, and records the
	// event with the upload as its target. The bytes are left to the sweep.
	RemoveUpload(ctx context.Context, at UploadAddress, e audit.Event) error
}
