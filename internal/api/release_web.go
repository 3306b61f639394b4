package api

import (
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/releases"
	"granary/internal/wire"
)

// Pages of releases. Programs follow permalink/latest and read the final address, or find
// the tag in the text. The pages have no style and no script.

// matchEnd takes /<project><end>.
func matchEnd(end string) func(path string) (string, []string, bool) {
	return func(path string) (string, []string, bool) {
		project, rest, ok := cutProject(path, end)
		return project, nil, ok && rest == ""
	}
}

// matchRelease takes /<project>/-/releases/<tag>.
func matchRelease(path string) (string, []string, bool) {
	project, tag, ok := cutProject(path, "/-/releases/")
	return project, []string{decoded(tag)}, ok && tag != "" && !strings.Contains(tag, "/")
}

// markup starts an answer of a type that browsers show.
func (c *call) markup(contentType string, size int64) (*answerWriter, error) {
	a, err := c.begin(http.StatusOK, size)
	a.headers = func(h http.Header) { markupHeaders(h, contentType) }
	return a, err
}

// markupHeaders let a page do nothing but be read. Its links do not send a Referer, since
// its address may contain a token.
func markupHeaders(h http.Header, contentType string) {
	jsonHeaders(h)
	h["Content-Type"] = []string{contentType}
	h["Content-Security-Policy"] = []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"}
	h["Referrer-Policy"] = []string{"no-referrer"}
}

// releaseURL is the address of a release's page.
func (c *call) releaseURL(r releases.Release) string {
	return c.base() + "/" + r.ProjectPath + "/-/releases/" + url.PathEscape(r.Tag)
}

const htmlType = "text/html; charset=utf-8"

// openPage begins a page of HTML, closePage ends it.
func (a *answerWriter) openPage(title string) {
	a.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>" + html.EscapeString(title) + "</title></head>\n<body>\n")
}

func (a *answerWriter) closePage() { a.raw("</body>\n</html>\n") }

// link adds a link of a page.
func (a *answerWriter) link(to, text string) {
	a.raw(`<a href="` + html.EscapeString(to) + `">` + html.EscapeString(text) + "</a>")
}

// plain adds a text; change changes each piece.
func (a *answerWriter) plain(text string, change func(string) string) error {
	if len(text) <= textPiece {
		a.raw(change(text))
		return a.flush(flushAt)
	}
	return a.pieces(text, func(piece string) error {
		a.raw(change(piece))
		return nil
	})
}

func when(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// webRelease is the page of a release.
func webRelease(c *call) error {
	found, err := c.s.Releases.Find(c.r.Context(), c.actor, c.ref, c.rest[0])
	if err != nil {
		return err
	}
	a, err := c.markup(htmlType, found.Size())
	if err != nil {
		return err
	}
	return a.run(func() error {
		err := elements(a, found, c.writeReleasePage)
		if err == nil && a.empty() {
			err = fault.New(fault.Absent, "") // deleted meanwhile
		}
		return err
	})
}

func (c *call) writeReleasePage(a *answerWriter, r releases.Release) error {
	at := when(r.ReleasedAt)
	a.openPage(r.Name + " · Releases · " + r.ProjectPath)
	a.raw("<p>")
	a.link(c.base()+"/"+r.ProjectPath+"/-/releases", r.ProjectPath+" releases")
	a.raw("</p>\n<h1>" + html.EscapeString(r.Name) + "</h1>\n<p>Tag: <code>" + html.EscapeString(r.Tag) + "</code></p>\n")
	a.raw("<p>Released: <time datetime=\"" + at + "\">" + at + "</time> by " + html.EscapeString(r.Author.Name) + "</p>\n<pre>\n")
	err := eachText(r, func(text string) error { return a.plain(text, html.EscapeString) })
	if err != nil {
		return err
	}
	a.raw("</pre>\n<h2>Assets</h2>\n<ul>\n")
	err = c.eachLink(r, func(l releases.Link) error {
		a.raw("<li>")
		a.link(c.releaseLink(r, l).DirectAssetURL, l.Name)
		a.raw("</li>\n")
		return a.flush(flushAt)
	})
	if err != nil {
		return err
	}
	a.raw("</ul>\n")
	a.closePage()
	return nil
}

// eachLink calls do with the links of a release, in steps if they are separate.
func (c *call) eachLink(r releases.Release, do func(releases.Link) error) error {
	links := page.Of[releases.Link]{Rows: r.Links}
	if r.Apart != nil {
		links = r.Apart.Links
	}
	for rows, err := range links.InSteps(c.r.Context()) {
		if err != nil {
			return err
		}
		for _, l := range rows {
			if err := do(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// releasesOf is a page of a project's releases.
type releasesOf struct {
	project projects.Project
	ask     page.Request
	found   page.Of[releases.Release]
}

// releasesMarkup answers with a page of a project's releases, which write writes in a
// type that browsers show.
func (c *call) releasesMarkup(contentType string, f releases.Filter, write func(*answerWriter, releasesOf) error) error {
	ask := c.page(true, releases.ByRelease, releases.ByCreation)
	if err := c.params.err(); err != nil {
		return err
	}
	p, err := c.s.Projects.Project(c.r.Context(), c.actor, c.ref)
	if err != nil {
		return err
	}
	found, err := c.s.Releases.List(c.r.Context(), c.actor, c.ref, f, ask)
	if err != nil {
		return err
	}
	a, err := c.markup(contentType, found.Size())
	if err != nil {
		return err
	}
	a.head = func() { c.pageHeaders(ask, found.Total) }
	return a.run(func() error { return write(a, releasesOf{p, ask, found}) })
}

// webReleases is the list of a project's releases, a page at a time.
func webReleases(c *call) error {
	return c.releasesMarkup(htmlType, releases.Filter{Brief: true}, func(a *answerWriter, of releasesOf) error {
		a.openPage("Releases · " + of.project.FullPath)
		a.raw("<h1>" + html.EscapeString(of.project.Name) + " releases</h1>\n<ul>\n")
		for rows, err := range of.found.InSteps(c.r.Context()) {
			if err != nil {
				return err
			}
			for _, r := range rows {
				at := when(r.ReleasedAt)
				a.raw("<li>")
				a.link(c.releaseURL(r), r.Name)
				a.raw(" <code>" + html.EscapeString(r.Tag) + "</code> <time datetime=\"" + at + "\">" + at + "</time></li>\n")
			}
			if err := a.flush(flushAt); err != nil {
				return err
			}
		}
		a.raw("</ul>\n")
		if ask := of.ask; of.found.Total > ask.Offset()+ask.Size {
			a.raw("<p>")
			a.link(c.pageURL(ask, ask.Number+1), "Page "+strconv.Itoa(ask.Number+1))
			a.raw("</p>\n")
		}
		a.closePage()
		return nil
	})
}

// everyRelease is more releases than a project may have.
const everyRelease = 1 << 20

// webReleasesJSON is the whole list, with the fields of GitLab's ReleaseEntity.
func webReleasesJSON(c *call) error {
	ask := page.Request{Number: 1, Size: everyRelease, Desc: true, InSteps: true}
	found, err := c.s.Releases.List(c.r.Context(), c.actor, c.ref, releases.Filter{Outline: true}, ask)
	if err != nil {
		return err
	}
	return answered(c, nil, found, func(a *answerWriter, r releases.Release) error {
		return a.value(wire.ReleaseOutline{ID: r.ID, Tag: r.Tag})
	})
}
