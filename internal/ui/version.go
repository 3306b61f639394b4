package ui

import (
	"html/template"
	"io"
	"net/http"
	"strconv"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/registry"
)

// versionPage is the data of a version.
type versionPage struct {
	registry.VersionFacts
	URL            string // of this page
	NameURL        string
	By             author
	With           string // the sort of credential that published it first; "" if it is not known, or not for the actor
	Previous, Next *link
	Install        *tools // nil for a version without files
	Files          []fileRow
	Pager          pager
	Sums           string      // the address of the listing for sha256sum -c
	Drop           string      // the address that takes dropped files; "" if none may be added
	Held           naming.Rule // that holds for their names
	Readme         template.HTML
	LongReadme     bool // README.md has more bytes than a page shows
	Shared         []link
	UsedBy         []usedRow
	Does           versionDeeds
}

// versionDeeds are what the actor may do to the version.
type versionDeeds struct {
	Finalise, Channel, Edit, Delete bool
	DeleteURL                       string
}

// fileRow is one file of a version.
type fileRow struct {
	Path   string
	Size   int64
	Digest string
	URL    string // that downloads it
	Delete string // the page that deletes it; "" if nobody may

	Replaced bool // by a newer file of the same name
}

// usedRow is a release, and how many of its links lead to the version.
type usedRow struct {
	link
	Links int
}

// filesOf is how many files a version's page shows.
const filesOf = 50

func showVersion(v *visit) error {
	if v.values["version"] == "latest" {
		return v.showLatest()
	}
	return v.showVersion(v.values["version"])
}

// showVersion is a version with all that is known of it.
func (v *visit) showVersion(version string) error {
	name := v.values["name"]
	if v.query("format") == "sha256sums" {
		return v.listing(name, version)
	}
	p, err := v.numbered()
	if err != nil {
		return err
	}
	p.Size, p.OrderBy = filesOf, "file_name"
	facts, err := v.s.Registry.Version(v.r.Context(), v.actor, number(v.project.ID), name, version, p)
	if err != nil {
		return err
	}
	full := v.project.FullPath
	here := v.s.in(full, "packages", "generic", name, version)
	draft := facts.Status == registry.StatusDraft
	d := versionPage{
		VersionFacts: facts, URL: here, NameURL: v.s.in(full, "packages", "generic", name), By: v.author(facts.PackageVersion), With: credentialWords(audit.Author{Credential: facts.Credential}),
		Files: v.fileRows(facts), Pager: v.pagerOf(p, facts.Files, "file", "files"), Sums: "?format=sha256sums",
		Previous: v.neighbour(name, facts.Previous), Next: v.neighbour(name, facts.Next),
		Does: versionDeeds{
			Finalise: facts.Content != nil,
			Channel:  facts.MayPublish && !draft, Edit: facts.MayDelete && !draft, Delete: facts.MayDelete || draft && facts.MayPublish,
			DeleteURL: v.s.in(full, "packages", "delete") + "?ids=" + number(facts.ID),
		},
	}
	if facts.MayPublish && facts.FinalAt == nil {
		d.Drop, d.Held = here+"/", v.rules().File
	}
	if !draft {
		if d.Install, err = v.install(facts, d.Files); err != nil {
			return err
		}
	}
	if !draft && facts.Readme {
		d.Readme, d.LongReadme = v.readme(facts)
	}
	for _, c := range facts.Stored.Shared {
		d.Shared = append(d.Shared, link{string(c.Name) + " " + string(c.Version), v.s.in(full, "packages", "generic", string(c.Name), string(c.Version))})
	}
	d.UsedBy = v.releasesOf(facts.UsedBy)
	return v.show(screen{
		name: "version", title: name + " " + version + " · " + full, tab: "packages", data: d,
		crumbs: v.packageCrumbs(link{name, d.NameURL}),
	})
}

// releasesOf are the releases whose links lead to the version, each once.
func (v *visit) releasesOf(links []registry.ReleaseLink) (rows []usedRow) {
	for _, l := range links {
		if n := len(rows); n > 0 && rows[n-1].Name == l.Tag {
			rows[n-1].Links++
			continue
		}
		rows = append(rows, usedRow{link{l.Tag, v.releaseURL(l.Tag)}, 1})
	}
	return rows
}

