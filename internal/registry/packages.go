package registry

import (
	"context"
	"iter"
	"slices"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/page"
)

// Package is a name and a version with its files.
type Package struct {
	ID               int64
	ProjectID        int64
	Name             Name
	Version          Version
	Status           Status
	CreatorID        int64 // 0 if a deploy token published it first
	CreatedAt        time.Time
	UpdatedAt        time.Time
	LastDownloadedAt *time.Time
	Downloads        int64      // of its files
	FinalAt          *time.Time // nil: files may still be added
	JobID            int64      // of a draft: the last job that has put files into it without asking for a draft; 0 for none
	JobShared        bool       // others have put files into it, too
	Pipeline         *Pipeline  // the last that published to it; nil for none

	ProjectPath string // full; set by the deeds, like MayDelete
	MayDelete   bool   // whether the actor may delete it
}

// title names the package in audit events: "tool/1.0.0".
func (p Package) title() string { return string(p.Name) + "/" + string(p.Version) }

// words names the package in messages: "tool 1.0.0".
func (p Package) words() string { return words(p.Name, p.Version) }

func words(name Name, version Version) string { return string(name) + " " + string(version) }

// Pipeline is a run of CI that published something.
type Pipeline struct {
	ID        int64
	ProjectID int64
	Ref, SHA  string
	Status    string // GitLab's words; computed from its jobs
	CreatedAt time.Time
	UpdatedAt time.Time
	User      PipelineUser
}

// PipelineUser is the user who started a pipeline.
type PipelineUser struct {
	ID             int64
	Username, Name string
	Blocked        bool
}

// PackageFile is a file with the pipelines that published it.
type PackageFile struct {
	File
	Pipelines []Pipeline
}

// PackageFilter chooses packages for a list.
type PackageFilter struct {
	Name    NameFilter
	Version Version // the whole of it; "" for any
	Status  Status  // "" for default, error and deprecated
	None    bool    // of another type than generic: no package

	Projects []int64 // set by the deeds
}

// BySemver orders a list of packages by the precedence of their versions (semver.org,
// rule 11), then by id. The filter needs a name. It is not one of GitLab's orders.
const BySemver = "semver"

// ListPackages returns a project's packages.
func (r *Registry) ListPackages(ctx context.Context, a access.Actor, project string, f PackageFilter, p page.Request) (page.Of[Package], error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return page.Of[Package]{}, err
	}
	return r.list(ctx, a, []Project{place}, f, p)
}

// GroupPackages returns the packages of a group's projects, and if below, of those in
// its subgroups, as far as the actor may list them.
func (r *Registry) GroupPackages(ctx context.Context, a access.Actor, group string, below bool, f PackageFilter, p page.Request) (page.Of[Package], error) {
	groupID, _, err := r.Groups.GroupStanding(ctx, a, group, access.ReadGroup)
	if err != nil {
		return page.Of[Package]{}, err
	}
	places, err := r.Records.GroupPackageProjects(ctx, groupID, below, a)
	if err != nil {
		return page.Of[Package]{}, err
	}
	return r.list(ctx, a, r.listable(a, places), f, p)
}

// mostOwnProjects is in how many of the actor's projects Lately looks.
const mostOwnProjects = 200

// Lately returns what was published last in the projects of which the actor is a member:
// in the newest two hundred of them. Of their pipelines it returns only the ids.
func (r *Registry) Lately(ctx context.Context, a access.Actor, limit int) ([]Package, error) {
	if err := gate.Token(a, access.ListPackages, ""); err != nil || !a.LoggedIn() {
		return nil, err
	}
	places, err := r.Records.MemberPackageProjects(ctx, a, mostOwnProjects)
	if err != nil {
		return nil, err
	}
	places = r.listable(a, places)
	if len(places) == 0 {
		return nil, nil
	}
	found, err := r.Records.LatestPackages(ctx, idsOf(places, func(p Project) int64 { return p.ProjectID }), limit)
	r.complete(a, places, found)
	return found, err
}

// listable are the places in which the actor may list packages.
func (r *Registry) listable(a access.Actor, places []Project) []Project {
	return slices.DeleteFunc(places, func(p Project) bool { return !r.may(a, p, access.ListPackages) })
}

// list is a page of the packages of projects in which the actor may list them.
func (r *Registry) list(ctx context.Context, a access.Actor, places []Project, f PackageFilter, p page.Request) (page.Of[Package], error) {
	if f.Status == StatusDraft {
		places = r.withDrafts(a, places)
	}
	if f.None || len(places) == 0 {
		return page.Of[Package]{}, nil
	}
	for _, place := range places {
		f.Projects = append(f.Projects, place.ProjectID)
	}
	found, err := r.Records.ListPackages(ctx, f, p)
	if err != nil {
		return found, err
	}
	err = found.Finish(ctx, func(_ context.Context, rows []Package) ([]Package, error) {
		r.complete(a, places, rows)
		return rows, nil
	})
	return found, err
}

// complete sets what packages have from their projects and from this process.
func (r *Registry) complete(a access.Actor, places []Project, found []Package) {
	byID := make(map[int64]Project, len(places))
	for _, place := range places {
		byID[place.ProjectID] = place
	}
	for i := range found {
		p, place := &found[i], byID[found[i].ProjectID]
		p.ProjectPath = place.FullPath
		p.MayDelete = r.may(a, place, access.DestroyPackage)
		if at, more := r.unrecorded(p.ID); at != nil {
			p.LastDownloadedAt = at
			p.Downloads += more
		}
	}
}

// Package returns a package and the other versions of its name, which are read a few
// at a time. Absent if its status hides it.
func (r *Registry) Package(ctx context.Context, a access.Actor, project string, id int64) (Package, iter.Seq2[[]Package, error], error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return Package{}, nil, err
	}
	p, err := r.Records.FindPackage(ctx, place.ProjectID, id)
	if err != nil {
		return Package{}, nil, err
	}
	if !r.sees(a, place, p, p.Status.Shown()) {
		return Package{}, nil, fault.New(fault.Absent, "Package not found")
	}
	one := []Package{p}
	r.complete(a, []Project{place}, one)
	return one[0], r.versions(ctx, p), nil
}

// versionsStep is how many versions are read at a time: a few hundred bytes each, or
// two to three thousand if the names are as long as possible.
const versionsStep = 100

func (r *Registry) versions(ctx context.Context, p Package) iter.Seq2[[]Package, error] {
	return func(yield func([]Package, error) bool) {
		var after Package
		for {
			found, err := r.Records.ListVersions(ctx, p, after, versionsStep)
			more := len(found) == versionsStep
			if more {
				after = found[len(found)-1]
			}
			if !yield(found, err) || err != nil || !more {
				return
			}
		}
	}
}

// PackagePipelines returns up to limit pipelines that published to a package, newest
// first, with ids below before unless that is 0; more reports that others follow.
func (r *Registry) PackagePipelines(ctx context.Context, a access.Actor, project string, id, before int64, limit int) (found []Pipeline, more bool, err error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return nil, false, err
	}
	p, err := r.Records.FindPackage(ctx, place.ProjectID, id)
	if err != nil {
		return nil, false, err
	}
	if !r.sees(a, place, p, p.Status.Shown()) {
		return nil, false, fault.New(fault.Hidden, "Package not found") // GitLab's words
	}
	found, err = r.Records.ListPipelines(ctx, p.ID, before, limit+1)
	if len(found) > limit {
		return found[:limit], true, err
	}
	return found, false, err
}
