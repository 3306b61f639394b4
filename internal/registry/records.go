package registry

import (
	"context"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/versions"
)

// Records is the database of the registry. Each method is one transaction, and durable
// when it returns.
type Records interface {
	Projects
	Packages
	NameLists
	Files
	Sizes
	Versions
	Deletions
	Search
	Channels
	Drafts
	Settling
	Publishing
	Counting
	Sweeping
	Checking
	Leases
	Scrubbing
	Protections
	Uploads
}

// Projects finds projects as publishing and installing see them.
type Projects interface {
	// FindPackageProject takes a decimal id or a full path, of any case, including
	// former ones. NotFound if there is no such project.
	FindPackageProject(ctx context.Context, ref string, a access.Actor) (Project, error)
	// FindPackageProjects returns those of the projects with the ids that there are, with
	// id, paths and standing only.
	FindPackageProjects(ctx context.Context, ids []int64, a access.Actor) ([]Project, error)
	// GroupPackageProjects returns the projects of a group, and if below, of its
	// subgroups, with id, full path and standing only.
	GroupPackageProjects(ctx context.Context, groupID int64, below bool, a access.Actor) ([]Project, error)
	// MemberPackageProjects returns up to limit projects in which a user has a role, in
	// them or above them, the newest first, with the same fields.
	MemberPackageProjects(ctx context.Context, a access.Actor, limit int) ([]Project, error)
}

// Packages finds and removes packages. The orders of a page are created_at, name,
// version, type, BySemver and, over several projects, project_path.
type Packages interface {
	// ListPackages returns a page. If there are more than ten thousand rows, the
	// total may be any number above that and not below the rows up to the page's end; by
	// BySemver that is bad input of the caller, which the tests of the API hold.
	ListPackages(ctx context.Context, f PackageFilter, p page.Request) (page.Of[Package], error)
	// LatestPackages returns up to limit packages that lists show, of one or more projects,
	// the newest first. Of their pipelines it returns only the ids.
	LatestPackages(ctx context.Context, projects []int64, limit int) ([]Package, error)
	FindPackage(ctx context.Context, projectID, packageID int64) (Package, error)
	// ListVersions returns up to limit listed packages of the same name except p, by
	// version as text: those that follow after, or the first if after is the zero
	// Package.
	ListVersions(ctx context.Context, p, after Package, limit int) ([]Package, error)
	// ListPipelines returns the pipelines of a package, newest first, with ids below
	// before unless that is 0.
	ListPipelines(ctx context.Context, packageID, before int64, limit int) ([]Pipeline, error)
	// RemovePackage removes a package with its files. When it returns they are gone,
	// and the name and version are free; PurgeDeleted deletes the records. It calls
	// check with the package, does nothing if that fails, and records the event that
	// check returns.
	RemovePackage(ctx context.Context, r Removed, check func(Package) (audit.Event, error)) error
}

// NameLists lists the names of packages.
type NameLists interface {
	// ListNames returns up to limit names from the cursor on, in the direction in which it
	// leads. The cursor is of this order.
	ListNames(ctx context.Context, projectID int64, c NameChoice, at *page.Cursor, limit int) (FoundNames, error)
	// FindName returns what there is of a name, also of one that no version has.
	FindName(ctx context.Context, projectID int64, name Name) (NameFacts, error)
	// CountVersions counts the files of up to limit versions of older servers, and returns
	// how many were not counted.
	CountVersions(ctx context.Context, limit int) (int, error)
	// OrderNames puts up to limit names that have changed into the orders of lists, and
	// returns how many had. Until then lists read them apart.
	OrderNames(ctx context.Context, limit int) (int, error)
}

