package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
		if err := k.decide(ctx, v, &v.Files[all[i].f]); err != nil {
			return advise(fmt.Errorf("%s: %s %s: %w", k.target, v.Version, v.Files[all[i].f].Path, err), k.target.String())
		}
		return nil
	})
	return versions, err
}

// choose finds the source's versions. Hidden ones are told, for no list has their
// files.
func (k *copying) choose(ctx context.Context, version string) ([]copiedVersion, error) {
	asked := version
	if client.IsRange(version) {
		asked = ""
	}
	found, err := k.source.client.Packages(ctx, k.source.project, k.name, asked)
	if err != nil {
		return nil, err
	}
	hidden, err := k.source.client.HiddenPackages(ctx, k.source.project, k.name, asked)
	if err != nil {
		return nil, err
	}
	hidden, _ = client.Choose(hidden, version, k.pre) // none is none
	if len(found) == 0 && len(hidden) > 0 {
		return nil, refused("%s is hidden (%s): no list tells its files, and nothing was copied", k.name, firstOf(versionsOf(hidden)))
	}
	if len(found) == 0 {
		return nil, exitError{fmt.Errorf("there is no package %s", strings.TrimSpace(k.name+" "+asked)), exitNotFound}
	}
	chosen, err := client.Choose(found, version, k.pre)
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", k.name, err)
	}
	if len(hidden) > 0 {
		k.env.notice("hidden versions are left out, for no list tells their files: %s", firstOf(versionsOf(hidden)))
	}
	var versions []copiedVersion
	for _, p := range chosen {
		if n := len(versions); n > 0 && versions[n-1].Version == p.Version {
			versions = versions[:n-1] // the later one is meant
		}
		versions = append(versions, copiedVersion{Version: p.Version, Files: []copied{}, id: p.ID})
	}
	return versions, nil
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
	if k.readsNoLists(err) {
		for i := range versions {
			versions[i].unlisted = true
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
		id, listed := ids[v.Version]
		v.created, v.unlisted = listed || isHidden[v.Version], !listed && isHidden[v.Version]
		if listed {
			v.targetID = id
		}
	}
	return nil
}

// readsNoLists tells a token that may publish and not read lists from one that may
// do nothing here. Deploy tokens get the answers of strangers.
func (k *copying) readsNoLists(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	deploy := k.target.client.Credential().Kind() == client.DeployToken("").Kind()
	return ok && (e.Status == 403 || deploy && (e.Status == 401 || e.Status == 404))
}

// list fetches what both sides have of a version.
func (k *copying) list(ctx context.Context, v *copiedVersion) error {
	files, err := k.source.client.Files(ctx, k.source.project, v.id)
	if err != nil {
		return advise(fmt.Errorf("%s: %s: %w", k.source, v.Version, err), k.source.String())
	}
	for _, f := range files {
		v.Files = append(v.Files, copied{Path: f.Path, Size: f.Size, SHA256: f.SHA256, Action: "copy", file: f})
	}
	if v.there, err = k.existing(ctx, *v); err != nil {
		return advise(fmt.Errorf("%s: %s: %w", k.target, v.Version, err), k.target.String())
	}
	return nil
}

// existing is what the target lists of a version, by path.
func (k *copying) existing(ctx context.Context, v copiedVersion) (map[string]client.File, error) {
	if v.targetID == 0 {
		return map[string]client.File{}, nil
	}
	return filesByPath(ctx, k.target.client, k.target.project, v.targetID)
}

// decide compares a file with what the target has under its name.
func (k *copying) decide(ctx context.Context, v *copiedVersion, f *copied) error {
	old, taken := v.there[f.Path]
	if v.unlisted {
		var err error
		if old, taken, err = k.stat(ctx, v, f); err != nil {
			return err
		}
	}
	if !taken {
		return nil
	}
	f.beside = true
	if old.Size != f.Size || old.SHA256 == "" || old.SHA256 != f.SHA256 {
		if !k.force {
			f.Action = "refused"
		}
		return nil
	}
	if !v.unlisted { // what was just asked for has been given
		lost, err := k.target.client.Lost(ctx, k.at(k.target, v, f))
		if lost || err != nil {
			return err // lost bytes are sent again
		}
	}
	f.Action, f.Confirmed = "unchanged", true
	return nil
}

// stat asks the target for a file that no list tells. Lost bytes are sent again under
// the name that they have, like a file beside; of a refusal the publish tells the
// server's words.
func (k *copying) stat(ctx context.Context, v *copiedVersion, f *copied) (old client.File, taken bool, err error) {
	at := k.at(k.target, v, f)
	old, err = k.target.client.Stat(ctx, at)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusInternalServerError {
		lost, lostErr := k.target.client.Lost(ctx, at)
		if lost || lostErr != nil {
			f.beside = lost
			return old, false, lostErr
		}
	}
	switch client.KindOf(err) {
	case client.NotFound, client.Refused:
		return old, false, nil
	}
	return old, err == nil, err
}

// at is a file in a place.
func (k *copying) at(p place, v *copiedVersion, f *copied) client.Coordinates {
	return client.Coordinates{Project: p.project, Name: k.name, Version: v.Version, Path: f.Path}
}
