package api

import (
	"html"
	"net/url"
	"strings"

	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/releases"
	"granary/internal/wire"
)

// releaseDeed runs a deed that answers with a release. If the release is large, it
// reserves the memory first: a deed that is done must not be answered with "try again".
func (c *call) releaseDeed(status int, sent int, do func() (releases.Release, error)) error {
	size := int64(sent)
	if tag := c.path("tag"); tag != "" {
		found, err := c.s.Releases.Find(c.r.Context(), c.actor, c.path("id"), tag)
		if err == nil { // otherwise the deed reports what is wrong
			size += found.Size()
		}
	}
	a, err := c.begin(status, size)
	if err != nil {
		return err
	}
	return a.run(func() error {
		r, err := do()
		if err != nil {
			return err
		}
		a.done = true
		if sizeOf(r) > page.Large {
			r = inParts(r)
		}
		return c.writeRelease(a, r)
	})
}

// inParts moves the parts of a release out of it, to be written separately.
func inParts(r releases.Release) releases.Release {
	text := r.Description
	r.Apart = &releases.Parts{
		Description: func(yield func(string, error) bool) { yield(text, nil) },
		Links:       page.Of[releases.Link]{Rows: r.Links, Total: len(r.Links)},
	}
	r.Description, r.Links = "", nil
	return r
}

// sizeOf is about how many bytes of text a release has.
func sizeOf(r releases.Release) int {
	n := len(r.Description)
	for _, l := range r.Links {
		n += len(l.Name) + len(l.URL) + len(l.Path)
	}
	return n
}

// writeRelease adds a release. It writes the description and the links of a large one
// piece by piece.
func (c *call) writeRelease(a *answerWriter, r releases.Release) error {
	if r.Apart == nil {
		return a.value(c.release(r))
	}
	parts := []part{a.descriptionOf(r, `"description":"`, func(s string) string { return s })}
	if c.params.boolean("include_html_description") {
		parts = append(parts, a.descriptionOf(r, `"description_html":"<p>`, html.EscapeString))
	}
	parts = append(parts, part{`"links":[`, func() error {
		return elements(a, r.Apart.Links, func(a *answerWriter, l releases.Link) error { return a.value(c.releaseLink(r, l)) })
	}})
	return a.assemble(c.release(r), parts...)
}

// descriptionOf is the description of a release as a part of its JSON; change changes
// each piece.
func (a *answerWriter) descriptionOf(r releases.Release, after string, change func(string) string) part {
	return part{after, func() error {
		return eachText(r, func(text string) error { return a.text(text, change) })
	}}
}

// eachText calls do with the description of a release, in pieces if it is separate.
func eachText(r releases.Release, do func(text string) error) error {
	if r.Apart == nil {
		return do(r.Description)
	}
	for text, err := range r.Apart.Description {
		if fault.Is(err, fault.NotFound) {
			return fault.Wrap(fault.Unavailable, "a release was changed while it was read; try again", err)
		}
		if err != nil {
			return err
		}
		if err := do(text); err != nil {
			return err
		}
	}
	return nil
}

func linkCount(r releases.Release) int {
	if r.Apart != nil {
		return r.Apart.Links.Total
	}
	return len(r.Links)
}

// release shows a release, without the parts that are written separately.
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
		TagPath: pathOf(c.base()) + "/" + r.ProjectPath + "/-/tags/" + tag,
		Assets:  wire.ReleaseAssets{Count: linkCount(r), Sources: []struct{}{}, Links: []wire.ReleaseLink{}},
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
		commit := c.releaseCommit(r)
		w.Commit = &commit
		w.CommitPath = pathOf(c.base()) + "/" + r.ProjectPath + "/-/commit/" + r.Ref
	}
	return w
}

// releaseCommit is the commit of a release, if its ref is one.
func (c *call) releaseCommit(r releases.Release) wire.ReleaseCommit {
	w := wire.ReleaseCommit{CreatedAt: wire.Time(r.CreatedAt), ParentIDs: []string{}}
	if isCommit(r.Ref) {
		w.ID, w.ShortID = r.Ref, r.Ref[:8]
		w.WebURL = c.base() + "/" + r.ProjectPath + "/-/commit/" + r.Ref
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

// isCommit reports the name of a commit: SHA-1 or SHA-256 in hexadecimal.
func isCommit(ref string) bool {
	return (len(ref) == 40 || len(ref) == 64) && strings.Trim(ref, "0123456789abcdef") == ""
}
