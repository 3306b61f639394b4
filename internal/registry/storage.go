package registry

import (
	"context"

	"granary/internal/access"
	"granary/internal/gate"
)

// Storage is what a place keeps, with its largest parts.
type Storage struct {
	ID int64 // of the project or group; 0 for the instance
	Usage
	Parts []StoragePart // the largest first, StorageParts at most
}

// StorageParts is how many parts of a place are told.
const StorageParts = 100

// ProjectStorage returns what a project keeps. Its parts are packages.
func (r *Registry) ProjectStorage(ctx context.Context, a access.Actor, project string) (s Storage, err error) {
	if s.ID, _, err = r.Groups.ProjectStanding(ctx, a, project, access.ReadUsage); err != nil {
		return Storage{}, err
	}
	all, err := r.Records.SizesOf(ctx, []int64{s.ID})
	if err != nil {
		return Storage{}, err
	}
	s.Usage = all[s.ID]
	found, err := r.Records.ListNames(ctx, s.ID, NameChoice{NameQuery: NameQuery{Order: NamesByStored}}, nil, StorageParts)
	for _, row := range found.Rows {
		s.Parts = append(s.Parts, StoragePart{Kind: PackagePart, Path: string(row.Name), Usage: Usage{Kept: Size{Versions: int64(row.Versions), Bytes: row.Stored}}})
	}
	return s, err
}

// GroupStorage returns what a group keeps with all that is below it.
func (r *Registry) GroupStorage(ctx context.Context, a access.Actor, group string) (s Storage, err error) {
	if s.ID, _, err = r.Groups.GroupStanding(ctx, a, group, access.ReadUsage); err != nil {
		return Storage{}, err
	}
	all, err := r.Records.GroupSizes(ctx, []int64{s.ID})
	if err != nil {
		return Storage{}, err
	}
	s.Usage = all[s.ID]
	s.Parts, err = r.Records.SizesBelow(ctx, s.ID, StorageParts)
	return s, err
}

// InstanceStorage returns what all projects keep. Its parts are the groups at the top, and
// users' own namespaces.
func (r *Registry) InstanceStorage(ctx context.Context, a access.Actor) (s Storage, err error) {
	if err := gate.Check(r.Rules, a, access.Resource{}, access.ReadInstance, ""); err != nil {
		return Storage{}, err
	}
	if s.Usage, err = r.Records.InstanceSize(ctx); err != nil {
		return Storage{}, err
	}
	s.Parts, err = r.Records.SizesBelow(ctx, 0, StorageParts)
	return s, err
}

// ProjectUsages returns what projects keep, by id, without those of which the actor may not
// know.
func (r *Registry) ProjectUsages(ctx context.Context, a access.Actor, ids []int64) (map[int64]Usage, error) {
	places, err := r.Records.FindPackageProjects(ctx, ids, a)
	if err != nil {
		return nil, err
	}
	var may []int64
	for _, place := range places {
		if r.may(a, place, access.ReadUsage) {
			may = append(may, place.ProjectID)
		}
	}
	found, err := r.Records.SizesOf(ctx, may)
	return withZeros(found, may), err
}

// GroupUsages returns what groups keep with all that is below them, by id; nothing to those
// who may not see the whole instance, as GitLab does.
func (r *Registry) GroupUsages(ctx context.Context, a access.Actor, ids []int64) (map[int64]Usage, error) {
	if r.Rules.Check(a, access.Resource{}, access.ReadInstance) != access.Allowed {
		return nil, nil
	}
	found, err := r.Records.GroupSizes(ctx, ids)
	return withZeros(found, ids), err
}

// withZeros adds those of ids that keep nothing.
func withZeros(found map[int64]Usage, ids []int64) map[int64]Usage {
	all := make(map[int64]Usage, len(ids))
	for _, id := range ids {
		all[id] = found[id]
	}
	return all
}
