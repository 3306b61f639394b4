package registry

import (
	"context"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/gate"
)

// FoundPackage is a name of packages that a search found.
type FoundPackage struct {
	ProjectID   int64
	ProjectPath string
	Name        Name
	Versions    int // that lists show

	NameID int64
}

// FoundProject is a project that a search found.
type FoundProject struct {
	ProjectID int64
	FullPath  string
}

// FoundFile is a file of a digest that a search found.
type FoundFile struct {
	ProjectID   int64
	ProjectPath string
	Name        Name
	Version     Version
	PackageID   int64
	FileID      int64
	File        FileName
}

// Found is what a search found, up to SearchMost of each kind.
type Found struct {
	Packages                              []FoundPackage
	Projects                              []FoundProject
	Files                                 []FoundFile // if the term is a digest
	MorePackages, MoreProjects, MoreFiles bool        // there are more than these
}

// SearchMost is how many of a kind a search returns.
const SearchMost = 20

const (
	nameRows   = 10 * SearchMost // places in names that are read, with those that the actor may not list
	fileRows   = 5 * SearchMost  // files that are read, with those that the actor may not list
	mostSearch = 255             // bytes of a term; no name is longer
)

// Search finds packages by parts of their names, projects by a part of their path, and
// files by their SHA-256, as far as the actor can see them. Invalid if the term is empty
// or too long.
func (r *Registry) Search(ctx context.Context, a access.Actor, term string) (found Found, err error) {
	term = strings.TrimSpace(term)
	if term == "" || len(term) > mostSearch {
		return found, fault.New(fault.Invalid, "search is invalid, want 1 to 255 bytes")
	}
	if err := gate.Token(a, access.ListPackages, ""); err != nil {
		return found, err
	}
	s := searching{r, a, map[int64]seenProject{}}
	if d, err := ParseDigest(term); err == nil {
		found.Files, found.MoreFiles, err = s.files(ctx, d)
		return found, err
	}
	f, err := ParseNameFilter(term)
	if err != nil {
		return found, err
	}
	if found.Packages, found.MorePackages, err = s.packages(ctx, f); err != nil {
		return found, err
	}
	found.Projects, err = r.Records.SearchProjects(ctx, a, term, SearchMost+1)
	if found.MoreProjects = len(found.Projects) > SearchMost; found.MoreProjects {
		found.Projects = found.Projects[:SearchMost]
	}
	return found, err
}

// searching judges what records find. They leave out most of what the actor cannot see.
type searching struct {
	*Registry
	actor access.Actor
	seen  map[int64]seenProject
}

type seenProject struct {
	path   string
	listed bool // the actor may list its packages
}

// judge judges the projects that were found.
func (s searching) judge(ctx context.Context, ids []int64) error {
	found, err := s.Records.FindPackageProjects(ctx, ids, s.actor)
	for _, p := range found {
		s.seen[p.ProjectID] = seenProject{p.FullPath, s.may(s.actor, p, access.ListPackages)}
	}
	return err
}

// idsOf is an id of each row.
func idsOf[T any](rows []T, id func(T) int64) []int64 {
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = id(row)
	}
	return ids
}

func (s searching) packages(ctx context.Context, f NameFilter) (found []FoundPackage, more bool, err error) {
	all, err := s.Records.SearchNames(ctx, s.actor, f, nameRows)
	if err != nil {
		return nil, false, err
	}
	if err := s.judge(ctx, idsOf(all, func(f FoundPackage) int64 { return f.ProjectID })); err != nil {
		return nil, false, err
	}
	names := map[int64]bool{}
	for _, one := range all {
		p := s.seen[one.ProjectID]
		switch {
		case !p.listed || one.Versions == 0 || names[one.NameID]:
			continue
		case len(found) == SearchMost:
			return found, true, nil
		}
		names[one.NameID], one.ProjectPath = true, p.path
		found = append(found, one)
	}
	return found, len(all) == nameRows, nil
}

func (s searching) files(ctx context.Context, d Digest) (found []FoundFile, more bool, err error) {
	all, err := s.Records.SearchFiles(ctx, s.actor, d, fileRows)
	if err != nil {
		return nil, false, err
	}
	if err := s.judge(ctx, idsOf(all, func(f FoundFile) int64 { return f.ProjectID })); err != nil {
		return nil, false, err
	}
	for _, one := range all {
		p := s.seen[one.ProjectID]
		if !p.listed {
			continue
		}
		if len(found) == SearchMost {
			return found, true, nil
		}
		one.ProjectPath = p.path
		found = append(found, one)
	}
	return found, len(all) == fileRows, nil
}
