package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"granary/internal/versions"
)

// scan looks for the highest version in a range that the server cannot resolve.
type scan struct {
	within     func(version string) bool
	onlyFinal  bool // if the package has a final version, only final ones are selected
	best       *Package
	seen       int
	incomplete bool // not all versions were looked at
}

// highest compares the server's list of versions with a range, up to the first version
// in it.
func (c *Client) highest(ctx context.Context, project, name, version string, pre bool) (Package, error) {
	within, err := within(version, pre)
	if err != nil {
		return Package{}, err
	}
	s := scan{within: within}
	err = c.versionPages(ctx, project, name, s.look)
	if err == nil && s.best != nil && !s.best.Final && s.incomplete {
		var latest Version
		if latest, err = c.version(ctx, project, name, Latest); err == nil && latest.Final {
			s = scan{within: s.within, onlyFinal: true}
			err = c.versionPages(ctx, project, name, s.look)
		}
	}
	switch {
	case isNoVersion(err):
		return Package{}, noVersion(err, project, name, version)
	case err != nil:
		return Package{}, err
	case s.best == nil:
		return Package{}, &failure{NotFound, fmt.Errorf("%s, package %s: none of %d versions is in the range %s", project, name, s.seen, cmp.Or(version, Latest))}
	}
	return *s.best, nil
}

// look takes a page, and reports whether to go on.
func (s *scan) look(p versionPage) bool {
	if !s.onlyFinal && slices.ContainsFunc(p.packages, func(p Package) bool { return p.Final }) {
		s.onlyFinal = true
		if s.best != nil && !s.best.Final {
			s.best = nil
		}
	}
	for _, one := range p.packages {
		s.seen++
		if s.best == nil && one.selectable() && (one.Final || !s.onlyFinal) && s.within(one.Version) {
			s.best = &one
		}
	}
	s.incomplete = !p.last
	return s.best == nil && !p.last && versions.IsSemantic(p.packages[len(p.packages)-1].Version) // all others are lower
}