// Sizes tells how much is kept of packages: exactly what was published before. Projects that
// are deleted, and not purged yet, are in the sums of groups and of the instance, as trash.
type Sizes interface {
	// SizesOf returns what projects, by id, keep. Those that keep nothing may be left out.
	SizesOf(ctx context.Context, projects []int64) (map[int64]Usage, error)
	// GroupSizes returns what groups, by id, keep with all groups below. Those that
	// keep nothing may be left out.
	GroupSizes(ctx context.Context, groups []int64) (map[int64]Usage, error)
	// InstanceSize returns what all projects keep.
	InstanceSize(ctx context.Context) (Usage, error)
	// SizesBelow returns up to limit parts of a group that have packages, the largest first: the
	// groups and projects directly in it; if groupID is 0, groups and users' namespaces that are
	// in no group.
	SizesBelow(ctx context.Context, groupID int64, limit int) ([]StoragePart, error)
}

// Versions are the packages of one name, in the order of versions.Key. Of two with one
// key the later created is the higher.
type Versions interface {
	// SelectVersion returns the version with this text as its name, if it can be
	// installed; else the one that the selector chooses, unless that is nil. NotFound
	// if there is none.
	SelectVersion(ctx context.Context, projectID int64, name Name, text Version, s *versions.Selector) (PackageVersion, error)
	// ChooseVersion is SelectVersion that returns only which version it is, and may have
	// it in memory.
	ChooseVersion(ctx context.Context, projectID int64, name Name, text Version, s versions.Selector) (Version, error)
	// ListInOrder returns up to limit versions that the filter lets through, the highest
	// first, or in the filter's order, after the cursor unless that is nil.
	ListInOrder(ctx context.Context, projectID int64, name Name, f VersionFilter, after *VersionCursor, limit int) ([]VersionRow, error)
	// FindVersion returns a version of any status that is not removed, without its pipeline,
	// and if audited, with its credential. NotFound if there is none.
	FindVersion(ctx context.Context, projectID int64, name Name, version Version, audited bool) (FoundVersion, error)
	// VersionFiles returns up to limit files of a package, the newest of each name, in
	// the order of their paths' bytes.
	VersionFiles(ctx context.Context, packageID int64, limit int) ([]VersionFile, error)
	// FindContent returns bytes that the database keeps. NotFound if it does not; a
	// *blob.DamageError if they are not those of the digest.
	FindContent(ctx context.Context, d blob.Digest) ([]byte, error)
	// EditVersion calls change with an installable version, stores what it changed of
	// status, yank and deprecation, and records the events that it returns. NotFound if
	// there is no such version.
	EditVersion(ctx context.Context, projectID int64, name Name, version Version, now time.Time, change func(*PackageVersion) ([]audit.Event, error)) (PackageVersion, error)
	// KeepCRC32 records the CRC-32 of bytes that are on record without it.
	KeepCRC32(ctx context.Context, d blob.Digest, crc uint32) error
	// KeyVersions computes the keys of up to limit versions of older servers, and
	// returns how many had none.
	KeyVersions(ctx context.Context, limit int) (int, error)
}

// Deletions tells what depends on versions.
type Deletions interface {
	// DoomedVersions returns up to limit versions of d that are not removed, the newest
	// first, without pipelines.
	DoomedVersions(ctx context.Context, projectID int64, d Doomed, limit int) ([]VersionRow, error)
	// StoredBy returns how many bytes of d's files no other file of the project has, and up
	// to most versions, but no drafts, that have some of the others.
	StoredBy(ctx context.Context, projectID int64, d Doomed, most int) (Stored, error)
	// LatestWithout returns what the selector latest chooses, and what it would choose if the
	// packages with these ids, at least one, were not there; "" for none.
	LatestWithout(ctx context.Context, projectID int64, name Name, without []int64) (before, after Version, err error)
	// ReleaseLinks returns up to limit links that lead to the versions, of the newest
	// releases of the project, as many as are looked at.
	ReleaseLinks(ctx context.Context, to LinkTarget, limit int) ([]ReleaseLink, error)
}

