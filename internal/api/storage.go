package api

import (
	"context"
	"maps"

	"granary/internal/access"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/wire"
)

func getProjectStorage(c *call) error {
	return c.storage(c.s.Registry.ProjectStorage(c.r.Context(), c.actor, c.path("id")))
}

func getGroupStorage(c *call) error {
	return c.storage(c.s.Registry.GroupStorage(c.r.Context(), c.actor, c.path("id")))
}

func getInstanceStorage(c *call) error {
	return c.storage(c.s.Registry.InstanceStorage(c.r.Context(), c.actor))
}

func (c *call) storage(s registry.Storage, err error) error {
	if err != nil {
		return err
	}
	w := wire.Storage{ID: s.ID, Size: wire.Size(s.All()), Trashed: wire.Size(s.Trashed), Parts: []wire.StoragePart{}}
	for _, p := range s.Parts {
		all, trashed := p.All(), wire.Size(p.Trashed)
		part := wire.StoragePart{Kind: string(p.Kind), ID: p.ID, Path: p.Path, Bytes: all.Bytes, Versions: all.Versions}
		if p.Kind != registry.PackagePart {
			part.Files, part.Trashed = &all.Files, &trashed
		}
		w.Parts = append(w.Parts, part)
	}
	return c.ok(w)
}

// projectsShown returns what shows projects of a page, with their statistics if the caller
// asks for them and may see them.
func (c *call) projectsShown(found *page.Of[projects.Project]) (func(projects.Project) any, error) {
	usages, err := statistics(c, found, func(p projects.Project) int64 { return p.ID }, c.s.Registry.ProjectUsages)
	return func(p projects.Project) any {
		shown, whole := c.projectFor(p).(wire.Project)
		u, known := usages[p.ID]
		if !whole || !known {
			return c.projectFor(p)
		}
		shown.Statistics = &wire.ProjectStatistics{GroupStatistics: statisticsOf(u)}
		return shown
	}, err
}

// groupsShown is projectsShown for groups.
func (c *call) groupsShown(found *page.Of[projects.Group]) (func(projects.Group) wire.Group, error) {
	usages, err := statistics(c, found, func(g projects.Group) int64 { return g.ID }, c.s.Registry.GroupUsages)
	return func(g projects.Group) wire.Group {
		shown := c.group(g)
		if u, known := usages[g.ID]; known {
			of := statisticsOf(u)
			shown.Statistics = &of
		}
		return shown
	}, err
}

// statistics looks up what the rows of a page keep, before they are shown, if the caller asks
// for it.
func statistics[T any](c *call, found *page.Of[T], id func(T) int64,
	look func(context.Context, access.Actor, []int64) (map[int64]registry.Usage, error)) (map[int64]registry.Usage, error) {
	usages, wanted := map[int64]registry.Usage{}, c.params.boolean("statistics")
	if err := c.params.err(); err != nil || !wanted {
		return usages, err
	}
	return usages, found.Finish(c.r.Context(), func(ctx context.Context, rows []T) ([]T, error) {
		ids := make([]int64, len(rows))
		for i, row := range rows {
			ids[i] = id(row)
		}
		some, err := look(ctx, c.actor, ids)
		maps.Copy(usages, some)
		return rows, err
	})
}

func statisticsOf(u registry.Usage) wire.GroupStatistics {
	packages := u.All().Bytes
	return wire.GroupStatistics{StorageSize: packages + u.Uploads, PackagesSize: packages, UploadsSize: u.Uploads}
}
