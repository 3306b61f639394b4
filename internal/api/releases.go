package api

import (
	"html"
	"net/http"
	"net/url"
	"strings"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/releases"
	"granary/internal/wire"
)

// releaseRoutes take job tokens: CI publishes releases (contract rest-api G).
func releaseRoutes() []route {
	jobs := auth.Doors{JobTokens: true}
	const all, one = "/projects/{id}/releases", "/projects/{id}/releases/{tag}"
	const latest, links = all + "/permalink/latest", one + "/assets/links"
	return []route{
		{"GET", all, access.ReadReleases, jobs, listReleases},
		{"POST", all, access.PublishRelease, jobs, createRelease},
		{"GET", latest, access.ReadReleases, jobs, getLatestRelease},
		{"GET", latest + "/{suffix...}", access.ReadReleases, jobs, getLatestRelease},
		{"GET", one, access.ReadReleases, jobs, getRelease},
		{"PUT", one, access.PublishRelease, jobs, editRelease},
		{"DELETE", one, access.DestroyRelease, jobs, deleteRelease},
		{"GET", one + "/downloads/{path...}", access.ReadReleases, jobs, getReleaseAsset},
		{"GET", one + "/downloads", access.ReadReleases, jobs, getReleaseAsset}, // else ServeMux would redirect

		{"GET", links, access.ReadReleases, jobs, listReleaseLinks},
		{"POST", links, access.PublishRelease, jobs, createReleaseLink},
		{"GET", links + "/{link_id}", access.ReadReleases, jobs, getReleaseLink},
		{"PUT", links + "/{link_id}", access.PublishRelease, jobs, editReleaseLink},
		{"DELETE", links + "/{link_id}", access.PublishRelease, jobs, deleteReleaseLink},

		{"GET", "/projects/{id}/repository/commits/{sha}/merge_requests", access.ReadProject, jobs, listNoMergeRequests},
	}
}

func listReleases(c *call) error {
	ask := c.page(true, "released_at", "created_at")
	var f releases.Filter
	if t := c.params.moment("updated_after"); t != nil {
		f.UpdatedAfter = *t
	}
	if t := c.params.moment("updated_before"); t != nil {
		f.UpdatedBefore = *t
	}
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Releases.List(c.r.Context(), c.actor, c.path("id"), f, ask)
	return listed(c, ask, found, err, c.release)
}

func getRelease(c *call) error {
	r, err := c.s.Releases.Get(c.r.Context(), c.actor, c.path("id"), c.path("tag"))
	if err != nil {
		return err
	}
	return c.ok(c.release(r))
}

// getLatestRelease redirects to the latest release, what follows "latest" kept.
func getLatestRelease(c *call) error {
	r, err := c.s.Releases.Latest(c.r.Context(), c.actor, c.path("id"))
	if err != nil {
		return err
	}
	to := c.base() + prefix + "/projects/" + url.PathEscape(c.path("id")) + "/releases/" + url.PathEscape(r.Tag)
	if suffix := c.path("suffix"); suffix != "" {
		to += "/" + escapePath(suffix)
	}
	return c.redirect(to)
}

// redirect answers 302.
func (c *call) redirect(to string) error {
	h := c.w.Header()
	safeHeaders(h)
	h["Location"] = []string{to}
	h["Cache-Control"] = []string{"no-cache"}
	c.w.WriteHeader(http.StatusFound)
	return nil
}

func createRelease(c *call) error {
	p := c.params
	r := releases.Release{
		Tag: p.record().required("tag_name"), Name: p.record().str("name"), Description: p.record().str("description"), Ref: p.record().str("ref"),
		Milestones: p.milestones(),
	}
	if t := p.moment("released_at"); t != nil {
		r.ReleasedAt = *t
	}
	for _, o := range p.objects("assets[links]") {
		r.Links = append(r.Links, o.link("assets[links]"))
	}
	if err := p.err(); err != nil {
		return err
	}
	if err := unknownMilestones(p); err != nil {
		return err
	}
	r, err := c.s.Releases.Create(c.r.Context(), c.actor, c.path("id"), r)
	if err != nil {
		return err
	}
	return c.created(c.release(r))
}

// milestones are titles: no milestones are kept here, so that any will do.
func (p params) milestones() []string {
	if p.has("milestones") && p.has("milestone_ids") {
		p.fail("milestones, milestone_ids are mutually exclusive")
	}
	return p.list("milestones")
}

