package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/versions"
)

// packagePage is the data of a package: all its versions.
type packagePage struct {
	Name       string
	Pull       code
	Rows       []versionRow
	Pager      pager
	Channels   []registry.Channel
	Text       string // of the filter
	Stable     []choiceRow
	Statuses   []choiceRow
	ByDate     bool
	Other      string // the address of the other order
	Filtered   bool
	Clear      string
	CanDelete  bool
	CanPublish bool
	Delete     string // the page that deletes the chosen versions
	All        string // the page that deletes the whole package
	Upload     string
}

// versionRow is one version of a package.
type versionRow struct {
	registry.VersionRow
	URL      string
	By       author
	IsLatest bool
}

// showPackage is all versions of a package.
func showPackage(v *visit) error {
	name := v.values["name"]
	q := v.versionQuery()
	at, err := page.ParseCursor(v.query("cursor"))
	if err != nil {
		return err
	}
	found, err := v.s.Registry.Versions(v.r.Context(), v.actor, number(v.project.ID), name, q, at)
	if fault.Is(err, fault.Absent) && q.Status == "" {
		return v.toDrafts(name, err)
	}
	if err != nil {
		return err
	}
	full := v.project.FullPath
	p := packagePage{
		Name: name, Channels: found.Channels, Text: v.query("search"), ByDate: q.ByDate, Pager: v.keyPager(found.Part.Newer, found.Part.Older, ""),
		Stable:   choices(v.query("pre"), "", "With pre-releases", "no", "Without pre-releases"),
		Statuses: choices(string(q.Status), "", "Every status", "default", "Default", "hidden", "Hidden", "deprecated", "Deprecated", "draft", "Drafts"),
		Filtered: v.query("search") != "" || q.Stable || q.Status != "", Clear: v.s.in(full, "packages", "generic", name),
		CanDelete: slices.ContainsFunc(found.Rows, func(row registry.VersionRow) bool { return row.MayDelete }), CanPublish: v.can(access.PublishPackage),
		Delete: v.s.in(full, "packages", "delete"), All: v.s.in(full, "packages", "delete") + "?name=" + url.QueryEscape(name),
		Upload: v.s.in(full, "packages", "new") + "?name=" + url.QueryEscape(name),
	}
	p.Other = v.with("order", map[bool]string{true: "", false: "date"}[q.ByDate])
	p.Pull = code{"The command that installs the latest version", pullLatest(full, name)}
	for _, row := range found.Rows {
		p.Rows = append(p.Rows, versionRow{
			VersionRow: row, URL: v.s.in(full, "packages", "generic", name, string(row.Version)), By: v.author(row.PackageVersion),
			IsLatest: row.Version == found.Latest,
		})
	}
	if len(p.Rows) == 0 && !p.Filtered && q.Status == "" {
		return fault.New(fault.Absent, "")
	}
	return v.show(screen{name: "package", title: name + " · " + full, tab: "packages", crumbs: v.packageCrumbs(), data: p})
}

// toDrafts leads from a package without versions to its drafts; none is the error if it has
// none, or if the actor does not see them.
func (v *visit) toDrafts(name string, none error) error {
	if !v.can(access.PublishPackage) {
		return none
	}
	q := registry.VersionQuery{VersionFilter: registry.VersionFilter{Status: registry.StatusDraft}}
	found, err := v.s.Registry.Versions(v.r.Context(), v.actor, number(v.project.ID), name, q, nil)
	if err != nil || len(found.Rows) == 0 {
		return cmp.Or(err, none)
	}
	return &elsewhere{http.StatusFound, v.s.in(v.project.FullPath, "packages", "generic", name) + "?status=draft"}
}

// versionQuery is the filter and the order that the address asks for. A search that is a
// range is taken for one.
func (v *visit) versionQuery() registry.VersionQuery {
	var q registry.VersionQuery
	q.Stable, q.Status, q.ByDate = v.query("pre") == "no", registry.Status(v.query("status")), v.query("order") == "date"
	text := v.query("search")
	if s, ok := versions.ParseSelector(text); ok && s.Range != nil {
		q.Range = text
	} else {
		q.Text = text
	}
	return q
}

// showLatest leads to what `latest` selects. A version that is called latest wins.
func (v *visit) showLatest() error {
	name := v.values["name"]
	latest, err := v.s.Registry.Latest(v.r.Context(), v.actor, number(v.project.ID), name)
	if err != nil {
		return err
	}
	if latest == "latest" {
		return v.showVersion("latest")
	}
	return &elsewhere{http.StatusFound, v.s.in(v.project.FullPath, "packages", "generic", name, string(latest))}
}
