package ui

import (
	"strings"

	"granary/internal/registry"
)

// searchPage is the data of a search.
type searchPage struct {
	Term     string
	Packages []searchRow
	Projects []link
	Files    []searchRow
	More     bool // there are more than these
	Digest   bool // the term is a digest
}

// searchRow is a package, or a file, in a project.
type searchRow struct {
	link
	Project  link
	Versions int
	File     string
}

// showSearch finds packages, projects and files, as far as the actor can see them.
func showSearch(v *visit) error {
	d := searchPage{Term: strings.TrimSpace(v.query("search"))}
	d.Digest = isDigest(d.Term)
	if d.Term == "" {
		return v.show(screen{name: "search", title: "Search", data: d})
	}
	found, err := v.s.Registry.Search(v.r.Context(), v.actor, d.Term)
	if err != nil {
		return v.again(func(v *visit) error { return v.show(screen{name: "search", title: "Search", data: d}) }, err)
	}
	d.More = found.MorePackages || found.MoreProjects || found.MoreFiles
	for _, k := range found.Packages {
		d.Packages = append(d.Packages, searchRow{
			link: link{string(k.Name), v.s.in(k.ProjectPath, "packages", "generic", string(k.Name))}, Project: link{k.ProjectPath, v.s.in(k.ProjectPath)}, Versions: k.Versions,
		})
	}
	for _, p := range found.Projects {
		d.Projects = append(d.Projects, link{p.FullPath, v.s.in(p.FullPath)})
	}
	for _, f := range found.Files {
		d.Files = append(d.Files, searchRow{
			link:    link{string(f.Name) + " " + string(f.Version), v.s.in(f.ProjectPath, "packages", "generic", string(f.Name), string(f.Version))},
			Project: link{f.ProjectPath, v.s.in(f.ProjectPath)}, File: f.File.Path(),
		})
	}
	return v.show(screen{name: "search", title: "Search: " + d.Term, data: d})
}

// isDigest reports the SHA-256 of a file, in hexadecimal.
func isDigest(text string) bool {
	_, err := registry.ParseDigest(text)
	return err == nil
}
