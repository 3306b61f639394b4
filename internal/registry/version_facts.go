package registry

import (
	"context"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/versions"
)

// ReadmeName is the file that the page of a version shows.
const ReadmeName = "README.md"

// FoundVersion is a version and what stands around it.
type FoundVersion struct {
	VersionRow
	Previous, Next *Version         // its neighbours in true order among those that lists show; nil for none
	Readme         bool             // it has a file called ReadmeName
	Credential     audit.Credential // that published it first, by the audit; NoCredential if that is not known
}

// VersionFacts is what there is to say about a version.
type VersionFacts struct {
	FoundVersion            // its credential is only for actors that may read the audit
	Page         []File     // of its files
	IsLatest     bool       // the selector latest chooses it
	MayPublish   bool       // the actor may put files into the package
	Pipelines    []Pipeline // that published to it, newest first, up to factsMost
	Stored       Stored
	UsedBy       []ReleaseLink // of releases of the project, up to factsMost
	Content      *Digest       // with which the actor may make it final; nil if it may not
}

// factsMost is how many pipelines, links and the like are told of a version.
const factsMost = 20

// Stored is how many of the bytes of versions no other version of the project has. A blob
// counts once, however many of its files are the same.
type Stored struct {
	Bytes  int64         // of all blobs
	Own    int64         // of those that only these versions have
	Shared []Coordinates // some of the other versions, without drafts and file names
	More   bool          // there are more than these
}

// ReleaseLink is a link of a release that leads to a file here.
type ReleaseLink struct {
	Tag       string // of the release
	Name, URL string // of the link
}

// Version tells what there is to say about a version of any status that the actor may
// know of: one that can be installed or that lists show, and a draft if the actor may
// publish. Absent if there is none. files is the page of its files.
func (r *Registry) Version(ctx context.Context, a access.Actor, project, name, version string, files page.Request) (VersionFacts, error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return VersionFacts{}, err
	}
	found, err := r.Records.FindVersion(ctx, place.ProjectID, Name(name), Version(version), r.may(a, place, access.ReadProjectAudit))
	if err == nil && !r.sees(a, place, found.Package, onPages(found.Status)) {
		err = fault.New(fault.NotFound, "")
	}
	if err != nil {
		return VersionFacts{}, noVersion(err, Name(name), Version(version))
	}
	v := VersionFacts{FoundVersion: found, MayPublish: r.may(a, place, access.PublishPackage) && checkProtection(place, a, found.Name) == nil}
	one := []Package{found.Package}
	r.complete(a, []Project{place}, one)
	v.Package = one[0]
	v.MayDelete = v.MayDelete && r.refusal(place, a, v.Package, false) == nil
	err = r.describe(ctx, a, place, &v, files)
	return v, err
}

// onPages reports whether pages show a version with this status to those who may list
// packages.
func onPages(s Status) bool { return s.Installable() || s.Listed() }

// describe reads what Version tells besides the version itself.
func (r *Registry) describe(ctx context.Context, a access.Actor, place Project, v *VersionFacts, files page.Request) (err error) {
	if err = r.filesOf(ctx, a, place, v, files); err != nil {
		return err
	}
	if v.Pipelines, err = r.Records.ListPipelines(ctx, v.ID, 0, factsMost); err != nil {
		return err
	}
	if len(v.Pipelines) > 0 {
		v.Pipeline = &v.Pipelines[0]
	}
	if v.Stored, err = r.Records.StoredBy(ctx, place.ProjectID, Doomed{IDs: []int64{v.ID}}, sharedMost); err != nil {
		return err
	}
	if r.may(a, place, access.ReadReleases) {
		to := LinkTarget{place.ProjectID, place.FullPath, v.Name, []Version{v.Version}, ""}
		if v.UsedBy, err = r.Records.ReleaseLinks(ctx, to, factsMost); err != nil {
			return err
		}
	}
	latest, err := r.Records.ChooseVersion(ctx, place.ProjectID, v.Name, latestText, versions.Selector{Latest: true})
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	v.IsLatest = latest == v.Version
	return err
}

// Locate tells which version a package is, for an actor that may see the page of the
// version. Absent if there is no such package.
func (r *Registry) Locate(ctx context.Context, a access.Actor, project string, id int64) (Name, Version, error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return "", "", err
	}
	p, err := r.Records.FindPackage(ctx, place.ProjectID, id)
	if err != nil {
		return "", "", err
	}
	if !r.sees(a, place, p, onPages(p.Status)) {
		return "", "", fault.New(fault.Absent, "Package not found")
	}
	return p.Name, p.Version, nil
}

// sharedMost is how many versions are named that have the same bytes.
const sharedMost = 5