func (v *visit) neighbour(name string, version *registry.Version) *link {
	if version == nil {
		return nil
	}
	return &link{string(*version), v.s.in(v.project.FullPath, "packages", "generic", name, string(*version))}
}

func (v *visit) fileRows(facts registry.VersionFacts) (rows []fileRow) {
	for _, f := range facts.Page {
		row := fileRow{
			Path: f.Name.Path(), Size: f.Size, Digest: f.Digest.String(),
			URL: v.s.in(v.project.FullPath, "package_files", number(f.ID), "download"),
		}
		if facts.MayDelete && facts.FinalAt == nil && facts.Files > 1 {
			row.Delete = v.s.in(v.project.FullPath, "packages", "delete") + "?ids=" + number(facts.ID) + "&file=" + number(f.ID)
		}
		rows = append(rows, row)
	}
	markReplaced(rows)
	return rows
}

// install are the commands that install one file of the version, which the address chooses.
func (v *visit) install(facts registry.VersionFacts, page []fileRow) (*tools, error) {
	if len(page) == 0 {
		return nil, nil //nolint:nilnil // a version without files has no commands
	}
	files, chosen, missing, err := v.offered(facts, page)
	if err != nil {
		return nil, err
	}
	t := tools{Heading: "Install", TokensURL: v.s.at("user", "tokens"), Missing: missing, Page: v.query("page")}
	for i, f := range files {
		t.Files = append(t.Files, choiceRow{f.Path, f.Path, i == chosen})
	}
	public := v.public()
	if !public {
		t.Token = "read packages"
	}
	f := files[chosen]
	t.Snippets = snippets(installable{
		Server: v.s.Base(v.r), Project: v.project.FullPath, ProjectID: v.project.ID, Name: string(facts.Name), Version: string(facts.Version),
		Path: f.Path, SHA256: f.Digest, Public: public,
	})
	return &t, nil
}

// public reports whether everyone may install the packages of the project.
func (v *visit) public() bool {
	s := v.project.Standing
	nobodys := access.Resource{Visibility: s.Visibility, Packages: s.Packages, Archived: s.Archived}
	return v.s.Projects.Rules.Check(access.Actor{}, nobodys, access.ReadPackages) == access.Allowed
}

// readme is the version's README.md, if it has one of at most maxMarkdown bytes. A file
// that cannot be read is no reason to show no page.
func (v *visit) readme(facts registry.VersionFacts) (_ template.HTML, long bool) {
	raw := registry.Raw{Name: string(facts.Name), Version: string(facts.Version), File: registry.ReadmeName}
	content, err := v.s.Registry.Open(v.r.Context(), v.actor, number(v.project.ID), raw, nil)
	if err != nil {
		return "", false
	}
	defer func() { _ = content.Close() }() // it was only read
	if content.Size > maxMarkdown {
		return "", true
	}
	text, err := io.ReadAll(io.LimitReader(content, maxMarkdown))
	if err != nil {
		v.s.Note(v.r.Context(), err)
		return "", false
	}
	return markdown(text, 3, nil), false
}

// listing is the version's files as text for sha256sum -c.
func (v *visit) listing(name, version string) error {
	w, err := v.whole(name, version)
	if err != nil {
		return err
	}
	text := w.Manifest()
	h := v.w.Header()
	h["Content-Type"] = []string{"text/plain; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	v.w.WriteHeader(http.StatusOK)
	v.send(text)
	return nil
}

// whole is a version, or else a draft, with all its files.
func (v *visit) whole(name, version string) (registry.WholeVersion, error) {
	project, raw := number(v.project.ID), registry.Raw{Name: name, Version: version}
	w, err := v.s.Registry.FindVersion(v.r.Context(), v.actor, project, raw, nil)
	if fault.Is(err, fault.Absent) {
		w, err = v.s.Registry.FindDraft(v.r.Context(), v.actor, project, raw, nil)
	}
	return w, err
}
