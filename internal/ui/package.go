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
	Rules      *rulesFacts // nil for those who may not publish
	Versions   int
	Stored     int64 // bytes; -1 if they are not counted yet
}

// rulesFacts are the rules of a project for one package, in words.
type rulesFacts struct {
	Publish, Delete, Duplicates string
	Naming                      string
	Settings                    string // the page of the protection rules; "" for those who may not read them
}

// versionRow is one version of a package.
type versionRow struct {
	registry.VersionRow
	URL      string
	By       author
	IsLatest bool
	Series   string // such as 1.x, of which it is the latest final version; "" if it is not, or if the page does not tell
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
		Name: name, Channels: found.Channels, Text: v.query("search"), ByDate: q.ByDate, Versions: found.NameFacts.Versions, Stored: found.Stored, Rules: v.rulesFacts(found.Rules),
		Stable:   choices(v.query("pre"), "", "With pre-releases", "no", "Without pre-releases"),
		Statuses: choices(string(q.Status), "", "Every status", "default", "Default", "hidden", "Hidden", "deprecated", "Deprecated", "draft", "Drafts"),
		Filtered: v.query("search") != "" || q.Stable || q.Status != "", Clear: v.s.in(full, "packages", "generic", name),
		CanDelete: slices.ContainsFunc(found.Rows, func(row registry.VersionRow) bool { return row.MayDelete }), CanPublish: found.MayPublish,
		Delete: v.s.in(full, "packages", "delete"), All: v.s.in(full, "packages", "delete") + "?name=" + url.QueryEscape(name),
		Upload: v.s.in(full, "packages", "new") + "?name=" + url.QueryEscape(name),
	}
	total := ""
	if !p.Filtered {
		total = plural(int64(p.Versions), "version", "versions")
	}
	p.Pager = v.keyPager(found.Part.Newer, found.Part.Older, total)
	p.Other = v.with("order", map[bool]string{true: "", false: "date"}[q.ByDate])
	p.Pull = code{"The command that installs the latest version", pullLatest(full, name)}
	series := latestOfSeries(found, q)
	for _, row := range found.Rows {
		p.Rows = append(p.Rows, versionRow{
			VersionRow: row, URL: v.s.in(full, "packages", "generic", name, string(row.Version)), By: v.author(row.PackageVersion),
			IsLatest: row.Version == found.Latest, Series: series[row.ID],
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

// rulesFacts are the rules in words, for those who may publish in the project.
func (v *visit) rulesFacts(rules registry.Rules) *rulesFacts {
	if !v.can(access.PublishPackage) {
		return nil
	}
	facts := rulesFacts{Publish: fromWords(rules.Push), Delete: fromWords(rules.Delete), Duplicates: "refused", Naming: string(rules.Naming)}
	if rules.Duplicates {
		facts.Duplicates = "allowed"
	}
	if rules.Exceptions {
		facts.Duplicates += "; versions that match the exception differ"
	}
	if v.can(access.ReadProtections) {
		facts.Settings = v.s.in(v.project.FullPath, "settings", "protection")
	}
	return &facts
}

// fromWords is the least role of protection rules in words.
func fromWords(r access.Role) string {
	if r == access.NoRole {
		return leastWords(r)
	}
	return "from " + r.String() + " up"
}

// latestOfSeries are the highest final versions of their majors, by id, without the latest
// of all. Only a list of all versions tells them. The major of a page's first version may
// have begun on the page before.
func latestOfSeries(found registry.VersionList, q registry.VersionQuery) map[int64]string {
	series := map[int64]string{}
	if q.Range != "" || found.Keyless || q.VersionFilter != (registry.VersionFilter{Stable: q.Stable}) {
		return series
	}
	done := map[string]bool{"": true}
	if found.Newer != nil && len(found.Rows) > 0 {
		done[versions.Major(string(found.Rows[0].Version))] = true
	}
	for _, row := range found.Rows {
		major := versions.Major(string(row.Version))
		if done[major] || row.PreRelease() || row.FinalAt == nil || row.YankedAt != nil || !row.Status.Shown() {
			continue
		}
		if done[major] = true; row.Version != found.Latest {
			series[row.ID] = major + ".x"
		}
	}
	return series
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