func unknownMilestones(p params) error {
	if ids := p.list("milestone_ids"); len(ids) > 0 {
		return &fault.Error{Kind: fault.Rejected, Msg: "Milestone id(s) not found: " + strings.Join(ids, ", ")}
	}
	return nil
}

func editRelease(c *call) error {
	p := c.params
	e := releases.Edit{Name: p.record().given("name"), Description: p.record().given("description"), ReleasedAt: p.moment("released_at")}
	if _, sent := p.values["milestones"]; sent { // an empty list clears
		titles := p.milestones()
		e.Milestones = &titles
	}
	if err := p.err(); err != nil {
		return err
	}
	if err := unknownMilestones(p); err != nil {
		return err
	}
	r, err := c.s.Releases.Change(c.r.Context(), c.actor, c.path("id"), c.path("tag"), e)
	if err != nil {
		return err
	}
	return c.ok(c.release(r))
}

// deleteRelease answers with what was deleted, unlike other deletions.
func deleteRelease(c *call) error {
	r, err := c.s.Releases.Delete(c.r.Context(), c.actor, c.path("id"), c.path("tag"))
	if err != nil {
		return err
	}
	return c.ok(c.release(r))
}

// listNoMergeRequests tells release tools that a commit came without merge
// requests: there is no git here.
func listNoMergeRequests(c *call) error {
	if _, err := c.s.Projects.Project(c.r.Context(), c.actor, c.path("id")); err != nil {
		return err
	}
	return c.ok([]struct{}{})
}

func (c *call) release(r releases.Release) wire.Release {
	now := c.s.Releases.Now()
	project := c.base() + "/" + r.ProjectPath + "/-/"
	tag := url.PathEscape(r.Tag)
	w := wire.Release{
		TagName: r.Tag, Name: r.Name, Description: r.Description,
		CreatedAt: wire.Time(r.CreatedAt), ReleasedAt: wire.Time(r.ReleasedAt),
		UpcomingRelease: r.Upcoming(now), HistoricalRelease: r.ReleasedAt.Before(r.CreatedAt),
		Author: c.userBasic(auth.User{
			ID: r.Author.ID, Username: r.Author.Username, Name: r.Author.Name, Blocked: r.Author.Blocked,
		}),
		Milestones: []wire.ReleaseMilestone{}, Evidences: []struct{}{},
		TagPath: "/" + r.ProjectPath + "/-/tags/" + tag,
		Assets:  wire.ReleaseAssets{Count: len(r.Links), Sources: []struct{}{}, Links: []wire.ReleaseLink{}},
		Links:   releasePages(project, tag),
	}
	if c.params.boolean("include_html_description") {
		w.DescriptionHTML = "<p>" + html.EscapeString(r.Description) + "</p>"
	}
	for _, title := range r.Milestones {
		w.Milestones = append(w.Milestones, wire.ReleaseMilestone{Title: title, State: "active"})
	}
	for _, l := range r.Links {
		w.Assets.Links = append(w.Assets.Links, c.releaseLink(r, l))
	}
	if isCommit(r.Ref) {
		w.Commit = &wire.ReleaseCommit{ID: r.Ref, ShortID: r.Ref[:8], CreatedAt: wire.Time(r.CreatedAt), ParentIDs: []string{}}
		w.CommitPath = "/" + r.ProjectPath + "/-/commit/" + r.Ref
	}
	return w
}

func releasePages(project, tag string) wire.ReleaseLinks {
	list := func(what, state string) string {
		return project + what + "?release_tag=" + tag + "&scope=all&state=" + state
	}
	return wire.ReleaseLinks{
		Self: project + "releases/" + tag, EditURL: project + "releases/" + tag + "/edit",
		ClosedIssuesURL: list("issues", "closed"), OpenedIssuesURL: list("issues", "opened"),
		ClosedMergeRequestsURL: list("merge_requests", "closed"), MergedMergeRequestsURL: list("merge_requests", "merged"),
		OpenedMergeRequestsURL: list("merge_requests", "opened"),
	}
}

// isCommit tells the name of a commit: SHA-1 or SHA-256 in hexadecimal.
func isCommit(ref string) bool {
	return (len(ref) == 40 || len(ref) == 64) && strings.Trim(ref, "0123456789abcdef") == ""
}