// Search finds things in all projects.
type Search interface {
	// SearchNames returns up to limit places in names of listed packages that have all terms,
	// in projects that the actor may be able to see, by project. A name is returned for each
	// place in it that begins with the longest term.
	SearchNames(ctx context.Context, a access.Actor, f NameFilter, limit int) ([]FoundPackage, error)
	// SearchProjects returns up to limit projects, that the actor may be able to see, whose
	// full path contains the text.
	SearchProjects(ctx context.Context, a access.Actor, text string, limit int) ([]FoundProject, error)
	// SearchFiles returns up to limit of the newest files with these bytes, of listed
	// packages in projects that the actor may be able to see.
	SearchFiles(ctx context.Context, a access.Actor, d blob.Digest, limit int) ([]FoundFile, error)
}

// Channels keeps the channels of packages.
type Channels interface {
	// ListChannels returns the channels of a package by name.
	ListChannels(ctx context.Context, projectID int64, name Name) ([]Channel, error)
	// MoveChannel makes a channel lead to a version that can be installed, and returns
	// that version, and whether the channel is new. It calls check with the channel as it
	// was, or nil, and the version; it does nothing if that fails, and records the event
	// that check returns. NotFound if there is no such version. Full if the package has as
	// many channels as the limit.
	MoveChannel(ctx context.Context, c Channel, most fault.Limit, check func(before *Channel, to PackageVersion) (audit.Event, error)) (PackageVersion, bool, error)
	// RemoveChannel calls event with the channel, and records what it returns. NotFound
	// if there is none.
	RemoveChannel(ctx context.Context, c Channel, event func(Channel) (audit.Event, error)) error
}

// Drafts keeps drafts, and makes versions final.
type Drafts interface {
	// FindNumber returns what the coordinates stand for. Hidden if the project is deleted.
	FindNumber(ctx context.Context, projectID int64, c Coordinates) (Number, error)
	// FindDraft returns a draft. NotFound if there is none of this name and version.
	FindDraft(ctx context.Context, projectID int64, name Name, version Version) (PackageVersion, error)
	// FinaliseVersion makes a draft, or a version that can be installed, final. It calls
	// judge with the version and the newest file of each path, in the order of paths' bytes,
	// at most VersionFilesMost and one; it does nothing if that fails, or if the version was
	// final already, which isNew says. Older files are removed, the number is reserved for
	// the manifest, and the event is recorded. NotFound if there is no such version. Conflict
	// if the number is reserved for another manifest.
	FinaliseVersion(ctx context.Context, projectID int64, name Name, version Version, judge Judge) (v PackageVersion, isNew bool, err error)
	// DiscardDraft removes a draft with its files. It calls check with the draft, does
	// nothing if that fails, and records the event that check returns. NotFound if there is
	// no draft.
	DiscardDraft(ctx context.Context, projectID int64, name Name, version Version, now time.Time, check func(Package) (audit.Event, error)) error
	// ExpireDrafts is DiscardDraft for up to limit drafts that nobody put a file into since
	// before. It returns how many there were.
	ExpireDrafts(ctx context.Context, before time.Time, limit int, now time.Time, event func(Package) audit.Event) (int, error)
}

// Settling finds the drafts that releases and ends of jobs settle.
type Settling interface {
	// HasRelease reports whether the project has a release of one of the tags.
	HasRelease(ctx context.Context, projectID int64, tags ReleaseTags) (bool, error)
	// DraftsOfJob returns up to limit drafts of which this job is JobID, the oldest first.
	DraftsOfJob(ctx context.Context, jobID int64, limit int) ([]Package, error)
	// UntieDraft makes a draft, by its package's id, not this job's any more. It does
	// nothing if the draft is another's.
	UntieDraft(ctx context.Context, packageID, jobID int64) error
	// LeftJobs returns up to limit jobs, of projects that are there, that have ended with an
	// outcome and have drafts yet of which they are JobID.
	LeftJobs(ctx context.Context, limit int) ([]LeftJob, error)
}

