package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"granary/internal/client"
)

// plan decides for every file of every chosen version what is to be done with it.
func (k *copying) plan(ctx context.Context, version string) ([]copiedVersion, error) {
	versions, err := k.choose(ctx, version)
	if err != nil {
		return nil, advise(fmt.Errorf("%s: %w", k.source, err), k.source.String())
	}
	if err := k.findTargets(ctx, versions); err != nil {
		return nil, advise(fmt.Errorf("%s: %w", k.target, err), k.target.String())
	}
	if err := parallel(ctx, k.jobs, len(versions), func(ctx context.Context, i int) error { return k.list(ctx, &versions[i]) }); err != nil {
		return nil, err
	}
	type item struct{ v, f int }
	var all []item
	for i := range versions {
		for j := range versions[i].Files {
			all = append(all, item{i, j})
		}
	}
	err = parallel(ctx, k.jobs, len(all), func(ctx context.Context, i int) error {
		v := &versions[all[i].v]
		f := &v.Files[all[i].f].planned
		if err := v.target.decide(ctx, f, k.force, func() (string, error) { return f.SHA256, nil }); err != nil {
			return advise(fmt.Errorf("%s: %s %s: %w", k.target, v.Version, f.Path, err), k.target.String())
		}
		return nil
	})
	return versions, err
}

// choose finds the source's versions. It reports hidden ones, because no list has
// their files.
func (k *copying) choose(ctx context.Context, version string) ([]copiedVersion, error) {
	asked := version
	if client.IsRange(version) {
		asked = ""
	}
	list := k.source.client.Packages
	if asked == "" {
		list = func(ctx context.Context, project, name, _ string) ([]client.Package, error) {
			return k.source.client.Versions(ctx, project, name) // with their marks
		}
	}
	found, err := list(ctx, k.source.project, k.name, asked)
	if err != nil {
		return nil, err
	}
	hidden, err := k.source.client.HiddenPackages(ctx, k.source.project, k.name, asked)
	if err != nil {
		return nil, err
	}
	hidden, _ = client.Choose(hidden, version, k.pre) // NotFound means that none is hidden
	if len(found) == 0 && len(hidden) > 0 {
		return nil, refused("%s is hidden (%s): no list shows its files; nothing was copied", k.name, firstOf(versionsOf(hidden)))
	}
	if len(found) == 0 {
		return nil, exitError{fmt.Errorf("there is no package %s", strings.TrimSpace(k.name+" "+asked)), exitNotFound}
	}
	chosen, err := client.Choose(found, version, k.pre)
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", k.name, err)
	}
	if asked == "" {
		if chosen, err = k.withoutYanked(chosen, version); err != nil {
			return nil, err
		}
	}
	if len(hidden) > 0 {
		k.env.notice("hidden versions are left out, because no list shows their files: %s", firstOf(versionsOf(hidden)))
	}
	var versions []copiedVersion
	for _, p := range chosen {
		if n := len(versions); n > 0 && versions[n-1].Version == p.Version {
			versions = versions[:n-1] // the later one is meant
		}
		at := client.Coordinates{Project: k.target.project, Name: k.name, Version: p.Version}
		versions = append(versions, copiedVersion{Version: p.Version, Files: []copied{}, id: p.ID, target: shelf{client: k.target.client, at: at}})
	}
	return versions, nil
}

// withoutYanked leaves yanked versions out, unless they are named exactly: the target
// would not have the mark.
func (k *copying) withoutYanked(chosen []client.Package, version string) ([]client.Package, error) {
	isYanked := func(p client.Package) bool { return p.Yanked && p.Version != version }
	left := slices.DeleteFunc(slices.Clone(chosen), isYanked)
	if len(left) == len(chosen) {
		return chosen, nil
	}
	yanked := slices.DeleteFunc(slices.Clone(chosen), func(p client.Package) bool { return !isYanked(p) })
	if len(left) == 0 {
		return nil, refused("%s is yanked (%s); nothing was copied; name a version exactly to copy it without this mark", k.name, firstOf(versionsOf(yanked)))
	}
	k.env.notice("yanked versions are left out, because the target would not have the mark: %s", firstOf(versionsOf(yanked)))
	return left, nil
}

func versionsOf(packages []client.Package) (versions []string) {
	for _, p := range packages {
		versions = append(versions, p.Version)
	}
	return versions
}

// findTargets learns which versions the target has.
func (k *copying) findTargets(ctx context.Context, versions []copiedVersion) error {
	asked := ""
	if len(versions) == 1 {
		asked = versions[0].Version
	}
	there, err := k.target.client.Packages(ctx, k.target.project, k.name, asked)
	var hidden []client.Package
	if err == nil {
		hidden, err = k.target.client.HiddenPackages(ctx, k.target.project, k.name, asked)
	}
	if (caller{k.target.client, k.target.project}).readsNoLists(err) {
		for i := range versions {
			versions[i].target.unlisted = true
		}
		return nil
	}
	if err != nil {
		return err
	}
	ids, isHidden := map[string]int64{}, map[string]bool{}
	for _, p := range there {
		ids[p.Version] = p.ID
	}
	for _, p := range hidden {
		isHidden[p.Version] = true
	}
	for i := range versions {
		v := &versions[i]
		v.target.id = ids[v.Version]
		v.target.unlisted = v.target.id == 0 && isHidden[v.Version]
		v.created = v.target.id > 0 || v.target.unlisted
	}
	return nil
}

// list fetches what both sides have of a version.
func (k *copying) list(ctx context.Context, v *copiedVersion) error {
	files, err := k.source.client.Files(ctx, k.source.project, v.id)
	if err != nil {
		return advise(fmt.Errorf("%s: %s: %w", k.source, v.Version, err), k.source.String())
	}
	for _, f := range files {
		v.Files = append(v.Files, copied{planned: planned{Path: f.Path, Size: f.Size, SHA256: f.SHA256, Action: "copy"}, file: f})
	}
	if err := v.target.list(ctx); err != nil {
		return advise(fmt.Errorf("%s: %s: %w", k.target, v.Version, err), k.target.String())
	}
	return nil
}

// checks are those of what is to be copied.
func (k *copying) checks(versions []copiedVersion) *checks {
	c := &checks{client: k.target.client, project: k.target.project, name: k.name, jobs: k.jobs, dryRun: k.dryRun, nothing: "nothing was copied"}
	for i := range versions {
		v := &versions[i]
		for j := range v.Files {
			if f := &v.Files[j]; f.Action == "copy" {
				c.files = append(c.files, due{&f.planned, v.target.at.File(f.Path), k.label(v, f)})
			}
		}
	}
	return c
}
