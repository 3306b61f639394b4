package ui

import (
	"net/http"
	"time"

	"granary/internal/access"
	"granary/internal/page"
	"granary/internal/registry"
)

// packagesPage is the data of a project's packages.
type packagesPage struct {
	Rows        []packageRow
	Pager       pager
	Search      string
	Periods     []choiceRow
	Statuses    []choiceRow
	Sort        map[string]sortLink // by column
	Filtered    bool
	Clear       string // the address without filters
	Drafts      string // the address of the drafts; "" for those who do not see them
	CanPublish  bool
	New, SetUp  string
	Upload      newUpload
	Snippets    tools  // how to publish the first file
	Gate        bool   // the feature flag is on
	SettingsURL string // for who may switch it on
}

// packageRow is one package name.
type packageRow struct {
	Name, URL  string
	Latest     string
	LatestURL  string
	Deprecated bool
	Draft      bool // the package has no version that lists show
	Channels   []registry.Channel
	Versions   string
	Stored     string
	Counted    string // the versions with their noun
	Published  time.Time
	By         author
}

// author is who published something.
type author struct{ Name, URL string }

// sortLink is the head of a column by which a list can be sorted.
type sortLink struct {
	URL   string
	State string // of aria-sort: "ascending", "descending" or "" for another column
	Arrow string
}

// showPackages is a project's packages, one row a name.
func showPackages(v *visit) error {
	q, at, err := v.namesQuery()
	if err != nil {
		return err
	}
	found, err := v.s.Registry.Names(v.r.Context(), v.actor, number(v.project.ID), q, at)
	if err != nil {
		return err
	}
	full := v.project.FullPath
	p := packagesPage{
		Pager:  v.keyPager(found.Part.Newer, found.Part.Older, countUpTo(found.Total, registry.NamesCounted, "package", "packages")),
		Search: q.Search, Sort: v.nameSorts(q),
		Periods:  choices(v.query("published"), "", "Published any time", "7", "Last 7 days", "30", "Last 30 days", "365", "Last year"),
		Statuses: choices(string(q.Status), "", "Every status", "default", "Default", "hidden", "Hidden", "deprecated", "Deprecated"),
		Filtered: q.Search != "" || q.Since != nil || q.Until != nil || q.Status != "", Clear: v.s.in(full, "packages"),
		CanPublish: v.can(access.PublishPackage), New: v.s.in(full, "packages", "new"), SetUp: v.s.in(full, "packages", "setup"),
		Gate: found.FlagOn,
	}
	if p.CanPublish {
		p.Statuses = append(p.Statuses, choiceRow{"draft", "Drafts", q.Status == registry.StatusDraft})
		p.Drafts = v.s.in(full, "packages") + "?status=draft"
	}
	if v.can(access.EditProject) {
		p.SettingsURL = v.s.in(full, "settings")
	}
	for _, row := range found.Rows {
		p.Rows = append(p.Rows, v.packageRow(row))
	}
	if len(p.Rows) == 0 && !p.Filtered && p.CanPublish {
		p.Upload = v.newUpload("", "")
		p.Snippets = v.publishing("tool", "1.0.0", "tool.tar.gz")
	}
	return v.show(screen{name: "packages", title: full, tab: "packages", data: p})
}

func (v *visit) packageRow(row registry.NameRow) packageRow {
	full, name := v.project.FullPath, string(row.Name)
	out := packageRow{
		Name: name, URL: v.s.in(full, "packages", "generic", name), Channels: row.Channels,
		Versions: count(int64(row.Versions)), Stored: size(row.Stored), Counted: plural(int64(row.Versions), "version", "versions"), Published: row.PublishedAt,
	}
	out.Draft = row.Versions == 0 && row.Latest == nil
	if v.query("status") == string(registry.StatusDraft) {
		out.URL += "?status=draft"
	}
	if row.Latest != nil {
		out.Latest = string(row.Latest.Version)
		out.LatestURL = v.s.in(full, "packages", "generic", name, out.Latest)
		out.Deprecated = row.Latest.Status == registry.StatusDeprecated
	}
	if row.Last != nil {
		out.By = v.author(*row.Last)
	}
	return out
}

// author is the pipeline or the person that published a version.
func (v *visit) author(k registry.PackageVersion) author {
	if k.Pipeline != nil {
		return author{Name: "pipeline #" + number(k.Pipeline.ID)}
	}
	return author{Name: k.Creator}
}

// namesQuery is the filter, the order and the place in the list that the address asks for.
func (v *visit) namesQuery() (q registry.NameQuery, at *page.Cursor, err error) {
	values := v.r.URL.Query()
	q = registry.NameQuery{Search: values.Get("search"), Status: registry.Status(values.Get("status")), Order: registry.NameOrder(values.Get("sort")), Asc: values.Get("dir") == "asc"}
	if q.Since, q.Until, err = v.period(); err != nil {
		return q, nil, err
	}
	at, err = page.ParseCursor(values.Get("cursor"))
	return q, at, err
}

// nameSorts are the heads of the columns. A second click turns the order round.
func (v *visit) nameSorts(q registry.NameQuery) map[string]sortLink {
	sorts := map[string]sortLink{}
	for column, ascFirst := range map[registry.NameOrder]bool{
		registry.NamesByName: true, registry.NamesByVersions: false, registry.NamesByStored: false, registry.NamesByPublished: false,
	} {
		sorts[string(column)] = v.sortLink(string(column), q.Order == column || q.Order == "" && column == registry.NamesByPublished, q.Asc, ascFirst)
	}
	return sorts
}

// sortLink is the head of a column; ascFirst is the direction that the first click gives.
func (v *visit) sortLink(column string, current, asc, ascFirst bool) sortLink {
	next := ascFirst
	l := sortLink{}
	if current {
		next = !asc
		l.State, l.Arrow = "descending", " ↓"
		if asc {
			l.State, l.Arrow = "ascending", " ↑"
		}
	}
	values := v.r.URL.Query()
	values.Del("cursor")
	values.Del("done")
	values.Del("dir")
	values.Set("sort", column)
	if next {
		values.Set("dir", "asc")
	}
	l.URL = "?" + values.Encode()
	return l
}

// keyPager is the way through a list that pages by keys.
func (v *visit) keyPager(newer, older *page.Cursor, total string) pager {
	p := pager{Total: total, NewerWord: "Newer", OlderWord: "Older"}
	if newer != nil {
		p.Newer = v.with("cursor", newer.String())
	}
	if older != nil {
		p.Older = v.with("cursor", older.String())
	}
	return p
}

// countUpTo is a number of rows in words; above most only that there are more is known.
func countUpTo(n, most int, one, many string) string {
	switch {
	case n < 0:
		return "" // a search that stopped counts nothing
	case n > most:
		return "more than " + count(int64(most)) + " " + many
	}
	return plural(int64(n), one, many)
}

// packageCrumbs lead from a package to its project's packages.
func (v *visit) packageCrumbs(more ...link) []link {
	return append([]link{{"Packages", v.s.in(v.project.FullPath, "packages")}}, more...)
}

// showPackageByID leads from the address that the API's _links.web_path has to the page
// of the version.
func showPackageByID(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	name, version, err := v.s.Registry.Locate(v.r.Context(), v.actor, number(v.project.ID), id)
	if err != nil {
		return err
	}
	return &elsewhere{http.StatusFound, v.s.in(v.project.FullPath, "packages", "generic", string(name), string(version))}
}
