package api

import (
	"bytes"
	"encoding/xml"
	"html"
	"time"
	"unicode/utf8"

	"granary/internal/projects"
	"granary/internal/releases"
)

// The feed of a project's releases, as in GitLab's index.atom.builder. GitLab's summary is
// the commit message; here it is the start of the description.

const atomType = "application/atom+xml; charset=utf-8"

// How many characters of a name (as in GitLab) and of a summary a feed shows.
const (
	atomTitle   = 160
	atomSummary = 500
)

// webReleasesAtom is a page of a project's releases as a feed.
func webReleasesAtom(c *call) error {
	return c.releasesMarkup(atomType, releases.Filter{Unlinked: true}, func(a *answerWriter, of releasesOf) error {
		open := false
		for rows, err := range of.found.InSteps(c.r.Context()) {
			if err != nil {
				return err
			}
			for _, r := range rows {
				if !open {
					c.openFeed(a, of.project, r.UpdatedAt)
					open = true
				}
				if err := c.writeEntry(a, r); err != nil {
					return err
				}
			}
		}
		if !open {
			c.openFeed(a, of.project, of.project.CreatedAt)
		}
		a.raw("</feed>\n")
		return nil
	})
}

func (c *call) openFeed(a *answerWriter, p projects.Project, updated time.Time) {
	at := c.base() + "/" + p.FullPath + "/-/releases"
	a.raw(xml.Header + `<feed xmlns="http://www.w3.org/2005/Atom">` + "\n")
	a.element("title", p.Name+" releases")
	a.raw(`<link rel="self" type="application/atom+xml" href="` + inXML(at) + `.atom"/>` + "\n")
	a.raw(`<link rel="alternate" type="text/html" href="` + inXML(at) + `"/>` + "\n")
	a.element("id", at)
	a.element("updated", when(updated))
}

func (c *call) writeEntry(a *answerWriter, r releases.Release) error {
	at := c.releaseURL(r)
	a.raw("<entry>\n")
	a.element("id", at)
	a.raw(`<link href="` + inXML(at) + `"/>` + "\n")
	a.element("title", shortened(r.Name, atomTitle))
	a.element("updated", when(r.UpdatedAt))
	a.element("published", when(r.ReleasedAt))
	a.raw("<author>")
	a.element("name", r.Author.Name)
	a.raw("</author>\n" + `<content type="html">` + inXML("<p>"))
	summary := ""
	err := eachText(r, func(text string) error {
		if summary == "" {
			summary = shortened(text, atomSummary)
		}
		return a.plain(text, func(piece string) string { return inXML(html.EscapeString(piece)) })
	})
	if err != nil {
		return err
	}
	a.raw(inXML("</p>") + "</content>\n")
	a.element("summary", summary)
	a.raw("</entry>\n")
	return a.flush(flushAt)
}

// element adds an XML element with a text.
func (a *answerWriter) element(name, text string) {
	a.raw("<" + name + ">" + inXML(text) + "</" + name + ">\n")
}

// inXML escapes a text for XML. It replaces characters that XML does not have.
func inXML(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer does not fail
	return b.String()
}

// shortened cuts a text to so many characters. If it cuts, the last three are dots.
func shortened(text string, most int) string {
	if len(text) <= most || utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text[:min(len(text), utf8.UTFMax*most)])[:most-3]) + "..."
}
