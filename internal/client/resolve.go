package client

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"granary/internal/versions"

	"github.com/Masterminds/semver/v3"
)

// Latest is the word for the highest version.
const Latest = "latest"

// Resolve finds the package that a version names: one with exactly this
// version, whatever it looks like; else, for "" and latest, the highest; else,
// for a range such as ^1.4, 1.x or ">=1.2 <2", the highest in it. Versions that
// are not semantic are never in a range. Pre-releases count if pre is set, if the
// range names one, and for the latest if there is nothing else.
//
// It returns NotFound if there is no such package, and a *RangeError if a range cannot
// be parsed.
func (c *Client) Resolve(ctx context.Context, project, name, version string, pre bool) (Package, error) {
	if version != "" {
		exact, err := c.Packages(ctx, project, name, version)
		if err != nil {
			return Package{}, err
		}
		if len(exact) > 0 {
			return exact[len(exact)-1], nil
		}
		if !IsRange(version) {
			return Package{}, &failure{NotFound, fmt.Errorf("%s has no package %s %s", project, name, version)}
		}
	}
	all, err := c.Packages(ctx, project, name, "")
	if err != nil {
		return Package{}, err
	}
	if len(all) == 0 {
		return Package{}, &failure{NotFound, fmt.Errorf("%s has no package %s", project, name)}
	}
	found, err := Highest(all, version, pre)
	if err != nil {
		return Package{}, fmt.Errorf("%s, package %s: %w", project, name, err)
	}
	return found, nil
}

// IsRange reports whether a text is a range or Latest, and not a version: 1.4 is a
// version.
func IsRange(text string) bool {
	return text == Latest || strings.ContainsAny(text, "^~<>=*|, ") ||
		slices.ContainsFunc(strings.Split(text, "."), func(part string) bool { return part == "x" || part == "X" })
}

// Highest chooses of packages of one name, as Resolve does of those that the
// server has.
func Highest(packages []Package, version string, pre bool) (Package, error) {
	within := func(*semver.Version) bool { return true }
	latest := version == "" || version == Latest
	if !latest {
		rule, err := constraint(version, pre)
		if err != nil {
			return Package{}, err
		}
		within = rule.Check
	}
	sorted := SortVersions(packages)
	for _, stable := range []bool{true, false} {
		for _, p := range slices.Backward(sorted) {
			v, err := semver.NewVersion(p.Version)
			if err != nil || stable && latest && !pre && v.Prerelease() != "" || !within(v) {
				continue
			}
			return p, nil
		}
	}
	if latest {
		return Package{}, &failure{NotFound, fmt.Errorf("none of %d versions is a semantic version", len(packages))}
	}
	return Package{}, &failure{NotFound, fmt.Errorf("none of %d versions is in the range %s", len(packages), version)}
}

// Choose returns all packages that a version names, as SortVersions orders them:
// those of exactly this version; else for a range those in it, for Latest the
// highest, and for "" all. They have one name. It returns NotFound if there are none,
// and a *RangeError if a range cannot be parsed.
func Choose(packages []Package, version string, pre bool) ([]Package, error) {
	sorted := SortVersions(packages)
	exact := slices.DeleteFunc(slices.Clone(sorted), func(p Package) bool { return p.Version != version })
	switch {
	case version == "":
		return sorted, nil
	case len(exact) > 0:
		return exact, nil
	case version == Latest:
		p, err := Highest(packages, version, pre)
		if err != nil {
			return nil, err
		}
		return []Package{p}, nil
	case !IsRange(version):
		return nil, &failure{NotFound, fmt.Errorf("none of %d versions is %s", len(packages), version)}
	}
	rule, err := constraint(version, pre)
	if err != nil {
		return nil, err
	}
	chosen := slices.DeleteFunc(sorted, func(p Package) bool {
		v, err := semver.NewVersion(p.Version)
		return err != nil || !rule.Check(v)
	})
	if len(chosen) == 0 {
		return nil, &failure{NotFound, fmt.Errorf("none of %d versions is in the range %s", len(packages), version)}
	}
	return chosen, nil
}

// LooksLikeVersion reports whether text can be read as a semantic version, a range
// or Latest, so that it is rather a version than the name of a file.
func LooksLikeVersion(text string) bool {
	if text == Latest {
		return true
	}
	_, err := semver.NewConstraint(text)
	return err == nil
}

// SortVersions returns packages by name, then by version: semantic versions in their
// order, after all others in natural order. Of equal ones the later comes later.
func SortVersions(packages []Package) []Package {
	type row struct {
		Package
		key []byte
	}
	rows := make([]row, len(packages))
	for i, p := range packages {
		rows[i] = row{p, versions.Key(p.Version)}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), bytes.Compare(a.key, b.key), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	sorted := make([]Package, len(rows))
	for i, r := range rows {
		sorted[i] = r.Package
	}
	return sorted
}