// Files finds and removes files of packages.
type Files interface {
	// FindFile returns the newest file at the coordinates in an installable package,
	// and its bytes if the database keeps them. NotFound if there is none. With the
	// file, a *blob.DamageError if these bytes are not those of its digest.
	FindFile(ctx context.Context, projectID int64, c Coordinates) (f File, small []byte, err error)
	// FindFileByID returns a file, and its bytes if the database keeps them; a
	// *blob.DamageError as FindFile does.
	FindFileByID(ctx context.Context, fileID int64) (f File, small []byte, err error)
	// ListFiles returns a page of a package's files. The orders are id, created_at
	// and file_name.
	ListFiles(ctx context.Context, packageID int64, p page.Request) (page.Of[PackageFile], error)
	// PageOfFiles returns the rows of ListFiles, without their pipelines and their number.
	PageOfFiles(ctx context.Context, packageID int64, p page.Request) ([]File, error)
	// RemoveFile is RemovePackage for one file. check also gets its id, name and
	// time.
	RemoveFile(ctx context.Context, r Removed, fileID int64, check func(Package, File) (audit.Event, error)) error
}

// Publishing records what was published, and when it was downloaded.
type Publishing interface {
	// PinBlob creates the row of a blob or updates its time, so that the sweep leaves
	// its bytes alone for the grace period.
	PinBlob(ctx context.Context, d blob.Digest, size int64, now time.Time) error
	// AddFile records a published file, and makes the package if it is new. With Unreleased
	// it goes Into an open version if a release of one of the tags exists. Hidden if the
	// project is deleted. Unavailable if bytes without Small are not pinned, or were swept
	// since. With Restored it records that this file has its bytes again: Unavailable if
	// the file was removed meanwhile, so that a retry publishes it anew. Unavailable, too, if
	// bytes without Small are marked as damaged: who stored them removes the mark before, or
	// stored them before others were found to be wrong.
	AddFile(ctx context.Context, p Publication) (File, error)
	// TouchDownloads adds downloads of versions on days. Those of packages that are purged are
	// left out.
	TouchDownloads(ctx context.Context, all map[PackageDay]Downloads) error
}

// Counting tells how often packages were downloaded. After 400 days a month is one day, its
// first.
type Counting interface {
	// NameDownloads returns the downloads of a name, or of a project if it is "", on these days,
	// the oldest first, without days that have none.
	NameDownloads(ctx context.Context, projectID int64, name Name, days []Day) ([]DayCount, error)
	// VersionDownloads is NameDownloads for one package.
	VersionDownloads(ctx context.Context, packageID int64, days []Day) ([]DayCount, error)
	// SumDownloads makes months of days before a month's first day, at most limit rows of each
	// kind, and returns how many days are no rows any more.
	SumDownloads(ctx context.Context, before Day, limit int) (int, error)
}

// Sweeping removes the records of what was deleted, and bytes that nothing refers to.
type Sweeping interface {
	// PurgeDeleted deletes up to limit records of each kind that were removed: packages,
	// uploads and releases with their project, packages and files alone, and the dates
	// of removed files after an hour. It returns how many it deleted, and sets the time
	// of their blobs to now.
	PurgeDeleted(ctx context.Context, limit int, now time.Time) (int, error)
	// SweepBlob picks one blob that no file refers to and that was not touched since
	// before, calls remove with its digest, and then deletes its row and its mark, in one
	// transaction: a publisher of the same bytes waits in PinBlob until the bytes are
	// gone. It reports whether it found one, and its size in bytes.
	SweepBlob(ctx context.Context, before time.Time, remove func(blob.Digest) error) (size int64, found bool, err error)
	// AskSweep requests a sweep by the server that sweeps for all, records the event,
	// and returns the request's id.
	AskSweep(ctx context.Context, e audit.Event) (id int64, err error)
}

