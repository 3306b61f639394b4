package ui

import (
	"cmp"
	"html/template"
	"net/url"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/releases"
)

// releasesPage is the data of a project's releases.
type releasesPage struct {
	Rows     []releaseRow
	Pager    pager
	MayMake  bool
	New      string
	Commands []code // that make the first one
}

// releaseRow is one release.
type releaseRow struct {
	releases.Release
	Title      string
	URL        string
	Upcoming   bool
	Historical bool // it was released before it was made here
}

func (v *visit) releaseRow(r releases.Release) releaseRow {
	return releaseRow{
		Release: r, Title: cmp.Or(r.Name, r.Tag), URL: v.releaseURL(r.Tag),
		Upcoming: r.Upcoming(v.began), Historical: r.ReleasedAt.Before(r.CreatedAt.Add(-time.Minute)),
	}
}

// releaseURL is the address of a release's page, or of one below it. A slash in the tag is
// not one of the path.
func (v *visit) releaseURL(tag string, more ...string) string {
	return strings.Join(append([]string{v.s.in(v.project.FullPath, "releases"), url.PathEscape(tag)}, more...), "/")
}

func showReleases(v *visit) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	p.Desc, p.OrderBy = true, releases.ByRelease
	found, err := v.s.Releases.List(v.r.Context(), v.actor, number(v.project.ID), releases.Filter{Brief: true}, p)
	if err != nil {
		return err
	}
	full := v.project.FullPath
	d := releasesPage{
		Pager: v.pagerOf(p, found.Total, "release", "releases"), MayMake: v.can(access.PublishRelease), New: v.s.in(full, "releases", "new"),
	}
	for _, r := range found.Rows {
		d.Rows = append(d.Rows, v.releaseRow(r))
	}
	if len(d.Rows) == 0 {
		address := v.s.Base(v.r) + "/api/v4/projects/" + number(v.project.ID) + "/releases"
		d.Commands = []code{
			{"With glab", "glab release create v1.0.0 --notes 'What is new' --repo " + full},
			{"With curl", `curl --fail-with-body --header "PRIVATE-TOKEN: $GRANARY_TOKEN" --data tag_name=v1.0.0 --data-urlencode 'description=What is new' "` + address + `"`},
		}
	}
	return v.show(screen{name: "releases", title: "Releases · " + full, tab: "releases", data: d})
}

// releasePage is the data of a release.
type releasePage struct {
	releaseRow
	Form     *form
	Notes    template.HTML
	Cut      bool // the notes go on after maxMarkdown
	LinkRows []releaseLinkRow
	More     bool // there are more links than the page shows
	MayEdit  bool
	MayDrop  bool
	Edit     string
}

// releaseLinkRow is a link of a release.
type releaseLinkRow struct {
	Name, URL, Type string
	Here            bool // it leads to this server
}

// maxLinksShown is how many links a release's page shows.
const maxLinksShown = 100

func showRelease(v *visit) error {
	r, links, cut, err := v.release()
	if err != nil {
		return err
	}
	full := v.project.FullPath
	d := releasePage{
		releaseRow: v.releaseRow(r), Form: v.form, Cut: cut, Notes: markdown([]byte(r.Description), 2, nil), More: links.Total > len(links.Rows),
		MayEdit: v.can(access.PublishRelease), MayDrop: v.can(access.DestroyRelease), Edit: v.releaseURL(r.Tag, "edit"),
	}
	here := v.s.Base(v.r) + "/"
	for _, l := range links.Rows {
		row := releaseLinkRow{Name: l.Name, URL: l.URL, Type: string(l.Type), Here: strings.HasPrefix(l.URL, here)}
		if !strings.HasPrefix(l.URL, "http://") && !strings.HasPrefix(l.URL, "https://") {
			row.URL = "" // ftp is shown, not followed
		}
		d.LinkRows = append(d.LinkRows, row)
	}
	return v.show(screen{name: "release", title: d.Title + " · " + full, tab: "releases", crumbs: v.releaseCrumbs(), data: d})
}

func (v *visit) releaseCrumbs() []link {
	return []link{{"Releases", v.s.in(v.project.FullPath, "releases")}}
}

