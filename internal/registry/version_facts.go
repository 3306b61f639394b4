package registry

import (
	"context"

	"granary/internal/access"
	"granary/internal/fault"
)

// VersionFacts is what there is to say about a version. Its files are those of
// PackageFiles.
type VersionFacts struct {
	VersionRow
	MayPublish     bool       // the actor may put files into the project
	Pipelines      []Pipeline // that published to it, newest first, up to factsMost
	Previous, Next *Version   // its neighbours in true order among those that lists show; nil for none
	Stored         Stored
	UsedBy         []ReleaseLink // of releases of the project, up to factsMost
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
// publish. Absent if there is none.
func (r *Registry) Version(ctx context.Context, a access.Actor, project, name, version string) (VersionFacts, error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return VersionFacts{}, err
	}
	found, err := r.Records.FindVersion(ctx, place.ProjectID, Name(name), Version(version))
	if err == nil && !r.sees(a, place, found.Package, found.Status.Installable() || found.Status.Listed()) {
		err = fault.New(fault.NotFound, "")
	}
	if err != nil {
		return VersionFacts{}, noVersion(err, Name(name), Version(version))
	}
	v := VersionFacts{VersionRow: found, MayPublish: r.may(a, place, access.PublishPackage) && checkProtection(place, a, found.Name) == nil}
	one := []Package{found.Package}
	r.complete(a, []Project{place}, one)
	v.Package = one[0]
	v.MayDelete = v.MayDelete && r.refusal(place, a, v.Package, false) == nil
	if v.Channels, err = r.channelsOf(ctx, found.PackageVersion); err != nil {
		return v, err
	}
	if v.Pipelines, err = r.Records.ListPipelines(ctx, v.ID, 0, factsMost); err != nil {
		return v, err
	}
	if v.Stored, err = r.Records.StoredBy(ctx, place.ProjectID, Doomed{IDs: []int64{v.ID}}, sharedMost); err != nil {
		return v, err
	}
	if r.may(a, place, access.ReadReleases) {
		to := LinkTarget{place.ProjectID, place.FullPath, v.Name, []Version{v.Version}, ""}
		if v.UsedBy, err = r.Records.ReleaseLinks(ctx, to, factsMost); err != nil {
			return v, err
		}
	}
	v.Previous, v.Next, err = r.neighbours(ctx, v.PackageVersion)
	return v, err
}

// sharedMost is how many versions are named that have the same bytes.
const sharedMost = 5

// neighbours are the versions just below and above one.
func (r *Registry) neighbours(ctx context.Context, v PackageVersion) (below, above *Version, err error) {
	at := &VersionCursor{Version: v.Version, ID: v.ID}
	for f, to := range map[VersionFilter]**Version{{}: &below, {Asc: true}: &above} {
		rows, err := r.Records.ListInOrder(ctx, v.ProjectID, v.Name, f, at, 1)
		if err != nil {
			return nil, nil, err
		}
		if len(rows) > 0 {
			*to = &rows[0].Version
		}
	}
	return below, above, nil
}