// Scrubbing keeps how far the stored bytes are verified, and which of them are damaged.
type Scrubbing interface {
	// FindScrub returns how far the scrub is; the zero value before the first.
	FindScrub(ctx context.Context) (ScrubState, error)
	// KeepScrub records how far the scrub is.
	KeepScrub(ctx context.Context, s ScrubState) error
	// BlobsAfter returns up to limit blobs that files or uploads have, in the order of their
	// digests: those above after, or from the first if it is empty.
	BlobsAfter(ctx context.Context, after []byte, limit int) ([]StoredBlob, error)
	// MarkDamaged notes that a blob is damaged, records the event, and reports true. It
	// reports false, and records no event, if the blob is marked already, or if no file or
	// upload has it any more. A mark that is there is not Aside afterwards, unless m is.
	MarkDamaged(ctx context.Context, m DamageMark, now time.Time, e audit.Event) (bool, error)
	// SetAside notes of a mark that the store has no wrong bytes under the digest, and calls
	// remove, which sees to it, in one transaction: of two who call it, one removes. It does
	// nothing if the blob has no mark, or one that is Aside.
	SetAside(ctx context.Context, d blob.Digest, remove func() error) error
	// RemoveMark removes the mark of a blob, records the event, and reports true; it does
	// nothing if the blob has no mark, or if only one of it and m is Aside.
	RemoveMark(ctx context.Context, m DamageMark, e audit.Event) (bool, error)
	// FindMark returns the mark of a blob. NotFound if it has none.
	FindMark(ctx context.Context, d blob.Digest) (DamageMark, error)
	// MarksAfter is BlobsAfter for marks.
	MarksAfter(ctx context.Context, after []byte, limit int) ([]DamageMark, error)
	// NotAside returns up to limit digests, in their order, of marks that are not Aside.
	NotAside(ctx context.Context, limit int) ([]blob.Digest, error)
	// CountMarks returns how many blobs are marked.
	CountMarks(ctx context.Context) (int, error)
	// FilesWith returns up to limit of the newest files of packages with these bytes.
	FilesWith(ctx context.Context, d blob.Digest, limit int) ([]FileAt, error)
}

// Protections keeps protection rules.
type Protections interface {
	// ListProtections returns a page, the oldest first.
	ListProtections(ctx context.Context, projectID int64, p page.Request) (page.Of[ProtectionRule], error)
	// FindProtection returns NotFound if the project has no such rule.
	FindProtection(ctx context.Context, projectID, id int64) (ProtectionRule, error)
	// FirstNames returns the first names of a project's listed packages, at most limit.
	FirstNames(ctx context.Context, projectID int64, limit int) ([]Name, error)
	// InsertProtection returns Conflict if the project has a rule of this type and
	// pattern, and Full if it has as many rules as the limit.
	InsertProtection(ctx context.Context, rule ProtectionRule, most fault.Limit, e audit.Event) (ProtectionRule, error)
	// UpdateProtection calls change with the rule, stores the changed rule, and
	// records the event that change returns. Conflict as above.
	UpdateProtection(ctx context.Context, projectID, id int64, change func(*ProtectionRule) (audit.Event, error)) (ProtectionRule, error)
	DeleteProtection(ctx context.Context, projectID, id int64, e audit.Event) error
}

// Uploads keeps the records of uploads.
type Uploads interface {
	// AddUpload returns Full if the project has as many uploads as the limit, Hidden if
	// it is deleted, and Unavailable as AddFile does.
	AddUpload(ctx context.Context, u Upload, most fault.Limit, e audit.Event) (Upload, error)
	// FindUpload returns NotFound if there is none; with the upload, a
	// *blob.DamageError if the bytes are not those of its digest.
	FindUpload(ctx context.Context, at UploadAddress) (Upload, error)
	// ListUploads returns a page of a project's uploads, the newest first, without
	// their bytes.
	ListUploads(ctx context.Context, projectID int64, p page.Request) (page.Of[ListedUpload], error)
	// RemoveUpload removes the record, and records the event with the upload as its
	// target. NotFound if there is none. The sweep removes the bytes.
	RemoveUpload(ctx context.Context, at UploadAddress, e audit.Event) error
}