// release is the release of the path with its description, and its first links. A
// description above maxMarkdown is cut.
func (v *visit) release() (r releases.Release, links page.Of[releases.Link], cut bool, err error) {
	r, links, err = v.s.Releases.Show(v.r.Context(), v.actor, number(v.project.ID), v.values["tag"], maxMarkdown+1, page.Request{Number: 1, Size: maxLinksShown})
	cut = len(r.Description) > maxMarkdown
	r.Description = strings.ToValidUTF8(r.Description[:min(len(r.Description), maxMarkdown)], "")
	return r, links, cut, err
}

// releaseForm is the data of the page that makes or edits a release.
type releaseForm struct {
	Form        *form
	Tag         string // of the release that is edited; "" for a new one
	Name        string
	Description string
	ReleasedAt  string
	Action      string
	TooLarge    bool // the form has no description: it is above maxMarkdown
}

func showNewRelease(v *visit) error {
	if !v.can(access.PublishRelease) {
		return fault.New(fault.Denied, "You need the role Developer to make a release")
	}
	d := releaseForm{Form: v.form, Action: v.s.in(v.project.FullPath, "releases", "new"), ReleasedAt: v.began.UTC().Format(time.DateOnly)}
	return v.show(screen{name: "release_form", title: "New release", tab: "releases", crumbs: v.releaseCrumbs(), data: d})
}

func showEditRelease(v *visit) error {
	if !v.can(access.PublishRelease) {
		return fault.New(fault.Denied, "You need the role Developer to edit a release")
	}
	r, _, cut, err := v.release()
	if err != nil {
		return err
	}
	d := releaseForm{
		Form: v.form, Tag: r.Tag, Name: r.Name, Description: r.Description, ReleasedAt: r.ReleasedAt.UTC().Format(time.DateOnly),
		Action: v.releaseURL(r.Tag, "edit"), TooLarge: cut,
	}
	return v.show(screen{name: "release_form", title: "Edit " + r.Tag, tab: "releases", crumbs: v.releaseCrumbs(), data: d})
}

// makeRelease makes a release, and makes the drafts final that it publishes here.
func makeRelease(v *visit) error {
	project := number(v.project.ID)
	day, err := v.day("released_at")
	if err != nil {
		return v.again(showNewRelease, err)
	}
	r := releases.Release{Tag: v.sent("tag"), Name: v.sent("name"), Description: v.form.values.Get("description")}
	if day != nil && day.Format(time.DateOnly) != v.began.UTC().Format(time.DateOnly) {
		r.ReleasedAt = *day
	}
	finals, err := v.s.Registry.ReleaseFinals(v.r.Context(), v.actor, project, r.Tag)
	if err != nil {
		return v.again(showNewRelease, err)
	}
	var with releases.Alongside // a nil *Finals in it is not nil
	if finals != nil {
		with = finals
	}
	if r, err = v.s.Releases.Create(v.r.Context(), v.actor, project, r, with); err != nil {
		return v.again(showNewRelease, err)
	}
	return v.see(v.releaseURL(r.Tag), "made")
}

func editRelease(v *visit) error {
	day, err := v.day("released_at")
	if err != nil {
		return v.again(showEditRelease, err)
	}
	var edit releases.Edit
	edit.Name, edit.Description = v.given("name"), v.givenText("description")
	if day != nil {
		r, _, _, err := v.release()
		if err != nil {
			return err
		}
		if day.Format(time.DateOnly) != r.ReleasedAt.UTC().Format(time.DateOnly) { // the form knows the day only: it keeps the hour of the same day
			edit.ReleasedAt = day
		}
	}
	r, err := v.s.Releases.Change(v.r.Context(), v.actor, number(v.project.ID), v.values["tag"], edit)
	if err != nil {
		return v.again(showEditRelease, err)
	}
	return v.see(v.releaseURL(r.Tag), "saved")
}

// deleteRelease removes a release whose tag was typed.
func deleteRelease(v *visit) error {
	if tag := v.values["tag"]; v.sent("confirm") != tag {
		return v.again(showRelease, fault.Field("confirm", "is not "+tag))
	}
	if _, err := v.s.Releases.Delete(v.r.Context(), v.actor, number(v.project.ID), v.values["tag"]); err != nil {
		return err
	}
	return v.see(v.s.in(v.project.FullPath, "releases"), "deleted")
}
