package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// The parts of a version that a release can raise. The zero value raises the
// patch, or continues a pre-release.
const (
	bumpNothing = ""
	bumpMajor   = "major"
	bumpMinor   = "minor"
	bumpPatch   = "patch"
)

func parseVersion(text string) (*semver.Version, error) {
	v, err := semver.StrictNewVersion(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a version: want one such as 1.4.0 or 1.5.0-rc.1", text)
	}
	return v, nil
}

// nextVersion is the version after v. A pre-release is followed by the release
// it leads to, or with pre by the next one of that name: 1.5.0-rc.1 by 1.5.0, or
// 1.5.0-rc.2. Build metadata is dropped.
func nextVersion(v *semver.Version, bump, pre string) (*semver.Version, error) {
	core := raise(v, bump)
	if pre == "" {
		return core, nil
	}
	if !regexp.MustCompile(`^[A-Za-z][0-9A-Za-z-]*$`).MatchString(pre) {
		return nil, fmt.Errorf("%q is not a name of a pre-release: want letters, digits and hyphens, such as rc", pre)
	}
	number := uint64(1)
	if release := semver.New(v.Major(), v.Minor(), v.Patch(), "", ""); v.Prerelease() != "" && core.Equal(release) {
		if name, n, ok := splitPrerelease(v); ok && name == pre {
			number = n + 1
		}
	}
	next := semver.New(core.Major(), core.Minor(), core.Patch(), pre+"."+strconv.FormatUint(number, 10), "")
	if !next.GreaterThan(v) {
		return nil, fmt.Errorf("%s comes before %s: choose a name that comes later than %s, or raise a part", next, v, v.Prerelease())
	}
	return next, nil
}

// raise is the release after v.
func raise(v *semver.Version, bump string) *semver.Version {
	major, minor, patch := v.Major(), v.Minor(), v.Patch()
	leads := v.Prerelease() != "" // to a release that is still to come
	switch {
	case bump == bumpMajor && !(leads && minor == 0 && patch == 0):
		major, minor, patch = major+1, 0, 0
	case bump == bumpMinor && !(leads && patch == 0):
		minor, patch = minor+1, 0
	case (bump == bumpPatch || bump == bumpNothing) && !leads:
		patch++
	}
	return semver.New(major, minor, patch, "", "")
}

// splitPrerelease takes rc.2 apart.
func splitPrerelease(v *semver.Version) (name string, number uint64, ok bool) {
	name, text, ok := strings.Cut(v.Prerelease(), ".")
	number, err := strconv.ParseUint(text, 10, 63)
	return name, number, ok && err == nil
}

// follows reports whether some way of raising old gives v.
func follows(old, v *semver.Version) bool {
	name, _, _ := splitPrerelease(v)
	return slices.ContainsFunc([]string{bumpMajor, bumpMinor, bumpPatch}, func(bump string) bool {
		next, err := nextVersion(old, bump, name)
		return err == nil && next.String() == v.String()
	})
}
