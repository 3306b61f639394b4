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

// Resolve finds the package that a version names, in lists that every server has: one
// with exactly this version, whatever it looks like; else, for "" and latest, the
// highest; else, for a range such as ^1.4, 1.x or ">=1.2 <2", the highest in it. Versions
// that are not semantic are never in a range. Pre-releases count if pre is set, if the
// range names one, and for the latest if there is nothing else.
//
// It returns NotFound if there is no such package, a *RangeError if a range cannot be
// parsed, and Refused for a channel, which these lists do not have.
func (c *Client) Resolve(ctx context.Context, project, name, version string, pre bool) (Package, error) {
	if version != "" {
		exact, err := c.Packages(ctx, project, name, version)
		if err != nil {
			return Package{}, err
		}
		if len(exact) > 0 {
			return exact[len(exact)-1], nil
		}
		if s, ok := versions.ParseSelector(version); ok && s.Channel != "" {
			return Package{}, &failure{Refused, fmt.Errorf("%s has no channels of packages, so %s selects nothing: %w", c.api.Host, version, errUnsupported)}
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
	within, err := within(version, pre)
	if err != nil {
		return Package{}, err
	}
	latest := version == "" || version == Latest
	anyFinal := slices.ContainsFunc(packages, func(p Package) bool { return p.Final })
	sorted := SortVersions(packages)
	for _, stable := range []bool{true, false} {
		for _, p := range slices.Backward(sorted) {
			if !p.selectable() || anyFinal && !p.Final || stable && latest && !pre && versions.IsPreRelease(p.Version) || !within(p.Version) {
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

// selectable reports whether a version may be selected without its name: GitLab lists
// failed packages, too.
func (p Package) selectable() bool {
	return !p.Yanked && !slices.Contains([]string{"hidden", "error", "pending_destruction"}, p.Status)
}

// within returns what is in a range; for the latest, every semantic version is. A
// selector of internal/versions means the same here as on a server that has it.
func within(version string, pre bool) (func(version string) bool, error) {
	if version == "" || version == Latest {
		return versions.IsSemantic, nil
	}
	if s, ok := versions.ParseSelector(version); ok && s.Range != nil && !pre {
		return s.Range.Contains, nil
	}
	rule, err := constraint(version, pre)
	if err != nil {
		return nil, err
	}
	return func(text string) bool {
		v, err := semver.NewVersion(text)
		return err == nil && rule.Check(v)
	}, nil
}

// Choose returns all packages that a version names, as SortVersions orders them:
// those of exactly this version; else for a range those in it, for Latest the
// highest, for @stable that of the channel, and for "" all. They have one name. It returns NotFound if there are none,
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
	case strings.HasPrefix(version, "@"):
		pointed := slices.DeleteFunc(sorted, func(p Package) bool { return !slices.Contains(p.Channels, version[1:]) })
		if len(pointed) == 0 {
			return nil, &failure{NotFound, fmt.Errorf("there is no channel %s", version)}
		}
		return pointed, nil
	case !IsRange(version):
		return nil, &failure{NotFound, fmt.Errorf("none of %d versions is %s", len(packages), version)}
	}
	within, err := within(version, pre)
	if err != nil {
		return nil, err
	}
	chosen := slices.DeleteFunc(sorted, func(p Package) bool { return !within(p.Version) })
	if len(chosen) == 0 {
		return nil, &failure{NotFound, fmt.Errorf("none of %d versions is in the range %s", len(packages), version)}
	}
	return chosen, nil
}

// LooksLikeVersion reports whether text can be read as a semantic version, a range, a
// channel or Latest, so that it is rather a version than the name of a file.
func LooksLikeVersion(text string) bool {
	if _, ok := versions.ParseSelector(text); ok {
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
